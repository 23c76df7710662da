"""Coefficients of JPEGs read and written back.

Covers jpeg_structure, jpeg_scan_reader and jpeg_scan_writer.
"""

import io
import subprocess
import sys
import threading
import tracemalloc

import cv2
import imagecodecs
import numpy as np
import pytest
from PIL import Image

from homing.errors import PictureError
from homing.images.formats.jpeg import decode_jpeg, parse_jpeg
from homing.images.formats.jpeg_coefficients import (
    Coefficients,
    read_coefficients,
    write_coefficients,
)
from homing.images.formats.jpeg_structure import walk
from homing.images.limits import UNLIMITED
from tests.helpers.jpegs import PROGRESSIVE, filled, frame, segment
from tests.helpers.picture_files import noise, rich_jpeg, saved, scene, with_segments

SAMPLINGS = {
    "4:4:4": ((1, 1), (1, 1), (1, 1)),
    "4:2:2": ((2, 1), (1, 1), (1, 1)),
    "4:2:0": ((2, 2), (1, 1), (1, 1)),
    "4:4:0": ((1, 2), (1, 1), (1, 1)),
    "4:1:1": ((4, 1), (1, 1), (1, 1)),
    "4:1:0": ((4, 2), (1, 1), (1, 1)),
    "chroma apart": ((2, 2), (2, 1), (1, 2)),
    "luminance halved": ((1, 1), (2, 2), (2, 2)),
}


def read(data: bytes) -> Coefficients:
    return read_coefficients(data, parse_jpeg(data, UNLIMITED))


def decoded(data: bytes) -> np.ndarray:
    return decode_jpeg(data, parse_jpeg(data, UNLIMITED))


def pieces(data: bytes) -> list[tuple[int, bytes]]:
    """Return all segments but Huffman tables, coded data left out."""
    parts, end = walk(data)
    kept = [(each.marker, data[each.start : each.end]) for each in parts if each.marker != 0xC4]
    return [*kept, (0, data[end:])]


def readable(data: bytes) -> None:
    """Assert that three decoders read a JPEG whole."""
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        size = image.size
    assert imagecodecs.jpeg8_decode(data).shape[:2] == size[::-1]
    assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) is not None


@pytest.mark.parametrize("size", [(57, 41), (64, 64), (1, 1), (130, 9)])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_every_sampling(sampling: str, progressive: bool, size: tuple[int, int]) -> None:
    for interval in (0, 1, 3):
        scans = PROGRESSIVE if progressive else None
        empty = frame(size, SAMPLINGS[sampling], scans=scans, interval=interval)
        data, given = filled(empty, "ycc")
        readable(data)
        found = read(data)
        assert (found.width, found.height, found.colour) == (*size, "ycc")
        _check_same(given, found, shown_only=progressive)
        assert write_coefficients(data, found) == data
        assert pieces(data) == pieces(empty)


def _check_same(given: Coefficients, found: Coefficients, *, shown_only: bool) -> None:
    """Compare coefficients; a scan of one component leaves out the blocks that fill up MCUs."""
    most = [max(getattr(c, side) for c in given.components) for side in ("vertical", "horizontal")]
    for one, other in zip(given.components, found.components, strict=True):
        assert one.identifier == other.identifier
        rows, columns = one.blocks.shape[:2]
        if shown_only:
            rows = -(-(-(-given.height * one.vertical // most[0])) // 8)  # noqa: B002
            columns = -(-(-(-given.width * one.horizontal // most[1])) // 8)  # noqa: B002
        assert np.array_equal(one.blocks[:rows, :columns], other.blocks[:rows, :columns])


@pytest.mark.parametrize(
    ("colour", "adobe", "count"),
    [("grey", None, 1), ("rgb", 0, 3), ("ycc", 1, 3), ("cmyk", 0, 4), ("ycck", 2, 4)],
)
def test_every_colour(colour: str, adobe: int | None, count: int) -> None:
    samplings = ((2, 2), (1, 1), (1, 1), (2, 2))[:count] if colour == "ycck" else ((1, 1),) * count
    data, given = filled(frame((50, 39), samplings, adobe=adobe, interval=2), colour)
    readable(data)
    found = read(data)
    assert found.colour == colour
    assert np.array_equal(given.flat, found.flat)
    modes = {"grey": "L", "rgb": "RGB", "ycc": "RGB", "cmyk": "CMYK", "ycck": "CMYK"}
    assert Image.open(io.BytesIO(data)).mode == modes[colour]


def test_names_tell_rgb() -> None:
    data, _ = filled(frame((20, 20), ((1, 1),) * 3, names=b"RGB"), "rgb")
    assert read(data).colour == "rgb"
    assert [each.identifier for each in read(data).components] == list(b"RGB")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"quality": 30, "subsampling": 0},
        {"progressive": True, "quality": 95},
        {"restart_marker_blocks": 3},
        {"progressive": True, "restart_marker_rows": 1},
        {"keep_rgb": True},
        {"optimize": True, "quality": 100},
    ],
)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_files_of_libjpeg_come_out_as_they_went_in(mode: str, options: dict[str, object]) -> None:
    for pixels in (scene(41, 57), noise(41, 57)):
        data = saved(Image.fromarray(pixels).convert(mode), "JPEG", **options)
        written = write_coefficients(data, read(data))
        readable(written)
        assert np.array_equal(decoded(data), decoded(written))
        assert pieces(data) == pieces(written)
        if options.get("progressive") or options.get("optimize"):
            assert len(data) - 16 < len(written) < len(data) + 3  # its code is the best there is
        else:
            assert len(written) < len(data)


def test_everything_else_is_kept_byte_for_byte() -> None:
    added = [
        (0xE3, b"Thermal" + bytes(range(256))),
        (0xEC, b"Ducky\0"),
        (0xE2, b"FPXR\0\1" + b"\xff\xd8\xff\xd9" * 9),
        (0xE1, b"http://ns.adobe.com/xmp/extension/\0" + b"x" * 65000),
        (0xEF, b""),
        (0xEB, b"JP\0\7\0\0\0\1\0\0\0\x20jumb\0\0\0\x18jumd" + b"json" + b"\0" * 12),
    ]
    source = with_segments(rich_jpeg(), added) + b"behind\xff\xd8 it" + bytes(99)
    written = write_coefficients(source, read(source).copy())
    assert pieces(source) == pieces(written)
    assert len(pieces(source)) > 14


def test_fill_bytes_are_kept() -> None:
    data = saved(scene(16, 16), "JPEG")
    filled_up = data[:2] + b"\xff\xff" + data[2:]
    assert pieces(write_coefficients(filled_up, read(filled_up))) == pieces(filled_up)


def test_a_manifest_store_is_left_out() -> None:
    head = b"JP\0\1\0\0\0\1\0\0\0\x30jumb\0\0\0\x28jumdc2pa"
    more = b"JP\0\1\0\0\0\2\0\0\0\x30jumb and on"
    data = with_segments(saved(scene(16, 16), "JPEG"), [(0xEB, head), (0xEB, more)])
    written = write_coefficients(data, read(data))
    assert 0xEB not in [marker for marker, _ in pieces(written)]
    assert len(pieces(written)) == len(pieces(data)) - 2


def test_changed_coefficients_are_those_written() -> None:
    generator = np.random.default_rng(3)
    for options in ({}, {"progressive": True}, {"restart_marker_blocks": 2}):
        data = saved(scene(60, 90), "JPEG", **options)
        changed = read(data).copy()
        changed.flat[:, :6] += generator.integers(-30, 30, (len(changed.flat), 6)).astype(np.int16)
        changed.flat[:, 63] = generator.integers(-1023, 1024, len(changed.flat))
        written = write_coefficients(data, changed)
        readable(written)
        _check_same(changed, read(written), shown_only=True)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (frame((16, 16), ((1, 1),) * 3, marker=0xC9), "arithmetic"),
        (frame((16, 16), ((3, 1), (2, 1), (5, 1))), "sampling"),
        (frame((16, 16), ((1, 1),) * 3, scans=PROGRESSIVE[:-1]), "lacks scans"),
        (frame((16, 16), ((1, 1),) * 3, scans=PROGRESSIVE[1:]), "build on each other"),
        (frame((16, 16), ((1, 1),) * 3, names=b"\1\1\2"), "one name"),
        (frame((16, 16), ((4, 4), (1, 1), (1, 1))), "interleaves"),
        (frame((16, 16), ((1, 1),) * 3, scans=PROGRESSIVE * 30), "scans"),
    ],
)
def test_rare_structures_are_refused_by_their_reason(data: bytes, reason: str) -> None:
    with pytest.raises(PictureError, match=reason):
        read(data)


def test_damage_is_found() -> None:
    data = saved(scene(40, 40), "JPEG", restart_marker_blocks=2)
    parts, _ = walk(data)
    scan = parts[-1]
    restart = data.find(b"\xff\xd1", scan.end)
    for damaged in (
        data[: restart + 1] + b"\xd3" + data[restart + 2 :],
        data[:restart] + data[restart + 2 :],
        data[: scan.end + 8] + data[scan.after :],
    ):
        with pytest.raises(PictureError):
            read(damaged)


def test_several_threads_at_once() -> None:
    files = [saved(scene(90 + n, 120), "JPEG", progressive=n % 2 == 0) for n in range(8)]
    expected = [write_coefficients(data, read(data)) for data in files]
    found: dict[int, bytes] = {}

    def work(number: int) -> None:
        for _ in range(5):
            found[number] = write_coefficients(files[number], read(files[number]))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(files))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[number] for number in range(len(files))] == expected


def test_memory_is_that_of_the_coefficients() -> None:
    data = saved(scene(700, 900), "JPEG")
    read(data)
    tracemalloc.start()
    found = read(data)
    _, peak = tracemalloc.get_traced_memory()
    assert peak < 3 * found.flat.nbytes + (4 << 20)
    tracemalloc.reset_peak()
    write_coefficients(data, found)
    assert tracemalloc.get_traced_memory()[1] < 3 * found.flat.nbytes + (4 << 20)
    tracemalloc.stop()


_FUZZ = """
import random, sys
from homing.errors import PictureError
from homing.images.formats.jpeg import parse_jpeg
from homing.images.formats.jpeg_coefficients import read_coefficients, write_coefficients
from homing.images.limits import UNLIMITED
random.seed(int(sys.argv[1]))
sound = refused = 0
for name in sys.argv[2:]:
    data = open(name, "rb").read()
    for _ in range(250):
        damaged = bytearray(data)
        kind = random.randrange(4)
        if kind == 0:
            del damaged[random.randrange(2, len(damaged)):]
        elif kind == 1:
            for _ in range(random.randrange(1, 12)):
                damaged[random.randrange(len(damaged))] = random.randrange(256)
        elif kind == 2:
            for _ in range(random.randrange(1, 5)):
                damaged[random.randrange(2, min(800, len(damaged)))] = random.randrange(256)
        else:
            at = random.randrange(len(damaged))
            del damaged[at:at + random.randrange(1, 40)]
        damaged = bytes(damaged)
        try:
            header = parse_jpeg(damaged, UNLIMITED)
            if header.width * header.height > 4_000_000:
                continue
            found = read_coefficients(damaged, header)
        except PictureError:
            refused += 1
            continue
        written = write_coefficients(damaged, found)
        again = read_coefficients(written, parse_jpeg(written, UNLIMITED))
        assert (again.flat == found.flat).all()
        sound += 1
assert sound > 50 and refused > 50, (sound, refused)
"""


def test_no_damage_ends_the_process(tmp_path) -> None:
    sources = [
        saved(scene(70, 90), "JPEG"),
        saved(scene(70, 90), "JPEG", progressive=True),
        saved(scene(70, 90), "JPEG", restart_marker_blocks=2),
        saved(Image.fromarray(noise(40, 40)).convert("CMYK"), "JPEG"),
    ]
    paths = []
    for number, data in enumerate(sources):
        paths.append(tmp_path / f"{number}.jpg")
        paths[-1].write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-c", _FUZZ, "5", *map(str, paths)],
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_a_scan_without_a_code_is_refused() -> None:
    data = frame((16, 16), ((1, 1),))
    with pytest.raises(PictureError, match="damaged"):
        read(data)
    no_table = data[:-2] + segment(0xFE, b"said") + b"\xff\xd9"
    with pytest.raises(PictureError, match="damaged"):
        read(no_table)
