"""Writing a picture again: in its own kind with all it said besides its pixels, or in another."""

from dataclasses import dataclass

import numpy as np

from homing.errors import PictureError, UsageError
from homing.images.formats.jpeg import decode_jpeg, encode_jpeg, is_kept, parse_jpeg, splice_jpeg
from homing.images.formats.png import KEPT, encode_png, parse_png, splice_png
from homing.images.formats.tiff import STRAIGHT, encode_tiff, parse_tiff
from homing.images.formats.webp import encode_webp, parse_webp, splice_webp
from homing.images.kinds import KINDS, Kind
from homing.images.metadata import (
    Metadata,
    jpeg_segments,
    png_chunks,
    read_metadata,
    tiff_directory,
)
from homing.images.picture import Picture
from homing.images.pixels import Pixels
from homing.options import Limits

_UNLIMITED = Limits(max_pixels=2**48, max_bytes=2**48)
_JPEG_QUALITIES = (95, 98, 100)
_WEBP_QUALITIES = (95, 100)
_NAMES = {"JPEG": "JPEG", "PNG": "PNG", "WEBP": "WebP", "TIFF": "TIFF"}


@dataclass(frozen=True)
class Encoding:
    """One way to write a picture.

    Parameters
    ----------
    name : str
        For people: "JPEG 95", "PNG", "WebP lossless".
    kind : {"JPEG", "PNG", "WEBP", "TIFF"}
        Kind of the file.
    lossy : bool
        Whether the file's pixels differ from those given.
    quality : int or None
        1..100 for lossy kinds, None without loss.
    """

    name: str
    kind: Kind
    lossy: bool
    quality: int | None


def encodings(picture: Picture, kind: str | None = None) -> tuple[Encoding, ...]:
    """Return the ways in which a picture may be written, smallest file first.

    JPEG at 95, 98 and 100, all 4:4:4, none coarser than the source seems to be; WebP at 95 and
    100 and without loss, or only without loss if the source is; PNG and TIFF without loss.

    Parameters
    ----------
    picture : Picture
        The source.
    kind : str, optional
        The kind to write; that of the source by default.

    Returns
    -------
    tuple of Encoding
        At least one.

    Raises
    ------
    PictureError
        If the kind cannot hold the picture: alpha in a JPEG, 16 bits in a JPEG or WebP.
    UsageError
        If there is no such kind.
    """
    wanted = _wanted(kind) if kind is not None else picture.kind
    _check_holds(picture, wanted)
    if wanted == "JPEG":
        least = min(picture.quality or 0, 100)
        qualities = tuple(q for q in _JPEG_QUALITIES if q >= least)
        return tuple(Encoding(f"JPEG {q}", "JPEG", True, q) for q in qualities)
    lossless = Encoding(_NAMES[wanted], wanted, False, None)
    if wanted != "WEBP":
        return (lossless,)
    lossless = Encoding("WebP lossless", "WEBP", False, None)
    if picture.lossless:
        return (lossless,)
    return (*(Encoding(f"WebP {q}", "WEBP", True, q) for q in _WEBP_QUALITIES), lossless)


def encode(
    picture: Picture, pixels: Pixels, *, encoding: Encoding, kind: str | None = None
) -> bytes:
    """Write new pixels as a file, with everything else of the picture.

    In the picture's own kind its metadata is carried byte for byte (EXIF with the orientation
    tag, ICC, XMP, IPTC, resolution, comments); in another kind EXIF, ICC and XMP as that kind
    allows. Alpha is carried untouched.

    Parameters
    ----------
    picture : Picture
        The source.
    pixels : numpy.ndarray
        Shape and dtype of ``picture.pixels``.
    encoding : Encoding
        One of :func:`encodings`.
    kind : str, optional
        May be given for clearness; must be the encoding's.

    Returns
    -------
    bytes
        The whole file.

    Raises
    ------
    PictureError
        If the kind cannot hold the picture or its metadata.
    UsageError
        If shape or dtype differ, or `kind` is not the encoding's.
    """
    pixels = np.asarray(pixels)
    if pixels.shape != picture.pixels.shape or pixels.dtype != picture.pixels.dtype:
        raise UsageError(
            f"the new pixels are {pixels.dtype} {pixels.shape}, the picture's "
            f"{picture.pixels.dtype} {picture.pixels.shape}; they must be alike"
        )
    if kind is not None and _wanted(kind) != encoding.kind:
        raise UsageError(f"the encoding {encoding.name} does not write {kind}")
    _check_holds(picture, encoding.kind)
    if encoding.kind == "JPEG":
        return _encode_jpeg(picture, pixels, encoding)
    if encoding.kind == "PNG":
        return _encode_png(picture, pixels)
    if encoding.kind == "WEBP":
        return _encode_webp(picture, pixels, encoding)
    return _encode_tiff(picture, pixels)


def seen_as(pixels: Pixels, encoding: Encoding) -> Pixels:
    """Return the pixels that a reader would see if these alone were written so.

    Parameters
    ----------
    pixels : numpy.ndarray
        (h, w, c) as of a picture of that kind, of any size.
    encoding : Encoding
        JPEG, or one without loss.

    Raises
    ------
    UsageError
        If the encoding is another lossy one.
    """
    if not encoding.lossy:
        return pixels
    if encoding.kind != "JPEG":
        raise UsageError(f"only JPEG is foreseen, not {encoding.name}")
    data = encode_jpeg(pixels, encoding.quality or 100, progressive=False)
    return decode_jpeg(data, parse_jpeg(data, _UNLIMITED))


def _wanted(kind: str) -> Kind:
    found = KINDS.get(f".{kind.lower().removeprefix('.')}")
    if found is None:
        raise UsageError(f"no kind of picture {kind!r}; choose JPEG, PNG, WEBP or TIFF")
    return found


def _check_holds(picture: Picture, kind: str) -> None:
    """Refuse what a kind cannot hold."""
    if kind == "JPEG" and picture.alpha is not None:
        raise PictureError("a JPEG holds no transparency; write PNG, WebP or TIFF")
    if kind in ("JPEG", "WEBP") and picture.depth != 8:
        raise PictureError(f"a {_NAMES[kind]} holds no 16 bits a sample; write PNG or TIFF")


def _metadata(picture: Picture) -> Metadata:
    return read_metadata(picture.kind, picture.encoded)


def _with_alpha(picture: Picture, pixels: Pixels) -> Pixels:
    if picture.alpha is None:
        return pixels
    return np.concatenate([pixels, picture.alpha[..., None]], axis=2)


def _encode_jpeg(picture: Picture, pixels: Pixels, encoding: Encoding) -> bytes:
    data = encode_jpeg(
        pixels.astype(np.uint8, copy=False),
        encoding.quality or 100,
        progressive=picture.progressive,
    )
    if picture.kind == "JPEG":
        header = parse_jpeg(picture.encoded, _UNLIMITED)
        return splice_jpeg(data, tuple(each for each in header.segments if is_kept(*each)))
    # A JFIF segment comes with the coder; it must stand first.
    own = [each for each in parse_jpeg(data, _UNLIMITED).segments if each[0] == 0xE0]
    return splice_jpeg(data, (*own, *jpeg_segments(_metadata(picture))))


def _encode_png(picture: Picture, pixels: Pixels) -> bytes:
    data = encode_png(_with_alpha(picture, pixels))
    if picture.kind != "PNG":
        return splice_png(data, png_chunks(_metadata(picture)))
    header = parse_png(picture.encoded, _UNLIMITED)
    before, after = (
        tuple(each for each in side if each[0] in KEPT) for side in (header.before, header.after)
    )
    return splice_png(data, before, after)


def _encode_webp(picture: Picture, pixels: Pixels, encoding: Encoding) -> bytes:
    samples = np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels
    data = encode_webp(_with_alpha(picture, samples).astype(np.uint8, copy=False), encoding.quality)
    if picture.kind == "WEBP":
        header = parse_webp(picture.encoded, _UNLIMITED)
        return splice_webp(data, exif=header.exif, icc=header.icc, xmp=header.xmp)
    found = _metadata(picture)
    if found.icc is not None and found.icc[16:20] == b"GRAY":
        raise PictureError("a WebP is always in colour and holds no grey profile; write PNG")
    return splice_webp(data, exif=found.exif, icc=found.icc, xmp=found.xmp)


def _encode_tiff(picture: Picture, pixels: Pixels) -> bytes:
    samples = _with_alpha(picture, pixels)
    if picture.kind != "TIFF":
        return encode_tiff(samples, tiff_directory(_metadata(picture)))
    header = parse_tiff(picture.encoded, _UNLIMITED)
    extra = header.extra if picture.alpha is not None else STRAIGHT
    return encode_tiff(samples, header.directory, extra=extra)
