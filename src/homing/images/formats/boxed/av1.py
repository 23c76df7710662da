"""The claims of an AV1 picture about itself, before it is decoded (AV1 bitstream, 5.3 to 5.5)."""

from collections.abc import Iterator
from dataclasses import dataclass

from homing.errors import PictureError
from homing.images.formats.boxed.boxes import Bits

_SEQUENCE, _FRAME_HEADER, _FRAME = 1, 3, 6
_MOST_FRAMES = 8  # layers of one still picture
_MOST_UNITS = 65536
_HEADER = 128  # bytes of a sequence header that are looked at
_LEAST_TIER = 7


@dataclass(frozen=True)
class Av1:
    """Sequence header of a coded picture."""

    width: int  # that no frame exceeds
    height: int
    depth: int  # bits a sample: 8, 10 or 12
    grey: bool
    colours: tuple[int, int, int]  # primaries, transfer and matrix (ITU-T H.273); 2: not told


def parse_av1(data: bytes) -> Av1:
    """Read the sequence header; refuse pictures of many frames or several sequences."""
    found: Av1 | None = None
    frames = 0
    for kind, content in _units(data):
        frames += kind in (_FRAME, _FRAME_HEADER)
        if frames > _MOST_FRAMES:
            raise PictureError(f"it has more than {_MOST_FRAMES} frames; save one as PNG")
        if kind == _SEQUENCE:
            header = _sequence(Bits(content[:_HEADER], lowest_first=False))
            if found is not None and header != found:
                raise PictureError("it contradicts itself about its size; export it again")
            found = header
    if found is None or not frames:
        raise PictureError("it holds no picture; export it again")
    return found


def _units(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield type and content of the bitstream's units (OBUs)."""
    at = 0
    for _ in range(_MOST_UNITS):
        if at >= len(data):
            return
        head = data[at]
        at += 2 if head & 4 else 1
        size = len(data) - at
        if head & 2:
            size = 0
            for shift in range(0, 56, 7):
                if at >= len(data):
                    break
                size |= (data[at] & 127) << shift
                at += 1
                if not data[at - 1] & 128:
                    break
        if at + size > len(data) or size < 0:
            raise PictureError("it is truncated or damaged; export or download it again")
        yield head >> 3 & 15, data[at : at + size]
        at += size
    raise PictureError("it is cut into too many parts; export it again")


def _sequence(bits: Bits) -> Av1:
    profile = bits.take(3)
    bits.take(1)
    reduced = bits.flag()
    if reduced:
        bits.take(5)
    else:
        _skip_operating_points(bits)
    across, down = bits.take(4) + 1, bits.take(4) + 1
    width, height = bits.take(across) + 1, bits.take(down) + 1
    if not reduced and bits.flag():
        bits.take(7)
    bits.take(3)
    if not reduced:
        _skip_tools(bits)
    bits.take(3)
    return Av1(width, height, *_colours(bits, profile))


def _skip_operating_points(bits: Bits) -> None:
    model, delay = False, 0
    if bits.flag():  # timing
        bits.take(64)
        if bits.flag():
            zeros = 0
            while not bits.flag():
                zeros += 1
            bits.take(min(zeros, 32))
        model = bits.flag()
        if model:
            delay = bits.take(5) + 1
            bits.take(42)
    display = bits.flag()
    for _ in range(bits.take(5) + 1):
        bits.take(12)
        if bits.take(5) > _LEAST_TIER:
            bits.take(1)
        if model and bits.flag():
            bits.take(2 * delay + 1)
        if display and bits.flag():
            bits.take(4)


def _skip_tools(bits: Bits) -> None:
    bits.take(4)
    ordered = bits.flag()
    if ordered:
        bits.take(2)
    screen = True if bits.flag() else bits.flag()
    if screen and not bits.flag():
        bits.take(1)
    if ordered:
        bits.take(3)


def _colours(bits: Bits, profile: int) -> tuple[int, bool, tuple[int, int, int]]:
    depth = 8
    if bits.flag():
        depth = 12 if profile == 2 and bits.flag() else 10
    grey = profile != 1 and bits.flag()
    told = (bits.take(8), bits.take(8), bits.take(8)) if bits.flag() else (2, 2, 2)
    return depth, grey, told
