"""WebP: its chunks, its pixels, and new pixels among the old metadata."""

import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, WebPImagePlugin

from homing.errors import PictureError
from homing.images.limits import UNLIMITED, check_parts, check_pixels, decoder_errors_as
from homing.images.told import Told
from homing.options import Limits

_LARGEST_SIDE = 16383
_ICC_FLAG, _ALPHA_FLAG, _EXIF_FLAG, _XMP_FLAG, _ANIMATION_FLAG = 32, 16, 8, 4, 2
_CODED = (b"ALPH", b"VP8 ", b"VP8L")
_BITSTREAMS = (b"VP8 ", b"VP8L")
_KNOWN = frozenset({*_CODED, b"VP8X", b"ICCP", b"ANIM", b"ANMF", b"EXIF", b"XMP ", b"C2PA"})


@dataclass(frozen=True)
class WebpHeader:
    """Contents of a WebP's chunks."""

    width: int
    height: int
    lossless: bool
    animated: bool
    exif: bytes | None
    icc: bytes | None
    xmp: bytes | None
    manifest_store: bytes | None  # C2PA
    others: tuple[tuple[bytes, bytes], ...]  # type and content of chunks of unknown types
    repeated: tuple[bytes, ...]  # types of known chunks that come once more
    end: int  # offset behind the last chunk

    @property
    def told(self) -> Told:
        """Statements of the file on its samples."""
        return Told(exif=self.exif, xmp=self.xmp, icc=self.icc)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield type and content of each chunk."""
    end = 8 + int.from_bytes(data[4:8], "little")
    if end > len(data) or len(data) < 20:
        raise PictureError("the WebP is truncated; export or download it again")
    at, count = 12, 0
    while at + 8 <= end:
        count += 1
        check_parts(count, len(data), "WebP")
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        if at + 8 + size > end:
            raise PictureError("the WebP is truncated or damaged; export it again")
        yield data[at : at + 4], data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def _coded_size(name: bytes, content: bytes) -> tuple[int, int]:
    """Return the size that a VP8 or VP8L bitstream claims."""
    if name == b"VP8L" and len(content) >= 5 and content[0] == 0x2F:
        bits = int.from_bytes(content[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if name == b"VP8 " and content[3:6] == b"\x9d\x01\x2a" and len(content) >= 10:
        width, height = content[6:8], content[8:10]
        return (
            int.from_bytes(width, "little") & 0x3FFF,
            int.from_bytes(height, "little") & 0x3FFF,
        )
    raise PictureError("the WebP's bitstream is damaged; export it again")


def parse_webp(data: bytes, limits: Limits) -> WebpHeader:
    """Read all chunks and check the size."""
    found: dict[bytes, bytes] = {}
    others, repeated = [], []
    for name, content in _chunks(data):
        if name not in _KNOWN:
            others.append((name, content))
        elif name in found or (name in _BITSTREAMS and not found.keys().isdisjoint(_BITSTREAMS)):
            repeated.append(name)
        found.setdefault(name, content)
    coded = next((name for name in (b"VP8L", b"VP8 ") if name in found), None)
    canvas = found.get(b"VP8X")
    animated = b"ANIM" in found or b"ANMF" in found
    if canvas is not None and len(canvas) >= 10:
        width = int.from_bytes(canvas[4:7], "little") + 1
        height = int.from_bytes(canvas[7:10], "little") + 1
        animated = animated or bool(canvas[0] & _ANIMATION_FLAG)
        check_pixels(width, height, limits)
    elif coded is None:
        raise PictureError("the WebP holds no picture; export it again")
    if coded is not None:
        width, height = _coded_size(coded, found[coded])
        check_pixels(width, height, limits)
    return WebpHeader(
        width,
        height,
        coded == b"VP8L",
        animated,
        found.get(b"EXIF"),
        found.get(b"ICCP"),
        found.get(b"XMP "),
        found.get(b"C2PA"),
        tuple(others),
        tuple(repeated),
        8 + int.from_bytes(data[4:8], "little"),
    )


def open_webp(data: bytes) -> WebPImagePlugin.WebPImageFile:
    """Return Pillow's decoder."""
    with decoder_errors_as("the WebP is truncated or damaged"):
        return WebPImagePlugin.WebPImageFile(io.BytesIO(data))


def decode_webp(data: bytes, header: WebpHeader) -> npt.NDArray[np.uint8]:
    """Decode a still WebP to (h, w, 3) or, with alpha, (h, w, 4)."""
    image = open_webp(data)
    with decoder_errors_as("the WebP is truncated or damaged"):
        pixels = np.asarray(image)
    if pixels.shape[:2] != (header.height, header.width):
        raise PictureError("the WebP contradicts itself about its size; export it again")
    # Pillow leaves the fourth channel of its padding out of RGB, so this is 3 or 4.
    return pixels


def encode_webp(pixels: npt.NDArray[np.uint8], quality: int | None) -> bytes:
    """Encode (h, w, 3) or (h, w, 4) pixels; `quality` is 1..100, or None for a lossless file.

    Alpha is always lossless; a lossless file also has the colours beneath transparent pixels.
    """
    height, width = pixels.shape[:2]
    if max(height, width) > _LARGEST_SIDE:
        raise PictureError(
            f"a WebP holds at most {_LARGEST_SIDE} pixels a side, not {width} x {height}"
        )
    image, stream = Image.fromarray(pixels), io.BytesIO()
    with decoder_errors_as("the WebP cannot be written"):
        if quality is None:
            image.save(stream, "WEBP", lossless=True, quality=75, method=4, exact=True)
        else:
            image.save(stream, "WEBP", quality=quality, alpha_quality=100, method=4, exact=True)
    return stream.getvalue()


def _chunk(name: bytes, content: bytes) -> bytes:
    padding = b"\0" * (len(content) % 2)
    return name + len(content).to_bytes(4, "little") + content + padding


def splice_webp(
    data: bytes,
    *,
    exif: bytes | None,
    icc: bytes | None,
    xmp: bytes | None,
    others: tuple[tuple[bytes, bytes], ...] = (),
) -> bytes:
    """Return a WebP of :func:`encode_webp` with metadata chunks, written byte for byte."""
    header = parse_webp(data, UNLIMITED)
    coded = [(name, content) for name, content in _chunks(data) if name in _CODED]
    canvas = next((content for name, content in _chunks(data) if name == b"VP8X"), None)
    if exif is None and icc is None and xmp is None and not others:
        return data
    name, content = coded[-1]
    # VP8L says in its own header (bit 28 behind the signature byte) whether alpha is used.
    has_alpha = (
        bool(canvas[0] & _ALPHA_FLAG)
        if canvas
        else name == b"VP8L" and bool(int.from_bytes(content[1:5], "little") >> 28 & 1)
    )
    flags = (
        (_ICC_FLAG if icc is not None else 0)
        | (_ALPHA_FLAG if has_alpha else 0)
        | (_EXIF_FLAG if exif is not None else 0)
        | (_XMP_FLAG if xmp is not None else 0)
    )
    size = (header.width - 1).to_bytes(3, "little") + (header.height - 1).to_bytes(3, "little")
    body = b"".join(
        (
            b"WEBP",
            _chunk(b"VP8X", bytes((flags, 0, 0, 0)) + size),
            _chunk(b"ICCP", icc) if icc is not None else b"",
            *(_chunk(*each) for each in coded),
            _chunk(b"EXIF", exif) if exif is not None else b"",
            _chunk(b"XMP ", xmp) if xmp is not None else b"",
            *(_chunk(*each) for each in others),
        )
    )
    return b"RIFF" + len(body).to_bytes(4, "little") + body
