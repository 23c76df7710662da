"""Limits on pixels and bytes, and paths that lead to no picture."""

import os
from pathlib import Path

import pytest
from PIL import Image

from homing.errors import PictureError
from homing.images import read_picture, read_squashed
from homing.options import Limits
from tests.helpers.picture_files import noise, saved


def test_limits_hold_before_memory_is_taken(tmp_path: Path) -> None:
    import tracemalloc
    import zlib

    header = (60_000).to_bytes(4, "big") * 2 + bytes((8, 2, 0, 0, 0))
    chunk = b"IHDR" + header
    claim = (
        b"\x89PNG\r\n\x1a\n"
        + (13).to_bytes(4, "big")
        + chunk
        + zlib.crc32(chunk).to_bytes(4, "big")
    )
    huge = tmp_path / "huge.jpg"
    with huge.open("wb") as file:
        file.truncate(600 * 2**20)
    gif = bytearray(saved(noise(4, 4), "GIF"))
    at = gif.index(b",")
    gif[at + 5 : at + 9] = b"\xff\xff\xff\xff"
    tracemalloc.start()
    try:
        for read in (read_picture, lambda source: read_squashed(source, 16)):
            with pytest.raises(PictureError, match="60000 x 60000"):
                read(claim)
            with pytest.raises(PictureError, match="629145600 bytes"):
                read(huge)
        with pytest.raises(PictureError, match="65535 x 65535"):
            read_squashed(bytes(gif), 16)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
    for kind in ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "JPEG2000", "AVIF"):
        data = saved(noise(40, 50), kind)
        with pytest.raises(PictureError, match="limit"):
            read_squashed(data, 16, limits=Limits(max_pixels=1999))
        with pytest.raises(PictureError, match="limit"):
            read_squashed(data, 16, limits=Limits(max_bytes=len(data) - 1))
        assert read_squashed(data, 16, limits=Limits(2000, len(data))).shape == (16, 16, 3)


def test_pictures_above_pillows_own_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    for kind in ("JPEG", "PNG", "TIFF"):
        data = saved(noise(40, 50), kind)
        assert read_picture(data).pixels.shape == (40, 50, 3)
        assert read_squashed(data, 16).shape == (16, 16, 3)


def test_files_that_are_none(tmp_path: Path) -> None:
    folder = tmp_path / "folder.jpg"
    folder.mkdir()
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "dangling.jpg").symlink_to("nowhere")
    (tmp_path / "circle.jpg").symlink_to("circle.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    for name, reason in (
        ("folder.jpg", "a folder"),
        ("empty.jpg", "empty"),
        ("dangling.jpg", "a link to a file that is not there"),
        ("circle.jpg", "cannot be read"),
        ("pipe.jpg", "not a regular file"),
        ("missing.jpg", "no such file"),
        ("empty.jpg/x.jpg", "cannot be read"),
        ("zero\0.jpg", "not a path"),
        ("x" * 5000, "cannot be read"),
    ):
        with pytest.raises(PictureError, match=reason):
            read_picture(tmp_path / name)
        with pytest.raises(PictureError, match=reason):
            read_squashed(str(tmp_path / name), 16)
    with pytest.raises(PictureError, match="not a regular file"):
        read_picture("/dev/zero")


def test_odd_names_are_read(tmp_path: Path) -> None:
    data = saved(noise(4, 4), "PNG")
    for name in (b"with space.png", b"new\nline.png", b"not\xffutf8.png", b"-leading.png"):
        path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
        path.write_bytes(data)
        assert read_picture(path).encoded == data
        assert read_squashed(str(path), 8).shape == (8, 8, 3)
        assert read_squashed(bytearray(data), 8).shape == (8, 8, 3)
