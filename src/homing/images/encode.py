"""Encoding of a changed picture anew: in its own kind with all its metadata, or in another.

A JPEG that stays one is rather changed in its own coefficients, by
:mod:`homing.images.formats.jpeg_coefficients`.
"""

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from homing.errors import PictureError, UsageError
from homing.images.formats.boxed.avif import encode_avif, parse_avif, splice_avif
from homing.images.formats.boxed.jxl import encode_jxl, parse_jxl, splice_jxl
from homing.images.formats.jpeg import decode_jpeg, encode_jpeg, parse_jpeg, splice_jpeg
from homing.images.formats.png import encode_png, splice_png
from homing.images.formats.tiff import STRAIGHT, encode_tiff, parse_tiff
from homing.images.formats.webp import encode_webp, splice_webp
from homing.images.kinds import KINDS, Kind, title
from homing.images.limits import UNLIMITED
from homing.images.metadata.carried import (
    about_for,
    chunks_for,
    directory_for,
    segments_for,
    webp_chunks_for,
)
from homing.images.picture import Picture
from homing.images.pixels import Pixels

_JPEG_QUALITIES = (95, 98, 100)
_GRAPHIC = 0.25  # share of its samples that the PNG of a photograph is longer than
_QUALITIES: MappingProxyType[Kind, tuple[int, ...]] = MappingProxyType(
    {"WEBP": (95, 100), "AVIF": (95,), "JXL": (96, 99)}
)
_PNG_ALONE = ("cICP", "gAMA")
_PNG_CICP = ("PNG", "cICP")
_OWN_ALONE = ("AVIF", "JXL")


@dataclass(frozen=True)
class Encoding:
    """One way to write a picture."""

    name: str  # for people: "JPEG 95", "PNG", "WebP lossless"
    kind: Kind
    lossy: bool
    quality: int | None  # 1..100 for lossy kinds, None without loss


def encodings(picture: Picture, kind: str | None = None) -> tuple[Encoding, ...]:
    """Return the ways in which a picture may be coded anew, at least one, smallest file first.

    JPEG at 95, 98 and 100, all 4:4:4, none coarser than the source seems to be; WebP at 95 and
    100 and without loss, or only without loss if the source is; AVIF and JPEG XL likewise, at 95,
    and at 96 and 99; PNG and TIFF without loss. `kind` is that of the source by default; a
    :class:`PictureError` says that it cannot hold the picture: alpha in a JPEG, 16 bits in a JPEG
    or WebP, CMYK in all but a JPEG, and AVIF and JPEG XL those of other kinds.
    """
    wanted = find_kind(kind) if kind is not None else picture.kind
    _check_holds(picture, wanted)
    if wanted == "JPEG":
        least = min(picture.quality or 0, 100)
        qualities = tuple(q for q in _JPEG_QUALITIES if q >= least)
        return tuple(Encoding(f"JPEG {q}", "JPEG", True, q) for q in qualities)
    if wanted not in _QUALITIES:
        return (Encoding(title(wanted), wanted, False, None),)
    lossless = Encoding(f"{title(wanted)} lossless", wanted, False, None)
    if picture.lossless:
        return (lossless,)
    lossy = (Encoding(f"{title(wanted)} {q}", wanted, True, q) for q in _QUALITIES[wanted])
    return (*lossy, lossless)


def encode(
    picture: Picture, pixels: Pixels, *, encoding: Encoding, kind: str | None = None
) -> bytes:
    """Write new pixels as a file, with everything else of the picture.

    In the picture's own kind its metadata is carried byte for byte (EXIF with the orientation
    tag, ICC, XMP, IPTC, resolution, comments); in another kind EXIF, ICC and XMP as that kind
    allows. Alpha is carried unchanged. What stands behind the picture of a JPEG is left out, and
    one in CMYK is refused. `pixels` have shape and dtype of ``picture.pixels``; `kind`, if given,
    must be the encoding's.
    """
    pixels = np.asarray(pixels)
    if pixels.shape != picture.pixels.shape or pixels.dtype != picture.pixels.dtype:
        raise UsageError(
            f"the new pixels are {pixels.dtype} {pixels.shape}, the picture's "
            f"{picture.pixels.dtype} {picture.pixels.shape}; they must be alike"
        )
    if kind is not None and find_kind(kind) != encoding.kind:
        raise UsageError(f"the encoding {encoding.name} does not write {kind}")
    _check_holds(picture, encoding.kind)
    if encoding.kind == "JPEG":
        return _encode_jpeg(picture, pixels, encoding)
    if encoding.kind == "PNG":
        return _encode_png(picture, pixels)
    if encoding.kind == "WEBP":
        return _encode_webp(picture, pixels, encoding)
    if encoding.kind in _OWN_ALONE:
        return _encode_own(picture, pixels, encoding)
    return _encode_tiff(picture, pixels)


def round_trip(pixels: Pixels, encoding: Encoding) -> Pixels:
    """Encode pixels alone and decode them: JPEG, or an encoding without loss.

    `pixels` are (h, w, c) of a picture of that kind, of any size.
    """
    if not encoding.lossy:
        return pixels
    if encoding.kind != "JPEG":
        raise UsageError(f"round trips are made by JPEG alone, not by {encoding.name}")
    data = encode_jpeg(pixels, encoding.quality or 100, progressive=False)
    return decode_jpeg(data, parse_jpeg(data, UNLIMITED))


def find_kind(kind: str) -> Kind:
    """Return the kind of that name or suffix; `UsageError` names those that are written."""
    found = KINDS.get(f".{kind.lower().removeprefix('.')}")
    if found is None:
        raise UsageError(f"no kind of picture {kind!r}; choose JPEG, PNG, WEBP or TIFF")
    return found


def _check_holds(picture: Picture, kind: str) -> None:
    """Refuse a picture that a kind cannot hold."""
    if kind in _OWN_ALONE and kind != picture.kind:
        raise PictureError(
            f"{title(kind)} is written of {title(kind)} alone; choose JPEG, PNG, WebP or TIFF"
        )
    if picture.inks and kind != "JPEG":
        raise PictureError("a CMYK picture is written back as JPEG alone; convert it to RGB first")
    colour = picture.samples.colour
    told_by, own = colour.told_by, kind == picture.kind or (kind, colour.told_by) == _PNG_CICP
    if colour.convert is not None and told_by in _PNG_ALONE and not own:
        raise PictureError(
            f"colours told by {told_by} are written back as PNG alone; convert them to sRGB first"
        )
    if kind == "JPEG" and picture.alpha is not None:
        raise PictureError("a JPEG holds no transparency; write PNG, WebP or TIFF")
    if kind in ("JPEG", "WEBP") and picture.depth != 8:
        raise PictureError(f"a {title(kind)} holds no 16 bits a sample; write PNG or TIFF")


def _with_alpha(picture: Picture, pixels: Pixels) -> Pixels:
    if picture.alpha is None:
        return pixels
    return np.concatenate([pixels, picture.alpha[..., None]], axis=2)


def _bits(picture: Picture, samples: Pixels) -> tuple[int, ...]:
    """Return the bits of each channel of a picture whose range is not that of its storage.

    They are written even where the source does not tell them: the change may move the largest
    sample, which tells them otherwise.
    """
    meant = picture.samples
    if meant.white == np.iinfo(samples.dtype).max:
        return ()
    colours = (meant.white.bit_length(),) * picture.pixels.shape[2]
    return colours if picture.alpha is None else (*colours, meant.opaque.bit_length())


def _encode_jpeg(picture: Picture, pixels: Pixels, encoding: Encoding) -> bytes:
    if picture.inks:
        raise PictureError("a CMYK JPEG is not coded anew; convert it to RGB first")
    data = encode_jpeg(
        pixels.astype(np.uint8, copy=False),
        encoding.quality or 100,
        progressive=picture.progressive,
    )
    segments, _ = segments_for(picture)
    if picture.kind != "JPEG":
        # The coder writes a JFIF segment; it must stand first.
        jfif = [each for each in parse_jpeg(data, UNLIMITED).segments if each[0] == 0xE0]
        segments = (*jfif, *segments)
    return splice_jpeg(data, segments)


def _encode_png(picture: Picture, pixels: Pixels) -> bytes:
    samples = _with_alpha(picture, pixels)
    small = picture.kind == "PNG" and len(picture.encoded) < _GRAPHIC * samples.nbytes
    chunks, _ = chunks_for(picture)
    before, bits = chunks.before, _bits(picture, samples)
    if bits:
        told = (b"sBIT", bytes(bits))
        before = (told, *(each for each in before if each[0] != told[0]))
    return splice_png(encode_png(samples, small=small), before, chunks.after)


def _encode_webp(picture: Picture, pixels: Pixels, encoding: Encoding) -> bytes:
    samples = np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels
    data = encode_webp(_with_alpha(picture, samples).astype(np.uint8, copy=False), encoding.quality)
    chunks, _ = webp_chunks_for(picture)
    if picture.kind != "WEBP" and chunks.icc is not None and chunks.icc[16:20] == b"GRAY":
        raise PictureError("a WebP is always in colour and holds no grey profile; write PNG")
    return splice_webp(data, exif=chunks.exif, icc=chunks.icc, xmp=chunks.xmp, others=chunks.others)


def _encode_own(picture: Picture, pixels: Pixels, encoding: Encoding) -> bytes:
    """Write an AVIF as AVIF, a JPEG XL as JPEG XL."""
    samples, depth = _with_alpha(picture, pixels), picture.samples.white.bit_length()
    about, _ = about_for(picture)
    if encoding.kind == "AVIF":
        header = parse_avif(picture.encoded, UNLIMITED)
        coded = encode_avif(samples, encoding.quality, depth)
        return splice_avif(coded, header, exif=about.exif, xmp=about.xmp)
    source = parse_jxl(picture.encoded, UNLIMITED)
    coded = encode_jxl(samples, encoding.quality, depth)
    return splice_jxl(coded, source, exif=about.exif, xmp=about.xmp)


def _encode_tiff(picture: Picture, pixels: Pixels) -> bytes:
    samples = _with_alpha(picture, pixels)
    directory, _ = directory_for(picture)
    extra = STRAIGHT
    if picture.kind == "TIFF" and picture.alpha is not None:
        extra = parse_tiff(picture.encoded, UNLIMITED).extra
    return encode_tiff(samples, directory, extra=extra, bits=_bits(picture, samples))
