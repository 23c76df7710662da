"""Pictures found in folders. Covers find and kinds."""

import os
from pathlib import Path

import pytest

from homing.errors import PictureError
from homing.images import find_pictures, read_picture
from homing.images.find import count_passed_over
from tests.helpers.picture_files import noise, saved

PNG = saved(noise(4, 4), "PNG")


def names(*paths: Path) -> list[str]:
    return [found.relative for found in find_pictures(paths)]


def test_a_folder_is_walked_in_the_order_of_bytes(tmp_path: Path) -> None:
    for name in (
        "b/2.png",
        "b/10.JPG",
        "a.tif",
        "B.webp",
        "b/c/é.jpeg",
        "z.gif",
        "c.heic",
        "b.png",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_bytes(PNG)
    wanted = ["B.webp", "a.tif", "b/10.JPG", "b/2.png", "b/c/é.jpeg", "b.png", "c.heic", "z.gif"]
    assert names(tmp_path) == wanted
    assert [found.path for found in find_pictures([tmp_path])] == [tmp_path / n for n in wanted]


def test_what_counts_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a picture")
    (tmp_path / "unnamed").write_bytes(PNG)
    (tmp_path / "photo.dat").write_bytes(saved(noise(4, 4), "JPEG"))
    (tmp_path / "wrong.png").write_text("text")
    (tmp_path / "empty").touch()
    (tmp_path / ".hidden.png").write_bytes(PNG)
    (tmp_path / ".folder").mkdir()
    (tmp_path / ".folder" / "x.png").write_bytes(PNG)
    (tmp_path / "x.jpg").mkdir()
    (tmp_path / "x.jpg" / "inside.png").write_bytes(PNG)
    (tmp_path / "gone.jpg").symlink_to("nowhere")
    (tmp_path / "gone").symlink_to("nowhere")
    (tmp_path / "linked.png").symlink_to("unnamed")
    os.mkfifo(tmp_path / "pipe.png")
    os.mkfifo(tmp_path / "pipe")
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.mkdir()
    (outside / "y.png").write_bytes(PNG)
    (tmp_path / "elsewhere").symlink_to(outside)
    (tmp_path / "elsewhere.png").symlink_to(outside)
    (tmp_path / "loop").symlink_to(tmp_path)
    found = names(tmp_path)
    assert found == [
        "gone.jpg",
        "linked.png",
        "photo.dat",
        "pipe.png",
        "unnamed",
        "wrong.png",
        "x.jpg/inside.png",
    ]
    for name in ("gone.jpg", "pipe.png", "wrong.png"):
        with pytest.raises(PictureError):
            read_picture(tmp_path / name)


def test_what_is_named_always_counts(tmp_path: Path) -> None:
    for name in ("notes.txt", ".hidden", "-dash"):
        (tmp_path / name).write_text("text")
    linked = tmp_path / "linked"
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "x.png").write_bytes(PNG)
    linked.symlink_to("real")
    given = [tmp_path / n for n in ("notes.txt", ".hidden", "missing.jpg", "-dash", "linked")]
    assert names(*given) == ["notes.txt", ".hidden", "missing.jpg", "-dash", "x.png"]
    assert names(tmp_path / "a\0b.png") == ["a\0b.png"]


def test_names_are_always_text(tmp_path: Path) -> None:
    for name in (
        b"with space.png",
        b"new\nline.png",
        b"\xff\xfe.png",
        b"-x.png",
        b"d\xe9/\xc3\xa9.png",
    ):
        path = tmp_path / os.fsdecode(name)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(PNG)
    found = list(find_pictures([tmp_path]))
    assert [each.relative for each in found] == [
        "-x.png",
        "d\\xe9/é.png",
        "new\nline.png",
        "with space.png",
        "\\xff\\xfe.png",
    ]
    for each in found:
        each.relative.encode("utf-8")
        assert read_picture(each.path).kind == "PNG"
    (only,) = find_pictures([Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.png"))])
    assert only.relative == "\\xff\\xfe.png"


def test_a_folder_that_cannot_be_listed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "locked").mkdir()
    (tmp_path / "a.png").write_bytes(PNG)
    scandir = os.scandir

    def refusing(path: Path) -> object:  # the tests may run as root, whom no file mode stops
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    assert names(tmp_path) == ["a.png", "locked"]
    with pytest.raises(PictureError, match="folder"):
        read_picture(tmp_path / "locked")


def test_a_deep_folder_needs_no_recursion(tmp_path: Path) -> None:
    path = tmp_path
    for _ in range(300):
        path = path / "d"
        path.mkdir()
    (path / "x.png").write_bytes(PNG)
    assert names(tmp_path) == ["d/" * 300 + "x.png"]


def test_a_path_longer_than_the_system_allows_is_named(tmp_path: Path) -> None:
    """Such a folder can be made from within, and not reached from without."""
    (tmp_path / "a.png").write_bytes(PNG)
    handles = [os.open(tmp_path, os.O_RDONLY)]
    for _ in range(25):
        os.mkdir("d" * 200, dir_fd=handles[-1])
        handles.append(os.open("d" * 200, os.O_RDONLY, dir_fd=handles[-1]))
    try:
        first, named = names(tmp_path)
        assert first == "a.png"
        assert len(os.fspath(tmp_path / named)) > 4096
        with pytest.raises(PictureError, match="File name too long"):
            read_picture(tmp_path / named)
    finally:  # else pytest cannot remove it
        for handle in reversed(handles[:-1]):
            os.rmdir("d" * 200, dir_fd=handle)
        for handle in handles:
            os.close(handle)


def test_pictures_of_other_kinds_are_counted(tmp_path):
    tiff = saved(noise(4, 4), "TIFF")
    files = {
        "a.psd": b"8BPS\0\1 and so on",
        "b.PSD": b"",  # known by its suffix alone
        "sub/c.dat": b"8BPS\0\2",
        "d.CR3": b"\0\0\0\x18ftypcrx \0\0\0\1",
        "e.tif": b"II*\0\x10\0\0\0CR\2\0" + bytes(20),
        "f.nef": tiff,
        "g.dng": tiff,
        "h": b"FUJIFILMCCD-RAW 0201",
        "i.bin": b"\0\0\0\x20ftypisom",
        "j.txt": b"%PDF-1.7",
        "k.svg": b"<?xml version='1.0'?><svg/>",
        "notes.txt": b"BMW makes cars",
        ".hidden.psd": b"8BPS\0\1",
        ".trash/l.psd": b"8BPS\0\1",
    }
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    counts = {kind.name: n for kind, n in count_passed_over([tmp_path, tmp_path / "a.psd"]).items()}
    assert counts == {
        "a Canon raw file": 1,
        "a DNG raw file": 1,
        "a Fujifilm raw file": 1,
        "a Nikon raw file": 1,
        "a PDF": 1,
        "a Photoshop file": 3,
        "a video": 1,
        "an SVG drawing": 1,
    }
    # One that is given itself, or is called like a picture, is a picture that cannot be read.
    assert [found.relative for found in find_pictures([tmp_path / "a.psd"])] == ["a.psd"]
    assert [found.relative for found in find_pictures([tmp_path])] == ["e.tif"]
    with pytest.raises(PictureError, match=r"a Canon raw file, .*; export it as JPEG"):
        read_picture(tmp_path / "e.tif")


def test_pictures_with_strange_suffixes_are_found_by_their_first_bytes(tmp_path):
    for name, kind in (("a", "AVIF"), ("b.dng", "JPEG"), ("c.x", "GIF"), ("d.data", "JPEG2000")):
        (tmp_path / name).write_bytes(saved(noise(16, 16), kind))
    (tmp_path / "e.jpg_large").write_bytes(b"\0\0\0\x0cJXL \r\n\x87\n")
    assert names(tmp_path) == ["a", "b.dng", "c.x", "d.data", "e.jpg_large"]
    assert count_passed_over([tmp_path]) == {}
