"""JPEG XL: its boxes, its pixels, and new pixels among the old metadata.

Pixels are decoded and coded by libjxl, through imagecodecs.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from homing.errors import PictureError
from homing.images.formats.boxed.boxes import box, boxes
from homing.images.formats.boxed.jxl_header import JxlHeader, parse_codestream, with_header
from homing.images.limits import check_pixels, decoder_errors_as
from homing.images.pixels import Pixels
from homing.images.told import Told
from homing.options import Limits

_SIGNATURE = b"\0\0\0\x0cJXL \r\n\x87\n"
_TYPE = box(b"ftyp", b"jxl \0\0\0\0jxl ")
_CODED = (b"jxlc", b"jxlp")
_SILENT = frozenset({b"JXL ", b"ftyp", b"jxll", b"jxli", *_CODED})  # of the coded picture alone
_MOST_METADATA = 16 << 20  # bytes, inflated
_ALPHA = 0
_NAMES = {b"jbrd": "what restores the JPEG that it was", b"brob": "a box that cannot be inflated"}
_PRIMARIES = {1: 1, 9: 9, 11: 12}
_DCI = 11  # white, and the primaries of H.273 that go with it
_EFFORT, _EFFORT_OF_LOSSY = 3, 5  # 1 to 9; without loss 7 takes seven times as long and saves 8 %
_WIDTH = 16
_LEAST, _STEP = 0.1, 0.09  # distances of qualities, as libjxl has them


@dataclass(frozen=True)
class Jxl:
    """Contents of a JPEG XL file."""

    codestream: bytes
    header: JxlHeader
    exif: bytes | None
    xmp: bytes | None
    manifest_store: bytes | None  # C2PA
    others: tuple[str, ...]  # names of what else it holds

    @property
    def told(self) -> Told:
        """The file's own account of its samples."""
        header = self.header
        colours = header.colours
        usual = {
            "exif": self.exif,
            "orientation": header.orientation,
            "orientation_by": "JPEG XL",
            "xmp": self.xmp,
            "bits": None if header.depth in (8, _WIDTH) or header.floats else header.depth,
            "bits_by": "JPEG XL",
        }
        if colours.profiled:
            return Told(**usual)  # type: ignore[arg-type]
        if colours.srgb:
            return Told(**usual, srgb=True)  # type: ignore[arg-type]
        if colours.gamma is None and colours.chromaticities is None:
            primaries = _DCI if colours.white == _DCI else _PRIMARIES.get(colours.primaries, 1)
            return Told(**usual, cicp=bytes((primaries, colours.transfer, 0, 1)))  # type: ignore[arg-type]
        gamma = colours.gamma
        return Told(
            **usual,  # type: ignore[arg-type]
            gamma=None if gamma is None else gamma // 100,
            chromaticities=colours.chromaticities,
        )

    @property
    def refusal(self) -> str:
        """Why the picture cannot be read strictly; empty if it can."""
        header = self.header
        checks = (
            (header.animated, "an animated JPEG XL cannot be written back; save one frame"),
            (header.preview, "a JPEG XL with a preview cannot be written back; save it without"),
            (
                header.colours.profiled,
                "a JPEG XL with an ICC profile cannot be written back; save it with a known space "
                "(sRGB, Display P3, Adobe RGB), or as PNG or TIFF",
            ),
            (
                header.floats or header.depth not in (8, 10, 12, 14, _WIDTH),
                "a JPEG XL of real-valued samples, or of other than 8, 10, 12, 14 or 16 bits, "
                "cannot be written back; convert it to 8 or 16 bits first",
            ),
            (
                header.extra not in ((), (_ALPHA,)),
                "a JPEG XL of further channels (inks, depth) cannot be written back; save it as "
                "grey or RGB, with at most one alpha",
            ),
            (
                header.associated,
                "a JPEG XL with premultiplied alpha cannot hold the change; save it with straight "
                "alpha",
            ),
        )
        return next((reason for failed, reason in checks if failed), "")


def parse_jxl(data: bytes, limits: Limits) -> Jxl:
    """Read the boxes of a file, or a bare codestream, and check the size."""
    about: dict[bytes, bytes] = {}
    others, parts = [], [data]
    if data.startswith(_SIGNATURE):
        parts = []
        for name, content in _boxes(data):
            if name in _CODED:
                parts.append(content[4:] if name == b"jxlp" else content)
            elif name in (b"Exif", b"xml ", b"jumb") and name not in about:
                about[name] = content
            elif name not in _SILENT:
                others.append(_NAMES.get(name, f"box {name.decode('latin-1').strip()}"))
    codestream = b"".join(parts)
    with decoder_errors_as("the JPEG XL is damaged"):
        header = parse_codestream(codestream)
    check_pixels(header.width, header.height, limits)
    exif = about.get(b"Exif")
    if exif is not None:
        exif = exif[4 + int.from_bytes(exif[:4], "big") :]
    store = about.get(b"jumb")
    manifest_store = None if store is None else box(b"jumb", store)
    return Jxl(codestream, header, exif, about.get(b"xml "), manifest_store, tuple(others))


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield type and content of the boxes; those that are Brotli inflated."""
    for found in boxes(data):
        content = data[found.start : found.end]
        inner = _inflated(content[4:]) if found.name == b"brob" else None
        yield (found.name, content) if inner is None else (content[:4], inner)


def _inflated(content: bytes) -> bytes | None:
    import imagecodecs

    try:
        with decoder_errors_as("damaged"):
            return bytes(imagecodecs.brotli_decode(content, out=_MOST_METADATA))
    except PictureError:
        return None


def decode_jxl(found: Jxl) -> Pixels:
    """Decode to (h, w, c), uint8 or uint16 in its own range, as stored; c as in a PNG."""
    import imagecodecs

    header = found.header
    with decoder_errors_as("the JPEG XL is truncated or damaged"):
        pixels: Pixels = imagecodecs.jpegxl_decode(
            found.codestream, index=0, keeporientation=True, numthreads=1
        )
    if pixels.shape[:2] != (header.height, header.width):
        raise PictureError("the JPEG XL contradicts itself about its size; export it again")
    pixels = pixels.reshape(header.height, header.width, -1)
    if pixels.dtype.kind == "f":  # 1 is white
        return np.asarray(np.rint(np.nan_to_num(pixels).clip(0, 1) * 65535), np.uint16)
    if pixels.dtype not in (np.uint8, np.uint16):
        raise PictureError(f"samples of {pixels.dtype} are not handled; save it in 16 bits")
    return pixels


def encode_jxl(pixels: Pixels, quality: int | None, depth: int) -> bytes:
    """Encode (h, w, 1..4) pixels; `quality` is 30..99, None without loss.

    Alpha is always coded without loss.
    """
    import imagecodecs

    stored = np.ascontiguousarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    lossless = quality is None
    with decoder_errors_as("the JPEG XL cannot be written"):
        return bytes(
            imagecodecs.jpegxl_encode(
                stored,
                lossless=lossless,
                distance=None if quality is None else _LEAST + _STEP * (100 - quality),
                effort=_EFFORT if lossless else _EFFORT_OF_LOSSY,
                bitspersample=depth,
                usecontainer=False,
                numthreads=1,
            )
        )


def splice_jxl(coded: bytes, source: Jxl, *, exif: bytes | None, xmp: bytes | None) -> bytes:
    """Return a file of :func:`encode_jxl` with a source's orientation, colours, metadata.

    It is always in boxes, where credentials have a place. EXIF and XMP are written byte for byte.
    """
    parts = dict(_boxes(coded)) if coded.startswith(_SIGNATURE) else {b"jxlc": coded}
    stream = with_header(parts[b"jxlc"], source.codestream)
    level = parts.get(b"jxll")  # of decoders: more than 12 bits need the higher one
    return b"".join(
        (
            _SIGNATURE,
            _TYPE,
            b"" if level is None else box(b"jxll", level),
            b"" if exif is None else box(b"Exif", bytes(4), exif),
            b"" if xmp is None else box(b"xml ", xmp),
            box(b"jxlc", stream),
        )
    )
