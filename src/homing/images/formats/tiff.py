"""TIFF: its first directory, and new pixels beneath the old tags."""

import re
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from homing.errors import PictureError
from homing.images.formats.tiff_tags import (
    BYTE_ORDERS,
    ORIENTATION,
    Directory,
    Entry,
    Order,
    read_directory,
    write_directory,
)
from homing.images.limits import check_pixels, decoder_errors_as
from homing.images.pixels import Pixels
from homing.images.told import Told
from homing.options import Limits

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE = 0, 1, 2, 3
UNSPECIFIED, ASSOCIATED, STRAIGHT = 0, 1, 2
LARGEST_SAMPLE, SUB_PICTURES, XMP, ICC = 281, 330, 700, 34675
MANIFEST_STORE = 52545  # C2PA; it vouches for the pixels of its own file alone

COMPRESSIONS = MappingProxyType(
    {1: "none", 5: "lzw", 8: "deflate", 32946: "deflate", 32773: "packbits"}
)
STRUCTURAL = frozenset(
    {255, *range(256, 260), 262, 263, 264, 265, 266, 273, *range(277, 282), 284, 288, 289}
    | {290, 291, 292, 293, 317, *range(320, 329), SUB_PICTURES, 332, 333, 334, 336, 338, 339, 340}
    | {341, 343, 344, 345, 347, *range(512, 522), *range(529, 533), MANIFEST_STORE}
)
"""Tags about these very pixels or their storage; a written file has its own."""

_COLOURS = MappingProxyType(
    {4: "a mask", 5: "CMYK", 6: "YCbCr", 8: "CIELAB", 9: "ICCLAB", 10: "ITULAB", 32803: "raw"}
)
_BIG_TIFF = 43
_BIG_REFUSAL = "cannot be written back: a BigTIFF; save it as an ordinary TIFF"
_SORT, _DNG, _COLOUR_FILTERS = 254, 50706, 32803
_STRIP_BYTES = 1 << 18
_DESCRIPTION = 1 << 16  # bytes of it that are looked at


@dataclass(frozen=True)
class TiffHeader:
    """First directory of a TIFF."""

    directory: Directory
    width: int
    height: int
    samples: int  # a pixel
    depth: int  # bits a sample
    photometric: int  # 0 and 1 grey, 2 RGB, 3 palette; others are refused
    extra: int  # sample beyond the colours: 0 unspecified, 1 premultiplied alpha, 2 alpha
    refusal: str  # why the picture cannot be read strictly; empty if it can
    sort: str = "u"  # of its samples: unsigned, "i" signed, "f" real numbers; "" others

    @property
    def measured(self) -> bool:
        """Whether samples are numbers that only :func:`decode_measured` reads.

        Real ones, signed ones, and those of 32 bits; grey or RGB.
        """
        sorts = {16: "if", 32: "uif", 64: "f"}
        directory = self.directory
        colours = {RGB: 3}.get(self.photometric, 1)
        return (
            bool(self.sort)
            and self.sort in sorts.get(self.depth, "")
            and self.photometric in (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB)
            and self.samples in (colours, colours + 1)
            and directory.number(259, 1) in COMPRESSIONS
            and directory.number(317, 1) in ((1, 2), (1, 3))[self.sort == "f"]
            and len(set(directory.numbers(258) or (1,))) == 1
        )

    @property
    def told(self) -> Told:
        """Statements of the file on its samples."""
        entries = self.directory.entries
        bits, bits_by = self._bits()
        return Told(
            orientation=next(iter(self.directory.numbers(ORIENTATION)), None),
            xmp=entries[XMP].data if XMP in entries else None,
            icc=entries[ICC].data if ICC in entries else None,
            bits=bits,
            bits_by=bits_by,
        )

    def _bits(self) -> tuple[int | None, str]:
        if self.depth not in (8, 16):
            return self.depth, "BitsPerSample"
        largest = max(self.directory.numbers(LARGEST_SAMPLE), default=0)
        return (largest.bit_length(), "MaxSampleValue") if largest else (None, "")

    @property
    def manifest_store(self) -> bytes | None:
        """The C2PA manifest store."""
        entry = self.directory.entries.get(MANIFEST_STORE)
        return entry.data if entry else None

    @property
    def notes(self) -> tuple[str, ...]:
        """Properties that a written file loses, for people to read."""
        notes = []
        if self.photometric == PALETTE:
            notes.append("palette expanded to RGB")
        if self.photometric == WHITE_IS_ZERO:
            notes.append("inverted grey written as ordinary grey")
        return tuple(notes)


def parse_tiff(data: bytes, limits: Limits, *, first_page: bool = False) -> TiffHeader:
    """Read the first directory and check the size.

    With `first_page`, further pages and pictures inside are no reason for refusal.
    """
    order: Order = "<" if data[:2] == b"II" else ">"
    big = int.from_bytes(data[2:4], BYTE_ORDERS[order]) == _BIG_TIFF
    start = slice(8, 16) if big else slice(4, 8)
    if len(data) < start.stop:
        raise PictureError("the TIFF is truncated; export or download it again")
    at = int.from_bytes(data[start], BYTE_ORDERS[order])
    directory = read_directory(data, at, order, big=big)
    _refuse_raw(directory)
    width, height = directory.number(256, 0), directory.number(257, 0)
    check_pixels(width, height, limits)
    samples = directory.number(277, 1)
    bits = directory.numbers(258) or (1,)
    photometric = directory.number(262, BLACK_IS_ZERO)
    several = "" if first_page else _BIG_REFUSAL if big else _several(data, directory)
    return TiffHeader(
        directory,
        width,
        height,
        samples,
        bits[0],
        photometric,
        directory.number(338, UNSPECIFIED),
        several or _refusal(directory, samples, bits, photometric),
        {1: "u", 2: "i", 3: "f"}.get(directory.number(339, 1), ""),
    )


def _refuse_raw(directory: Directory) -> None:
    """Refuse raw files of cameras, of which these tags show a preview, or samples not developed."""
    preview = directory.number(_SORT, 0) & 1 and SUB_PICTURES in directory.entries
    if preview or _DNG in directory.entries or directory.number(262, 0) == _COLOUR_FILTERS:
        raise PictureError("a raw file of a camera; export it as JPEG or TIFF first")


def unnamed_bytes(data: bytes, directory: Directory) -> int:
    """Return how many bytes of a file no tag of its directories names."""

    def named(part: Directory) -> int:
        own = sum(len(entry.data) for entry in part.entries.values() if len(entry.data) > 4)
        rows = 6 + 12 * (len(part.entries) + len(part.beneath))
        return own + rows + sum(named(each) for each in part.beneath.values())

    pixels = sum(sum(directory.numbers(tag)) for tag in (279, 325, 514))
    return max(0, len(data) - 8 - named(directory) - pixels)


def _pages_without_directory(data: bytes, directory: Directory) -> bool:
    """Return whether pages follow the first one that only the description tells of.

    ImageJ and tifffile write stacks so.
    """
    entry = directory.entries.get(270)
    page = sum(directory.numbers(279))
    if entry is None or not page or unnamed_bytes(data, directory) < page:
        return False
    text = entry.data[:_DESCRIPTION]
    imagej = re.search(rb"^images=(\d+)", text, re.MULTILINE) if b"ImageJ=" in text else None
    return b'"shape":' in text or (imagej is not None and int(imagej[1]) > 1)


def _several(data: bytes, directory: Directory) -> str:
    """Return why a TIFF of several pictures is refused; "" if it has one."""
    if directory.following:
        try:
            further = read_directory(data, directory.following, directory.order, depth=0)
        except PictureError:
            further = None
        if further is None or 256 not in further.entries:
            return (
                "cannot be written back: a TIFF whose next page is not where it should be; it is "
                "cut short or badly written, save its first page anew"
            )
    if directory.following or _pages_without_directory(data, directory):
        return "cannot be written back: a TIFF of several pages; save one page as TIFF"
    if SUB_PICTURES in directory.entries:
        return (
            "cannot be written back: a TIFF with further pictures inside (thumbnails, a pyramid "
            "or raw data); save it flat"
        )
    return ""


def _refusal(directory: Directory, samples: int, bits: tuple[int, ...], photometric: int) -> str:
    """Return why a TIFF cannot be read strictly, with what to do; "" if it can."""
    colours = {RGB: 3}.get(photometric, 1)
    compression = directory.number(259, 1)
    checks = (
        (
            photometric not in (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE),
            f"a TIFF of {_COLOURS.get(photometric, f'colour space {photometric}')}; "
            "convert it to RGB first",
        ),
        (
            set(directory.numbers(339)) - {1, 4} != set(),
            "a TIFF of signed or real-valued samples; convert it to 8 or 16 bits first",
        ),
        (
            len(set(bits)) != 1
            or bits[0] not in (8, 16)
            or (bits[0], photometric) == (16, PALETTE),
            f"a TIFF of {bits[0]} bits a sample; convert it to 8 or 16 bits first",
        ),
        (
            samples not in (colours, colours + 1),
            f"a TIFF of {samples} samples a pixel; save it as grey or RGB, with at most one alpha",
        ),
        (
            compression not in COMPRESSIONS or directory.number(317, 1) not in (1, 2),
            f"a TIFF of compression {compression}, predictor {directory.number(317, 1)}; save it "
            "uncompressed, or with LZW or Deflate",
        ),
        (directory.number(266, 1) != 1, "a TIFF with reversed bits; save it again"),
    )
    return next((f"cannot be written back: {reason}" for failed, reason in checks if failed), "")


def _deflate(strip: Pixels, order: Order) -> bytes:
    """Return a strip of rows as differences along each row, deflated."""
    import imagecodecs

    differences = strip.copy()
    differences[:, 1:] -= strip[:, :-1]
    coded = differences.astype(differences.dtype.newbyteorder(order), copy=False)
    return bytes(imagecodecs.deflate_encode(coded.tobytes(), level=6))


def encode_tiff(
    pixels: Pixels, source: Directory, *, extra: int = STRAIGHT, bits: tuple[int, ...] = ()
) -> bytes:
    """Write (h, w, 1..4) pixels as a TIFF of one page, deflated with horizontal differences.

    Byte order and all but the structural tags come from `source`; `extra` is as in
    :class:`TiffHeader`; `bits` of each channel are told if they are fewer than are stored. Not
    written by Pillow, which holds no RGB of 16 bits and drops tags it does not know.
    """
    height, width, samples = pixels.shape
    rows = max(1, _STRIP_BYTES // (width * samples * pixels.itemsize))
    with decoder_errors_as("the TIFF cannot be written"):
        strips = [
            _deflate(pixels[top : top + rows], source.order) for top in range(0, height, rows)
        ]
    note = source.maker_note
    pieces, offsets, at = _placed(strips, note if note is not None and note.at >= 8 else None)
    if at > 2**32 - 2**24:
        raise PictureError("the TIFF would pass 4 GiB; save the picture in parts")
    structure = _structure(pixels, source.order, extra, rows)
    structure[273] = _long(source.order, *offsets)
    if bits:
        structure[LARGEST_SAMPLE] = _short(source.order, *((1 << each) - 1 for each in bits))
    structure[279] = _long(source.order, *(len(strip) for strip in strips))
    carried = {tag: entry for tag, entry in source.entries.items() if tag not in STRUCTURAL}
    directory = Directory(source.order, {**carried, **structure}, source.beneath)
    mark = b"II*\0" if source.order == "<" else b"MM\0*"
    head = mark + at.to_bytes(4, BYTE_ORDERS[source.order])
    stands = note is not None and note.at >= 8
    return b"".join((head, *pieces, write_directory(directory, at, note_stands=stands)))


def _placed(strips: list[bytes], note: Entry | None) -> tuple[list[bytes], list[int], int]:
    """Lay strips out from byte 8 on, around a maker note that stays where it stood.

    Its own offsets often count from the file's beginning. Returns the pieces of the file, the
    strips' offsets, and the even offset behind all.
    """
    pieces: list[bytes] = []
    offsets, at = [], 8
    for strip in strips:
        if note is not None and at + len(strip) > note.at:
            pieces += [bytes(note.at - at), note.data]
            at, note = note.at + len(note.data), None
        pieces.append(strip)
        offsets.append(at)
        at += len(strip)
    if note is not None:
        pieces += [bytes(note.at - at), note.data]
        at = note.at + len(note.data)
    pieces.append(b"\0" * (at % 2))
    return pieces, offsets, at + at % 2


def _short(order: Order, *values: int) -> Entry:
    return Entry(3, len(values), np.array(values, f"{order}u2").tobytes())


def _long(order: Order, *values: int) -> Entry:
    return Entry(4, len(values), np.array(values, f"{order}u4").tobytes())


def _structure(pixels: Pixels, order: Order, extra: int, rows: int) -> dict[int, Entry]:
    """Return the tags that describe how the pixels are stored, the strips' places left out."""
    height, width, samples = pixels.shape
    entries = {
        256: _long(order, width),
        257: _long(order, height),
        258: _short(order, *[pixels.itemsize * 8] * samples),
        259: _short(order, 8),
        262: _short(order, RGB if samples > 2 else BLACK_IS_ZERO),
        277: _short(order, samples),
        278: _long(order, min(rows, height)),
        284: _short(order, 1),
        317: _short(order, 2),
        339: _short(order, *[1] * samples),
    }
    if samples % 2 == 0:
        entries[338] = _short(order, extra)
    return entries
