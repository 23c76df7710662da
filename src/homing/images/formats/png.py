"""PNG: its chunks, its pixels (8 and 16 bits), and new pixels among the old chunks."""

import itertools
import zlib
from collections.abc import Iterator, Set
from dataclasses import dataclass

import numpy as np

from homing.errors import PictureError
from homing.images.formats.tiff_tags import EXIF_MARK
from homing.images.limits import check_parts, check_pixels, decoder_errors_as
from homing.images.pixels import Pixels
from homing.images.told import Told
from homing.options import Limits

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CARRIED = frozenset(
    b"iCCP sRGB gAMA cHRM cICP mDCV cLLI pHYs eXIf tEXt iTXt zTXt tIME sPLT oFFs pCAL sCAL".split()
    + b"sTER gIFg gIFx".split()
)
"""Public ancillary chunks that stay true when pixels change."""

OF_LAYOUT = frozenset(b"sBIT bKGD".split())
"""Chunks that stay true if depth and colours are stored as before."""

XMP = b"XML:com.adobe.xmp\0"
"""Keyword of the text that is an XMP packet."""

_MOST_TEXT = 8 << 20  # bytes, inflated
_CODED = frozenset(b"IHDR PLTE tRNS IDAT IEND".split())

GREY, COLOUR, PALETTE, GREY_ALPHA, COLOUR_ALPHA = 0, 2, 3, 4, 6
_DEPTHS = {
    GREY: (1, 2, 4, 8, 16),
    COLOUR: (8, 16),
    PALETTE: (1, 2, 4, 8),
    GREY_ALPHA: (8, 16),
    COLOUR_ALPHA: (8, 16),
}
_CHANNELS = {GREY: 1, COLOUR: 3, PALETTE: 1, GREY_ALPHA: 2, COLOUR_ALPHA: 4}

# Adam7: column and row of each pass's first pixel, and the steps to the next ones.
_PASSES = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)


@dataclass(frozen=True)
class PngHeader:
    """Contents of a PNG's chunks."""

    width: int
    height: int
    depth: int  # bits a sample as stored: 1, 2, 4, 8 or 16
    colour: int  # PNG colour type
    interlaced: bool  # Adam7
    animated: bool  # has an acTL chunk
    keyed: bool  # has a tRNS chunk
    # Type and content of the ancillary chunks in front of and behind the pixels.
    before: tuple[tuple[bytes, bytes], ...]
    after: tuple[tuple[bytes, bytes], ...]
    coded: tuple[tuple[int, int], ...]  # start and end of IHDR, PLTE, tRNS, IDAT and IEND

    @property
    def ancillary(self) -> dict[bytes, bytes]:
        """Content of the ancillary chunks by type; of several the last."""
        return dict(self.before + self.after)

    @property
    def told(self) -> Told:
        """Statements of the file on its samples."""
        told = self.ancillary
        exif, gamma, bits = told.get(b"eXIf"), told.get(b"gAMA", b""), told.get(b"sBIT", b"")
        colours = told.get(b"cHRM", b"")
        return Told(
            exif=exif.removeprefix(EXIF_MARK) if exif else None,
            xmp=self.xmp,
            icc=inflate(told[b"iCCP"].partition(b"\0")[2][1:]) if b"iCCP" in told else None,
            cicp=told.get(b"cICP"),
            srgb=b"sRGB" in told,
            gamma=int.from_bytes(gamma, "big") if len(gamma) == 4 else None,
            chromaticities=tuple(int(n) / 100000 for n in np.frombuffer(colours, ">u4"))
            if len(colours) == 32
            else None,
            bits=max(bits[: 1 if self.colour in (GREY, GREY_ALPHA) else 3]) if bits else None,
            bits_by="sBIT",
        )

    @property
    def xmp(self) -> bytes | None:
        """The XMP packet."""
        chunks = self.before + self.after
        packets = (each for each in chunks if each[0] == b"iTXt" and each[1].startswith(XMP))
        return next((text_of(*each) for each in packets), None)

    @property
    def manifest_store(self) -> bytes | None:
        """The C2PA manifest store."""
        return self.ancillary.get(b"caBX")

    @property
    def end(self) -> int:
        """Offset behind the last chunk, IEND."""
        return self.coded[-1][1]

    @property
    def expanded(self) -> bool:
        """Whether its samples are written otherwise than they are stored."""
        return self.depth < 8 or self.colour == PALETTE or self.keyed


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield type, start and end of each chunk's content, checksums verified, up to IEND."""
    at, view = len(SIGNATURE), memoryview(data)
    for count in itertools.count(1):
        check_parts(count, len(data), "PNG")
        start = at + 8
        end = start + int.from_bytes(data[at : at + 4], "big")
        if start > len(data) or end + 4 > len(data):
            raise PictureError("the PNG is truncated; export or download it again")
        name = data[at + 4 : start]
        if zlib.crc32(view[at + 4 : end]) != int.from_bytes(data[end : end + 4], "big"):
            raise PictureError(f"the PNG is damaged (checksum of {name!r}); export it again")
        yield name, start, end
        if name == b"IEND":
            return
        at = end + 4


def parse_png(data: bytes, limits: Limits) -> PngHeader:
    """Read all chunks, and check their checksums and the size."""
    head = data[16:29]
    if data[8:16] != b"\0\0\0\rIHDR" or len(head) < 13:
        raise PictureError("the PNG has no header; it is truncated or damaged, export it again")
    width, height = int.from_bytes(head[:4], "big"), int.from_bytes(head[4:8], "big")
    check_pixels(width, height, limits)
    depth, colour = head[8], head[9]
    if depth not in _DEPTHS.get(colour, ()) or head[10] or head[11] or head[12] > 1:
        raise PictureError("the PNG's header is damaged; export it again")
    names: set[bytes] = set()
    sides: tuple[list[tuple[bytes, bytes]], list[tuple[bytes, bytes]]] = ([], [])
    coded = []
    for name, start, end in _chunks(data):
        if name in _CODED:
            _check_place(name, names, colour)
            # A palette beside true colours is a mere suggestion, and libpng warns of some.
            if name != b"PLTE" or colour == PALETTE:
                coded.append((start - 8, end + 4))
        else:
            sides[b"IDAT" in names].append((name, data[start:end]))
        names.add(name)
    if b"IDAT" not in names:
        raise PictureError("the PNG holds no pixels; export it again")
    return PngHeader(
        width,
        height,
        depth,
        colour,
        bool(head[12]),
        b"acTL" in names,
        b"tRNS" in names,
        tuple(sides[0]),
        tuple(sides[1]),
        tuple(coded),
    )


def _check_place(name: bytes, before: Set[bytes], colour: int) -> None:
    """Refuse what libpng would only warn of, on the terminal: chunks twice or out of place."""
    unique = name in (b"IHDR", b"PLTE", b"tRNS")
    late = unique and b"IDAT" in before
    early = name == b"tRNS" and colour == PALETTE and b"PLTE" not in before
    alien = name == b"tRNS" and colour in (GREY_ALPHA, COLOUR_ALPHA)
    if late or early or alien or (unique and name in before):
        raise PictureError(f"the PNG's {name.decode()} chunk is out of place; export it again")


def _coded_part(data: bytes, header: PngHeader, start: int, end: int) -> bytes | memoryview:
    """Return a chunk as libpng gets it: a colour key without bits that samples do not have."""
    if data[start + 4 : start + 8] != b"tRNS" or header.colour == PALETTE:
        return memoryview(data)[start:end]
    key = np.frombuffer(data[start + 8 : end - 4], np.uint8)
    if key.size != (2 if header.colour == GREY else 6):
        raise PictureError("the PNG's colour key is damaged; export it again")
    return chunk(b"tRNS", (key.view(">u2") & (2**header.depth - 1)).astype(">u2").tobytes())


def decode_png(data: bytes, header: PngHeader) -> Pixels:
    """Decode all pixels to (h, w, c), uint8 or uint16; palettes, keys, low depths expanded.

    c is 1 grey, 2 grey and alpha, 3 RGB, or 4 RGB and alpha.
    """
    parts = [_coded_part(data, header, start, end) for start, end in header.coded]
    with decoder_errors_as("the PNG is truncated or damaged"):
        if header.interlaced:
            return _decode_interlaced(header, [bytes(part) for part in parts])
        # Only what the pixels need: text and profiles may be bombs, and libpng warns of them.
        return _decode_stream(b"".join((SIGNATURE, *parts)), header.width, header.height)


def _decode_stream(stream: bytes, width: int, height: int) -> Pixels:
    import imagecodecs

    found: Pixels = imagecodecs.png_decode(stream).reshape(height, width, -1)
    return found


def _decode_interlaced(header: PngHeader, parts: list[bytes]) -> Pixels:
    """Decode each of the seven passes as a small picture, and put their pixels in place.

    libpng would join them, but as called here it warns on the terminal of every such picture.
    """
    coded = b"".join(part[8:-4] for part in parts if part[4:8] == b"IDAT")
    between = b"".join(part for part in parts if part[4:8] in (b"PLTE", b"tRNS"))
    pixel_bits = header.depth * _CHANNELS[header.colour]
    sizes = [
        (max(0, -(-(header.width - left) // across)), max(0, -(-(header.height - top) // down)))
        for left, top, across, down in _PASSES
    ]
    lengths = [
        rows * (1 + -(-columns * pixel_bits // 8)) * bool(columns) for columns, rows in sizes
    ]
    raw = zlib.decompressobj().decompress(coded, sum(lengths))
    if len(raw) < sum(lengths):
        raise PictureError("the PNG is truncated or damaged: too few rows")
    out: Pixels | None = None
    at = 0
    for (left, top, across, down), (columns, rows), length in zip(
        _PASSES, sizes, lengths, strict=True
    ):
        if not length:
            continue
        part = _decode_pass(header, between, columns, rows, raw[at : at + length])
        if out is None:  # the first pass has a pixel of every picture
            out = np.empty((header.height, header.width, part.shape[2]), part.dtype)
        out[top::down, left::across] = part
        at += length
    if out is None:
        raise PictureError("the PNG holds no pixels; export it again")
    return out


def _decode_pass(header: PngHeader, between: bytes, width: int, height: int, rows: bytes) -> Pixels:
    """Decode filtered rows as a PNG of their own, with the palette and key `between`."""
    size = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    kind = bytes((header.depth, header.colour, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(rows, 1))
    stream = (SIGNATURE, chunk(b"IHDR", size + kind), between, pixels, chunk(b"IEND", b""))
    return _decode_stream(b"".join(stream), width, height)


def chunk(name: bytes, content: bytes) -> bytes:
    """Return a chunk with its length and checksum."""
    checksum = zlib.crc32(content, zlib.crc32(name))
    return len(content).to_bytes(4, "big") + name + content + checksum.to_bytes(4, "big")


def inflate(content: bytes, most: int = 64 << 20) -> bytes | None:
    """Inflate at most 64 MiB, or other bytes; None if there is more or it is damaged."""
    inflater = zlib.decompressobj()
    try:
        found = inflater.decompress(content, most)
    except zlib.error:
        return None
    return found if inflater.eof else None


def text_of(name: bytes, content: bytes) -> bytes | None:
    """Return the text of a chunk, inflated; None if it is damaged or too long."""
    rest = content.partition(b"\0")[2]
    if name == b"tEXt":
        return rest
    if name == b"zTXt":
        return inflate(rest[1:], _MOST_TEXT)
    text = rest[2:].partition(b"\0")[2].partition(b"\0")[2]
    return inflate(text, _MOST_TEXT) if rest[:1] == b"\1" else text


def coded_length(width: int, height: int, depth: int, colour: int, *, interlaced: bool) -> int:
    """Return the bytes of all rows, with their filters, before they are deflated."""
    if depth not in _DEPTHS.get(colour, ()):
        raise PictureError("the PNG's header is damaged; export it again")
    total = 0
    for left, top, across, down in _PASSES if interlaced else ((0, 0, 1, 1),):
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        if columns > 0 and rows > 0:
            total += rows * (1 + -(-columns * depth * _CHANNELS[colour] // 8))
    return total


def encode_png(pixels: Pixels, *, small: bool = False) -> bytes:
    """Encode (h, w, c) pixels, c in 1..4, 8 or 16 bits, without loss; `small` takes more time."""
    import imagecodecs

    with decoder_errors_as("the PNG cannot be written"):
        # Level 3 halves the time of 6; photographs come out 2 % longer, graphics twice as long.
        level = 9 if small else 3
        return bytes(imagecodecs.png_encode(np.ascontiguousarray(pixels), level=level))


def splice_png(
    data: bytes,
    before: tuple[tuple[bytes, bytes], ...],
    after: tuple[tuple[bytes, bytes], ...] = (),
) -> bytes:
    """Return a PNG of :func:`encode_png` with ancillary chunks around its pixels."""
    start = len(SIGNATURE) + 25  # behind IHDR
    return b"".join(
        (
            data[:start],
            *(chunk(*each) for each in before),
            memoryview(data)[start:-12],
            *(chunk(*each) for each in after),
            data[-12:],
        )
    )
