"""Picture that can be written again in its own kind, and the strict reading of one."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from homing.errors import PictureError
from homing.images.formats.boxed.avif import decode_avif, parse_avif
from homing.images.formats.boxed.jxl import decode_jxl, parse_jxl
from homing.images.formats.jpeg import decode_jpeg, is_credentials, parse_jpeg
from homing.images.formats.png import PALETTE, PngHeader, decode_png, parse_png
from homing.images.formats.tiff import ASSOCIATED, parse_tiff
from homing.images.formats.tiff_pixels import decode_tiff
from homing.images.formats.webp import decode_webp, parse_webp
from homing.images.kinds import Kind, sniff, title, unknown
from homing.images.limits import UNLIMITED, Source, read_bytes
from homing.images.pixels import Pixels
from homing.images.samples import Samples, samples_of
from homing.options import DEFAULT_LIMITS, Limits

CREDENTIALS_LEFT_OUT = "content credentials left out: they vouch for the old pixels"
"""Note on a picture that carries a C2PA manifest store, which is not written again."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A decoded file that can be written again in its own kind."""

    kind: Kind
    pixels: Pixels  # (h, w, c), 1 grey or 3 RGB, uint8 or uint16, as stored, read-only
    alpha: Pixels | None  # (h, w) of the same dtype, straight, read-only
    samples: Samples  # what the pixels mean
    notes: tuple[str, ...]  # what any written file loses; more by `homing.images.metadata.carried`
    encoded: bytes  # the source file
    progressive: bool = False  # a JPEG of several scans
    lossless: bool = True  # false for JPEG, ordinary WebP, AVIF and JPEG XL
    quality: int | None = None  # estimated for a JPEG, 1..100 on libjpeg's scale
    inks: bool = False  # a JPEG in CMYK, whose pixels here are RGB

    @property
    def width(self) -> int:
        """Stored width in pixels."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Stored height in pixels."""
        return int(self.pixels.shape[0])

    @property
    def depth(self) -> int:
        """Bits a sample: 8 or 16."""
        return int(self.pixels.dtype.itemsize) * 8

    @property
    def orientation(self) -> int:
        """As in EXIF, 1..8; 1 is upright."""
        return self.samples.orientation

    @property
    def opacity(self) -> NDArray[np.float32] | None:
        """How much of a place shows, (h, w), 0..1."""
        if self.alpha is None:
            return None
        return self.alpha.astype(np.float32) / np.float32(self.samples.opaque)

    @property
    def sha256(self) -> str:
        """Hexadecimal SHA-256 of the source file."""
        return hashlib.sha256(self.encoded).hexdigest()


def read_picture(source: Source, *, limits: Limits = DEFAULT_LIMITS) -> Picture:
    """Read a picture strictly: one that could not be written again unchanged is refused.

    Read are JPEG (grey, colour at any sampling, and CMYK, whose pixels are given as RGB; of several
    pictures in one file the first), PNG (8 and 16 bits; palettes and lower depths expanded, with a
    note), WebP, TIFF (8 and 16 bits; grey, RGB, palette), AVIF and JPEG XL. A
    :class:`PictureError` gives reason and remedy for the others: missing, empty, truncated, damaged
    or too large files; JPEG of 12 bits, lossless, or with its height at the end (DNL); TIFF in
    CMYK; animations and several pages (APNG, animated WebP, multi-page TIFF); 1-bit, 32-bit and
    real-valued samples; premultiplied alpha; other kinds.
    """
    data = read_bytes(source, limits=limits)
    kind = sniff(data)
    if not kind:
        raise unknown(data)
    if kind not in _READERS:
        raise PictureError(
            f"a {title(kind)} picture cannot be written back in its own kind; "
            "convert it to PNG first"
        )
    return _READERS[kind](data, limits)


def decode_pixels(data: bytes) -> Pixels:
    """Decode a file that :func:`homing.images.encode` wrote: ``read_picture(data).pixels``."""
    return read_picture(data, limits=UNLIMITED).pixels


def _freeze(pixels: Pixels) -> Pixels:
    pixels = np.ascontiguousarray(pixels)
    pixels.flags.writeable = False
    return pixels


def _split(samples: Pixels) -> tuple[Pixels, Pixels | None]:
    """Return colours and alpha of (h, w, 1..4) samples, read-only."""
    if samples.shape[2] % 2:
        return _freeze(samples), None
    return _freeze(samples[..., :-1]), _freeze(samples[..., -1])


def _credentials_note(present: bool) -> tuple[str, ...]:
    return (CREDENTIALS_LEFT_OUT,) if present else ()


def _read_jpeg(data: bytes, limits: Limits) -> Picture:
    header = parse_jpeg(data, limits)
    pixels = _freeze(decode_jpeg(data, header))
    return Picture(
        "JPEG",
        pixels,
        None,
        samples_of(header.told, pixels),
        _credentials_note(any(is_credentials(header.segments))),
        data,
        progressive=header.progressive,
        lossless=False,
        quality=header.quality,
        inks=header.components == 4,
    )


def _read_png(data: bytes, limits: Limits) -> Picture:
    header = parse_png(data, limits)
    if header.animated:
        raise PictureError("an animated PNG cannot be written back; save one frame as PNG")
    if header.depth == 1 and header.colour != PALETTE:
        raise PictureError("a 1-bit PNG cannot hold the change; convert it to 8-bit grey first")
    colours, alpha = _split(decode_png(data, header))
    samples = samples_of(header.told, colours, alpha)
    notes = _png_notes(header) + samples.note
    notes += _credentials_note(header.manifest_store is not None)
    return Picture("PNG", colours, alpha, samples, notes, data)


def _png_notes(header: PngHeader) -> tuple[str, ...]:
    notes = []
    if header.colour == PALETTE:
        notes.append("palette expanded to RGB")
    elif header.depth < 8:
        notes.append(f"{header.depth} bits a sample expanded to 8")
    if header.keyed:
        notes.append("transparent colours expanded to alpha")
    if header.interlaced:
        notes.append("written without interlacing")
    return tuple(notes)


def _read_webp(data: bytes, limits: Limits) -> Picture:
    header = parse_webp(data, limits)
    if header.animated:
        raise PictureError("an animated WebP cannot be written back; save one frame as WebP")
    colours, alpha = _split(decode_webp(data, header))
    notes = _credentials_note(header.manifest_store is not None)
    samples = samples_of(header.told, colours, alpha)
    return Picture("WEBP", colours, alpha, samples, notes, data, lossless=header.lossless)


def _read_tiff(data: bytes, limits: Limits) -> Picture:
    header = parse_tiff(data, limits)
    if header.refusal:
        raise PictureError(header.refusal)
    colours, alpha = _split(decode_tiff(data, header, limits))
    if header.extra == ASSOCIATED and alpha is not None and alpha.min() < np.iinfo(alpha.dtype).max:
        raise PictureError(
            "a TIFF with premultiplied alpha cannot hold the change; save it with straight alpha"
        )
    samples = samples_of(header.told, colours, alpha)
    notes = header.notes + samples.note + _credentials_note(header.manifest_store is not None)
    return Picture("TIFF", colours, alpha, samples, notes, data)


def _read_avif(data: bytes, limits: Limits) -> Picture:
    header = parse_avif(data, limits)
    if header.refusal:
        raise PictureError(header.refusal)
    colours, alpha = _split(decode_avif(header))
    samples = samples_of(header.told, colours, alpha)
    notes = _credentials_note(header.manifest_store is not None)
    return Picture("AVIF", colours, alpha, samples, notes, data, lossless=header.lossless)


def _read_jxl(data: bytes, limits: Limits) -> Picture:
    found = parse_jxl(data, limits)
    if found.refusal:
        raise PictureError(found.refusal)
    colours, alpha = _split(decode_jxl(found))
    samples = samples_of(found.told, colours, alpha)
    notes = _credentials_note(found.manifest_store is not None)
    # What is not sRGB of 8 bits is coded without loss: the coder takes lossy pictures for that.
    lossless = not (found.header.xyb and found.header.colours.srgb and colours.dtype == np.uint8)
    return Picture("JXL", colours, alpha, samples, notes, data, lossless=lossless)


_READERS: MappingProxyType[str, Callable[[bytes, Limits], Picture]] = MappingProxyType(
    {
        "JPEG": _read_jpeg,
        "PNG": _read_png,
        "WEBP": _read_webp,
        "TIFF": _read_tiff,
        "AVIF": _read_avif,
        "JXL": _read_jxl,
    }
)
