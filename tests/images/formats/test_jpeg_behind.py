"""What stands behind a JPEG's picture: kept, left out, and found by its index."""

import struct
import time

import numpy as np
import pytest
from PIL import Image

from homing.images.formats.jpeg import parse_jpeg
from homing.images.formats.jpeg_behind import BEHIND_KEPT, PREVIEWS_LEFT_OUT, notes_behind
from homing.images.formats.jpeg_coefficients import read_coefficients, write_coefficients
from homing.images.formats.jpeg_structure import walk
from homing.images.limits import UNLIMITED
from tests.helpers.jpegs import segment
from tests.helpers.picture_files import saved, scene, with_segments

VIDEO = b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 4
GAIN_MAP, DISPARITY, PREVIEW, PRESERVED = 0x050000, 0x020002, 0x010002, 0x040000


def index(order: str, entries: list[tuple[int, int, int]]) -> bytes:
    """Return an MPF segment of types, sizes and offsets."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    at = 8 + 2 + 3 * 12 + 4
    fields = struct.pack(order + "H", 3)
    fields += struct.pack(order + "HHI4s", 0xB000, 7, 4, b"0100")
    fields += struct.pack(order + "HHII", 0xB001, 4, 1, len(entries))
    fields += struct.pack(order + "HHII", 0xB002, 7, 16 * len(entries), at)
    rows = b"".join(
        struct.pack(order + "IIIHH", kind, size, offset, 3 if number == 0 else 0, 0)
        for number, (kind, size, offset) in enumerate(entries)
    )
    return segment(0xE2, b"MPF\0" + mark + struct.pack(order + "I", 8) + fields + bytes(4) + rows)


def several(first: bytes, others: list[tuple[int, bytes]], order: str = "<") -> bytes:
    """Return pictures one behind the other, their index behind the first segment."""
    at = 4 + int.from_bytes(first[4:6], "big")
    length = len(index(order, [(0, 0, 0)] * (len(others) + 1)))
    total, header = len(first) + length, at + 4 + 4
    entries, offset = [(0x030000, total, 0)], total - header
    for kind, data in others:
        entries.append((kind, len(data), offset))
        offset += len(data)
    added = index(order, entries)
    return first[:at] + added + first[at:] + b"".join(data for _, data in others)


def pictures(data: bytes) -> list[tuple[int, bytes]]:
    """Return type and bytes of the pictures that the index names."""
    at = data.index(b"MPF\0") + 4
    order = "<" if data[at : at + 2] == b"II" else ">"
    (count,) = struct.unpack_from(order + "I", data, at + 10 + 12 + 8)
    size, start = struct.unpack_from(order + "II", data, at + 10 + 24 + 4)
    assert size == 16 * count
    found = []
    for number in range(count):
        kind, length, offset, _, _ = struct.unpack_from(
            order + "IIIHH", data, at + start + 16 * number
        )
        place = at + offset if offset else 0
        found.append((kind, data[place : place + length]))
    return found


def released(data: bytes) -> bytes:
    """Return the file with other coefficients, longer than before."""
    changed = read_coefficients(data, parse_jpeg(data, UNLIMITED)).copy()
    changed.flat[:, 5:40] += 3
    return write_coefficients(data, changed)


@pytest.fixture(scope="module")
def first() -> bytes:
    return saved(scene(480, 640), "JPEG", quality=60)


def other(seed: int, height: int = 300, width: int = 400) -> bytes:
    noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return saved(Image.fromarray(noise).resize((width, height)), "JPEG")


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_index_finds_what_moved(first: bytes, order: str) -> None:
    others = [(GAIN_MAP, other(1)), (DISPARITY, first), (0, other(2))]
    written = released(several(first, others, order) + VIDEO)
    assert written.endswith(b"".join(data for _, data in others) + VIDEO)
    found = pictures(written)
    assert found[1:] == others
    assert found[0] == (0x030000, written[: walk(written)[1]])


@pytest.mark.parametrize("kind", [PREVIEW, PRESERVED, 0x010001])
def test_previews_do_not_leave(first: bytes, kind: int) -> None:
    gone = other(5)
    source = several(first, [(GAIN_MAP, other(1)), (kind, gone), (0, other(2))]) + VIDEO
    written = released(source)
    assert gone not in written
    assert pictures(written)[1:] == [(GAIN_MAP, other(1)), (0, other(2))]
    assert written.endswith(other(1) + other(2) + VIDEO)
    # The preview was the picture that depends on the first.
    at = written.index(b"MPF\0") + 4 + 50
    assert struct.unpack_from("<IIIHH", written, at)[3] == 0
    assert notes_behind(source) == (PREVIEWS_LEFT_OUT, BEHIND_KEPT)


def test_a_gain_map_stays_though_it_resembles_the_picture(first: bytes) -> None:
    grey = saved(Image.fromarray(scene(480, 640)).convert("L"), "JPEG")
    head = b"http://ns.adobe.com/xap/1.0/\0"
    gain = with_segments(grey, [(0xE1, head + b'<x hdrgm:Version="1.0" hdrgm:GainMapMax="2"/>')])
    copy = with_segments(grey, [(0xE1, head + b'<x hdrgm:Version="1.0"/>')])
    assert released(first + gain).endswith(gain)
    assert grey[-400:] not in released(first + copy)


def test_lengths_in_xmp_follow_what_is_gone(first: bytes) -> None:
    gone = saved(Image.fromarray(scene(480, 640)).resize((400, 300)), "JPEG")
    item = b'<Container:Item Item:Semantic="x" Item:Length="%d"/>'
    packet = item % len(gone) + item % len(other(1)) + item % len(VIDEO)
    source = with_segments(first, [(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet)])
    written = released(source + gone + other(1) + VIDEO)
    assert written.endswith(other(1) + VIDEO)
    assert gone not in written
    zeros = b"0" * len(str(len(gone)))
    mended = packet.replace(b'"%d"' % len(gone), b'"%s"' % zeros)
    assert mended in written
    assert packet in released(source + other(1) + VIDEO)


@pytest.mark.parametrize("indexed", [False, True])
def test_the_same_picture_does_not_leave_whatever_it_is_called(first: bytes, indexed: bool) -> None:
    image = Image.fromarray(scene(480, 640))
    for side, stays in ((640, False), (330, False), (160, True)):
        copy = saved(image.resize((side, side * 3 // 4)), "JPEG", quality=90)
        source = several(first, [(0, copy)]) if indexed else first + copy + VIDEO
        written = released(source)
        assert (copy in written) is stays
        assert notes_behind(source)[0] == (BEHIND_KEPT if stays else PREVIEWS_LEFT_OUT)


def test_a_damaged_index_stays_as_it_is(first: bytes) -> None:
    for payload in (b"MPF\0II*\0", b"MPF\0II*\0\xff\xff\xff\x7f" + bytes(30), b"MPF\0what"):
        source = with_segments(first, [(0xE2, payload)]) + VIDEO
        written = released(source)
        assert segment(0xE2, payload) in written
        assert written.endswith(VIDEO)


def test_nothing_behind_no_note(first: bytes) -> None:
    assert notes_behind(first) == ()
    assert notes_behind(first + bytes(300)) == ()
    assert released(first + bytes(300)).endswith(b"\xff\xd9" + bytes(300))
    assert notes_behind(first + VIDEO) == (BEHIND_KEPT,)


def test_a_hostile_tail_takes_no_time(first: bytes) -> None:
    for tail in (b"\xff\xd8\xff" * 300_000, b"\xff\xd8\xff\xe0\0\x03" * 100_000, bytes(10**7)):
        began = time.perf_counter()
        notes_behind(first + tail)
        assert time.perf_counter() - began < 2
