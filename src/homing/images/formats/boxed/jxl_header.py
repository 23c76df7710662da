"""Header of a JPEG XL codestream (ISO 18181-1): size, samples, colours; bit by bit.

Read before anything is decoded; and written anew in front of coded frames, since the coder
(imagecodecs) writes neither orientation nor colours.
"""

from dataclasses import dataclass, field

from homing.errors import PictureError
from homing.images.formats.boxed.boxes import Bits

_MARK = b"\xff\x0a"
_HEADER = 1 << 16  # bytes of a codestream that are looked at
_MOST_CHANNELS = 4  # beyond the colours
_ALPHA, _SPOT, _CFA = 0, 2, 5
_GREY, _XYB_SPACE = 1, 2
_CUSTOM = 2
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))

_Choice = tuple[int, int]  # bits, and what is added to them
_SIZE: tuple[_Choice, ...] = ((9, 1), (13, 1), (18, 1), (30, 1))
_ENUM: tuple[_Choice, ...] = ((0, 0), (0, 1), (4, 2), (6, 18))
_XY: tuple[_Choice, ...] = ((19, 0), (19, 524288), (20, 1048576), (21, 2097152))


@dataclass(frozen=True)
class Colours:
    """Colour encoding; numbers are those of ITU-T H.273, but for custom ones."""

    srgb: bool = True
    profiled: bool = False  # an ICC profile follows, which is coded
    grey: bool = False
    white: int = 1
    primaries: int = 1
    chromaticities: tuple[float, ...] | None = None  # x, y of white, red, green, blue, if custom
    gamma: int | None = None  # exponent in ten-millionths
    transfer: int = 13


@dataclass(frozen=True)
class JxlHeader:
    """The header of a codestream, before its frames."""

    width: int  # as stored: before it is turned
    height: int
    orientation: int = 1
    preview: bool = False
    animated: bool = False
    depth: int = 8
    floats: bool = False
    extra: tuple[int, ...] = ()  # types of the channels beyond the colours; 0 is alpha
    associated: bool = False  # alpha is multiplied in
    xyb: bool = True  # coded with loss, in other colours
    colours: Colours = field(default_factory=Colours)
    end: int = 0  # offset of the first frame, unless there is a profile
    #: First and last bit of what is written anew as it stands.
    spans: tuple[tuple[str, int, int], ...] = ()


def parse_codestream(data: bytes) -> JxlHeader:
    """Read the header of a codestream."""
    if not data.startswith(_MARK):
        raise PictureError("it holds no picture; export it again")
    bits = Bits(data[2:_HEADER], lowest_first=True)
    found: dict[str, object] = {}
    spans: dict[str, tuple[int, int]] = {}

    def spanned(name: str, start: int) -> None:
        spans[name] = (start, bits.at)

    found["width"], found["height"] = _size(bits)
    spanned("size", 0)
    if not bits.flag():
        extended = bits.flag()
        if extended:
            found |= _extended(bits)
        start = bits.at
        found["depth"], found["floats"] = _depth(bits)
        bits.take(1)
        extra = [
            _channel(bits) for _ in range(_checked(_choose(bits, (0, 0), (0, 1), (4, 2), (12, 1))))
        ]
        found["extra"] = tuple(kind for kind, _ in extra)
        found["associated"] = any(multiplied for _, multiplied in extra)
        found["xyb"] = bits.flag()
        spanned("samples", start)
        start = bits.at
        colours = _colours(bits)
        found["colours"] = colours
        spanned("colours", start)
        if extended:
            start = bits.at
            if not bits.flag():
                bits.take(16 + 16 + 1 + 16)
            spanned("tones", start)
        _skip_extensions(bits)
    start = bits.at
    _skip_transform(bits, xyb=bool(found.get("xyb", True)))
    spanned("transform", start)
    found["end"] = 2 + -(-bits.at // 8)
    return JxlHeader(**found, spans=tuple((name, *each) for name, each in spans.items()))  # type: ignore[arg-type]


def _choose(bits: Bits, *choices: _Choice) -> int:
    """Return a number of one of four lengths (U32)."""
    count, added = choices[bits.take(2)]
    return bits.take(count) + added


def _checked(channels: int) -> int:
    if channels > _MOST_CHANNELS:
        raise PictureError(f"it has {channels} channels beyond its colours; save it as PNG or TIFF")
    return channels


def _size(bits: Bits) -> tuple[int, int]:
    small = bits.flag()
    height = 8 * (bits.take(5) + 1) if small else _choose(bits, *_SIZE)
    ratio = bits.take(3)
    if ratio:
        across, down = _RATIOS[ratio - 1]
        return height * across // down, height
    return 8 * (bits.take(5) + 1) if small else _choose(bits, *_SIZE), height


def _extended(bits: Bits) -> dict[str, object]:
    """Read orientation, preview and animation."""
    found: dict[str, object] = {"orientation": 1 + bits.take(3)}
    if bits.flag():  # the size at which it is meant to be seen
        _size(bits)
    found["preview"] = bits.flag()
    if found["preview"]:
        sizes: tuple[_Choice, ...] = ((6, 1), (8, 65), (10, 321), (12, 1345))
        if bits.flag():
            sizes = ((0, 16), (0, 32), (5, 1), (9, 33))
        _choose(bits, *sizes)
        if not bits.take(3):
            _choose(bits, *sizes)
    found["animated"] = bits.flag()
    if found["animated"]:
        _choose(bits, (0, 100), (0, 1000), (10, 1), (30, 1))
        _choose(bits, (0, 1), (0, 1001), (8, 1), (10, 1))
        _choose(bits, (0, 0), (3, 0), (16, 0), (32, 0))
        bits.take(1)
    return found


def _depth(bits: Bits) -> tuple[int, bool]:
    """Return bits a sample, and whether they are real numbers."""
    if not bits.flag():
        return _choose(bits, (0, 8), (0, 10), (0, 12), (6, 1)), False
    depth = _choose(bits, (0, 32), (0, 16), (0, 24), (6, 1))
    bits.take(4)
    return depth, True


def _channel(bits: Bits) -> tuple[int, bool]:
    """Return the type of a further channel, and whether it is multiplied in."""
    if bits.flag():
        return _ALPHA, False
    kind = _choose(bits, *_ENUM)
    _depth(bits)
    _choose(bits, (0, 0), (0, 3), (0, 4), (3, 1))
    bits.take(8 * _choose(bits, (0, 0), (4, 0), (5, 16), (10, 48)))
    if kind == _ALPHA:
        return kind, bits.flag()
    if kind == _SPOT:
        bits.take(4 * 16)
    if kind == _CFA:
        _choose(bits, (0, 1), (2, 0), (4, 3), (8, 19))
    return kind, False


def _colours(bits: Bits) -> Colours:
    if bits.flag():
        return Colours()
    profiled = bits.flag()
    space = _choose(bits, *_ENUM)
    if profiled:
        return Colours(srgb=False, profiled=True, grey=space == _GREY)
    white, primaries, points = 1, 1, []
    if space != _XYB_SPACE:
        white = _choose(bits, *_ENUM)
        points += [_xy(bits)] if white == _CUSTOM else []
        if space != _GREY:
            primaries = _choose(bits, *_ENUM)
            points += [_xy(bits) for _ in range(3)] if primaries == _CUSTOM else []
    gamma, transfer = None, 13
    if space != _XYB_SPACE and bits.flag():
        gamma = bits.take(24)
    elif space != _XYB_SPACE:
        transfer = _choose(bits, *_ENUM)
    _choose(bits, *_ENUM)  # rendering intent
    named = None
    if primaries == _CUSTOM:
        first = [] if white == _CUSTOM else [(0.3127, 0.329)]
        named = tuple(number for point in (*first, *points) for number in point)
    srgb = (white, primaries, gamma, transfer) == (1, 1, None, 13)
    return Colours(srgb, False, space == _GREY, white, primaries, named, gamma, transfer)


def _xy(bits: Bits) -> tuple[float, float]:
    numbers = (_choose(bits, *_XY) for _ in range(2))
    x, y = ((each >> 1 if not each & 1 else -(each + 1 >> 1)) / 1e6 for each in numbers)
    return x, y


def _skip_extensions(bits: Bits) -> None:
    known = _long(bits)
    lengths = [_long(bits) for place in range(64) if known >> place & 1]
    bits.take(sum(lengths))


def _long(bits: Bits) -> int:
    """Return a number of up to 64 bits (U64)."""
    selector = bits.take(2)
    if selector < 3:
        return (0, 1, 17)[selector] + bits.take((0, 4, 8)[selector])
    value, shift = bits.take(12), 12
    while bits.flag():
        if shift == 60:
            return value | bits.take(4) << 60
        value |= bits.take(8) << shift
        shift += 8
    return value


def _skip_transform(bits: Bits, *, xyb: bool) -> None:
    """Skip how colours are taken back, and how small frames are enlarged."""
    if bits.flag():
        return
    if xyb and not bits.flag():
        bits.take(16 * 16)
    own = bits.take(3)
    for place, count in enumerate((15, 55, 210)):
        if own >> place & 1:
            bits.take(16 * count)


def with_header(coded: bytes, source: bytes) -> bytes:
    """Return a coded picture with the orientation and the colours of a source's codestream.

    The samples of both are of the same kind; the source has no profile.
    """
    own, header = parse_codestream(coded), parse_codestream(source)
    written, theirs = _Pieces(coded, own), _Pieces(source, header)
    pieces = [
        *written.piece("size"),
        (0, 1),  # not all as usual
        (1, 1),  # extended
        (header.orientation - 1, 3),
        (0, 3),  # neither another size, nor a preview, nor an animation
        # 8 bits, narrow, without further channels, in XYB: what "all as usual" stood for
        *(written.piece("samples") or [(0, 3), (1, 1), (0, 2), (1, 1)]),
        *(theirs.piece("colours") or [(1, 1)]),
        *(theirs.piece("tones") or [(1, 1)]),
        (0, 2),  # no extensions
        *written.piece("transform"),
    ]
    value = count = 0
    for number, length in pieces:
        value |= number << count
        count += length
    return _MARK + value.to_bytes(-(-count // 8), "little") + coded[own.end :]


class _Pieces:
    """Parts of a header as they stand: a number and its bits."""

    def __init__(self, data: bytes, header: JxlHeader) -> None:
        self._data = data
        self._spans = {name: (start, end) for name, start, end in header.spans}

    def piece(self, name: str) -> list[tuple[int, int]]:
        if name not in self._spans:
            return []
        start, end = self._spans[name]
        bits = Bits(self._data[2:_HEADER], lowest_first=True)
        bits.at = start
        return [(bits.take(end - start), end - start)]
