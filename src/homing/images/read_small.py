"""Small RGB pictures, squares for descriptors among them, read liberally from any kind of file."""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from PIL import Image

from homing.errors import PictureError, UsageError
from homing.images.colour import SRGB
from homing.images.formats.boxed.avif import decode_avif, parse_avif
from homing.images.formats.boxed.jxl import decode_jxl, parse_jxl
from homing.images.formats.jpeg import open_jpeg, parse_jpeg
from homing.images.formats.png import decode_png, parse_png
from homing.images.formats.read_only import open_other, open_unusual_tiff, read_heic
from homing.images.formats.tiff import UNSPECIFIED, parse_tiff
from homing.images.formats.tiff_pixels import check_blocks, decode_measured, decode_tiff
from homing.images.formats.tiff_tags import ORIENTATION
from homing.images.formats.webp import open_webp, parse_webp
from homing.images.kinds import sniff, unknown
from homing.images.limits import Source, decoder_errors_as, read_bytes
from homing.images.mended import read_liberally
from homing.images.pixels import Pixels, upright
from homing.images.samples import Samples, eight_bits, samples_of
from homing.images.told import Told
from homing.options import DEFAULT_LIMITS, Limits

_LARGEST = 8192
_DRAFT = 1.25  # JPEG's own shrinking may stop at this many times the square's side
_FULL = 65535  # a JPEG's largest side: nothing is shrunk on reading

SHOWS_NOTHING = "nearly blank: it cannot be searched for"

BLANK = 1.0
"""Standard deviation, in levels of 255, below which a channel counts as flat.

Of photographs whose contrast was lowered to so little, one in fifty was found again by homing-s,
by three times as much every third; of 1,000 photographs none had less than 15.
"""

SPECKS = 0.0075
"""Share of pixels that differ from the median, below which a picture shows nothing.

Pages with one line of print have up to .0067. Of 15,000 photographs none has less than .054, and of
those darkened to a thirtieth 1 in 300 has less.
"""

_SAME = 2  # levels of 255: a difference that is none, of noise and coding
_MOST_OF_SPECKS = 255 * SPECKS**0.5 + _SAME  # standard deviation

#: Of Pillow's modes; the others have three.
_CHANNELS = MappingProxyType({"1": 1, "L": 1, "LA": 1, "La": 1, "CMYK": 4})
_STEP = 2  # every second row and column will do


@dataclass(frozen=True, eq=False)
class Squashed:
    """A picture as a descriptor gets it, with size and checksum of its file."""

    pixels: npt.NDArray[np.uint8]  # (size, size, 3), RGB, upright
    width: int  # of the file, as stored
    height: int
    sha256: bytes  # of the file
    fitted: Image.Image | None = None  # see `read_fitted`, if wanted
    notes: tuple[str, ...] = ()  # what was wrong with the file


def read_squashed(
    source: Source, size: int, *, limits: Limits = DEFAULT_LIMITS
) -> npt.NDArray[np.uint8]:
    """Read a picture liberally and squash it to (size, size, 3) RGB, whatever its aspect.

    The kinds are JPEG, PNG, WebP, TIFF, AVIF, JPEG XL, GIF, BMP, JPEG 2000 and, with the extra
    ``heic``, HEIC. The whole picture is resampled (antialiased bilinear), then turned upright, and
    shown as sRGB by what its file tells of it (:mod:`homing.images.samples`). Alpha is laid over
    white, 16 bits become 8, palettes are expanded, and of several pictures in one file the first
    counts. A JPEG is decoded at the smallest of 1, 1/2, 1/4, 1/8 of its size that has at least 1.25
    times `size` pixels in both directions. `size` is 1..8192. A file that is cut short or slightly
    damaged is read as far as it goes.
    """
    return read_for_description(source, size, limits=limits).pixels


def read_for_description(
    source: Source, size: int, *, limits: Limits = DEFAULT_LIMITS, longer: int = 0
) -> Squashed:
    """Read a picture as :func:`read_squashed` does, with its size and checksum.

    With `longer` it comes as by :func:`read_fitted` too. The file is read once; only a JPEG whose
    shrunk picture is too small for that is decoded a second time.
    """
    _check_size(size)
    data = read_bytes(source, limits=limits)
    digest = hashlib.sha256(data).digest()

    def read(data: bytes) -> Squashed:
        with decoder_errors_as("the picture is truncated or damaged"):
            found = _open(data, size, limits)
            whole = replace(found, image=_rgb(found.image))
            pixels = whole.seen(_shrink(whole.image, size, whole.box))
            fitted = _fitted(whole, data, longer, limits) if longer else None
        return Squashed(pixels, found.width, found.height, digest, fitted)

    squashed, notes = read_liberally(data, read, limits)
    return replace(squashed, notes=notes)


def read_fitted(source: Source, longer: int, *, limits: Limits = DEFAULT_LIMITS) -> Image.Image:
    """Read a picture as liberally, with `longer` pixels on its longer side, or all it has.

    It is upright RGB. A JPEG is decoded at the smallest size that has as many pixels.
    """
    return read_fitted_of(read_bytes(source, limits=limits), longer, limits=limits)[0]


def read_fitted_of(
    data: bytes, longer: int, *, most: int = 0, limits: Limits = DEFAULT_LIMITS
) -> tuple[Image.Image, tuple[int, int]]:
    """Read a picture as :func:`read_fitted` does, with the size of the picture itself, upright.

    If up to `most` pixels will do, it comes with as many as it is decoded with.
    """

    def read(data: bytes) -> tuple[_Opened, Image.Image]:
        with decoder_errors_as("the picture is truncated or damaged"):
            opened = _open(data, 1, limits)
            return opened, _fitted(opened, data, longer, limits, most)

    (found, small), _ = read_liberally(data, read, limits)
    size = found.width, found.height
    return small, size[::-1] if found.samples.orientation >= 5 else size


def fit(
    image: Image.Image, longer: int, box: tuple[float, float, float, float] | None = None
) -> Image.Image:
    """Shrink an RGB picture to `longer` pixels on its longer side; it is never enlarged.

    Resampling is that of :func:`squash`: a sharper one makes previews larger by a fifth.
    """
    width, height = image.size if box is None else box[2:]
    scale = min(1.0, longer / max(width, height))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    if size == image.size:
        return image
    return image.resize(size, Image.Resampling.BILINEAR, box)


def _fitted(
    found: "_Opened", data: bytes, longer: int, limits: Limits, most: int = 0
) -> Image.Image:
    """Return an opened picture at its smaller size, from the file again if it was shrunk below."""
    whole = max(found.width, found.height)
    if max(found.image.size) < min(longer, whole):
        sides = (math.ceil(side * min(1, longer / whole)) for side in (found.width, found.height))
        found = _open_jpeg(data, (next(sides), next(sides)), limits)
    small = fit(_rgb(found.image), max(longer, most), found.box)
    return Image.fromarray(found.seen(np.array(small)))


def read_rgb(
    source: Source, *, limits: Limits = DEFAULT_LIMITS, least: int | None = None
) -> Image.Image:
    """Read a picture as liberally as :func:`read_squashed` does, at its full size: upright RGB.

    With `least` a JPEG may come at 1/2, 1/4 or 1/8 of its size, with at least 1.25 times that many
    pixels in both directions.
    """

    def read(data: bytes) -> Image.Image:
        with decoder_errors_as("the picture is truncated or damaged"):
            found = _open(data, _FULL if least is None else least, limits)
            return Image.fromarray(found.seen(np.array(_rgb(found.image))))

    return read_liberally(read_bytes(source, limits=limits), read, limits)[0]


def squash(image: Image.Image, size: int) -> npt.NDArray[np.uint8]:
    """Squash a picture in memory to (size, size, 3) by the rule of :func:`read_squashed`.

    `image` is of any mode but "F" and "LAB", and is not changed (a lazily opened file is loaded).
    """
    _check_size(size)
    if not isinstance(image, Image.Image):
        raise UsageError(f"squash takes a PIL image, not {type(image).__name__}")
    return _load(image, lambda loaded: _shrink(loaded, size))


def as_rgb(image: Image.Image) -> Image.Image:
    """Turn a picture in memory into upright 8-bit RGB at its full size, as :func:`squash` does."""
    samples = _load(image, lambda loaded: np.array(_rgb(loaded)))
    with decoder_errors_as("the picture cannot be read"):  # it is copied once more
        return Image.fromarray(samples)


def _load(
    image: Image.Image, samples: Callable[[Image.Image], npt.NDArray[np.uint8]]
) -> npt.NDArray[np.uint8]:
    """Return the samples of a picture in memory, as seen."""
    if not image.width or not image.height:
        raise PictureError(f"the picture has {image.width} x {image.height} pixels")
    with decoder_errors_as("the picture cannot be read"):
        image.load()
        told = _told_of(image)
        if told.exif is None:
            # Not wherever there is a block: Pillow warns about damaged ones.
            told = replace(told, orientation=image.getexif().get(ORIENTATION))
        found = _opened(image, told)
        return found.seen(samples(found.image))


def _check_size(size: int) -> None:
    if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= _LARGEST:
        raise UsageError(f"the side of the square must be 1..{_LARGEST} pixels, not {size!r}")


@dataclass(frozen=True, eq=False)
class _Opened:
    """A picture of 8 bits, perhaps at less than its full size, and the size of its file's."""

    image: Image.Image
    samples: Samples
    width: int
    height: int
    # A JPEG of 81 pixels shrunk by four has 21, of which the picture fills 20.25.
    box: tuple[float, float, float, float] | None = None

    def seen(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Return RGB pixels made of the image as they are seen: upright sRGB."""
        convert = self.samples.colour.convert
        return upright(pixels if convert is None else convert(pixels), self.samples.orientation)


def _open(data: bytes, size: int, limits: Limits) -> _Opened:
    kind = sniff(data)
    if kind == "JPEG":
        wanted = math.ceil(_DRAFT * size)
        return _open_jpeg(data, (wanted, wanted), limits)
    if kind == "PNG":
        png = parse_png(data, limits)
        return _of_samples(decode_png(data, png), png.told)
    if kind == "WEBP":
        told = parse_webp(data, limits).told  # and checks the size
        return _opened(open_webp(data), told)
    if kind in _DECODED:
        return _DECODED[kind](data, limits)
    if not kind:
        raise unknown(data)
    other = open_other(data, kind, limits)
    # Pillow fills the range with what a JPEG 2000 has.
    return _opened(other, replace(_told_of(other), bits=16))


def _open_jpeg(data: bytes, wanted: tuple[int, int], limits: Limits) -> _Opened:
    """Open a JPEG at the smallest of its sizes with that many pixels across and down."""
    header = parse_jpeg(data, limits)
    image = open_jpeg(data, header)
    draft = image.draft(None, wanted)
    box = draft[1] if draft else None
    opened = _opened(image, header.told)
    return replace(opened, width=header.width, height=header.height, box=box)


def _open_tiff(data: bytes, limits: Limits) -> _Opened:
    header = parse_tiff(data, limits, first_page=True)
    if header.measured:
        told = replace(header.told, bits=16, bits_by="its largest sample")
        return _of_samples(decode_measured(data, header, limits), told)
    if header.refusal:
        check_blocks(data, header, limits)
        return _opened(open_unusual_tiff(data, header), header.told)
    samples = decode_tiff(data, header, limits)
    if samples.shape[2] % 2 == 0 and header.extra == UNSPECIFIED:
        samples = samples[..., :-1]
    return _of_samples(samples, header.told)


def _open_avif(data: bytes, limits: Limits) -> _Opened:
    header = parse_avif(data, limits)
    return _of_samples(decode_avif(header), header.told)


def _open_jxl(data: bytes, limits: Limits) -> _Opened:
    found = parse_jxl(data, limits)
    return _of_samples(decode_jxl(found), found.told)


def _open_heic(data: bytes, limits: Limits) -> _Opened:
    return _of_samples(*read_heic(data, limits))


_DECODED: MappingProxyType[str, Callable[[bytes, Limits], _Opened]] = MappingProxyType(
    {"TIFF": _open_tiff, "AVIF": _open_avif, "JXL": _open_jxl, "HEIC": _open_heic}
)


def _opened(image: Image.Image, told: Told) -> _Opened:
    """Return a picture as Pillow has it; inks are taken to sRGB by their profile at once."""
    if image.mode.startswith("I"):
        wide = np.asarray(image)
        if wide.min() < 0 or wide.max() > 65535:
            raise PictureError("32-bit pixels beyond 0..65535 are not handled; save 16 bits")
        return _of_samples(wide.astype(np.uint16, copy=False)[..., None], told)
    samples = samples_of(told, channels=_CHANNELS.get(image.mode, 3))
    if image.mode == "CMYK" and samples.colour.convert is not None:
        image = Image.fromarray(samples.colour.convert(np.asarray(image)))
        samples = replace(samples, colour=SRGB)
    return _Opened(image, samples, *image.size)


def _of_samples(stored: Pixels, told: Told) -> _Opened:
    """Return (h, w, 1..4) samples as a picture of 8 bits.

    One with tones unlike those of sRGB is taken to sRGB at once: 8 bits of linear light are too
    few. Others are so when they are small.
    """
    height, width, channels = stored.shape
    colours, alpha = (stored[..., :-1], stored[..., -1]) if channels % 2 == 0 else (stored, None)
    samples = samples_of(told, colours, alpha)
    white, changed = samples.white, not samples.colour.even
    if changed:
        colours, white = samples.displayed(colours)
        samples = replace(samples, colour=SRGB)
    if stored.dtype == np.uint16 or changed:
        parts = [eight_bits(colours, white)]
        if alpha is not None:
            parts.append(eight_bits(alpha[..., None], samples.opaque))
        stored = np.concatenate(parts, axis=2)
    image = Image.fromarray(np.ascontiguousarray(stored[..., 0] if channels == 1 else stored))
    return _Opened(image, samples, width, height)


def _told_of(image: Image.Image) -> Told:
    """Return what Pillow knows of a picture's samples."""
    found = image.info
    exif, gamma, colours = found.get("exif"), found.get("gamma"), found.get("chromaticity")
    xmp = found.get("xmp", found.get("XML:com.adobe.xmp"))
    return Told(
        exif=exif if isinstance(exif, bytes) else None,
        xmp=xmp.encode("utf-8", "replace") if isinstance(xmp, str) else xmp,
        icc=found.get("icc_profile"),
        srgb="srgb" in found,
        gamma=round(gamma * 100000) if isinstance(gamma, float) else None,
        chromaticities=tuple(colours) if isinstance(colours, tuple) else None,
    )


def _rgb(image: Image.Image) -> Image.Image:
    """Return a picture of any mode as RGB, alpha laid over white."""
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode in ("F", "LAB"):
        raise PictureError(f"pixels of mode {image.mode} have no agreed range; save 8 or 16 bits")
    if "A" in image.mode or "a" in image.mode or "transparency" in image.info:
        # Pillow knows no way from premultiplied grey to RGBA.
        clear = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
        white = Image.new("RGBA", clear.size, "white")
        return Image.alpha_composite(white, clear).convert("RGB")
    return image.convert("RGB")


def _shrink(
    image: Image.Image, size: int, box: tuple[float, float, float, float] | None = None
) -> npt.NDArray[np.uint8]:
    return np.array(_rgb(image).resize((size, size), Image.Resampling.BILINEAR, box))


def shows_nothing(squares: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Return which squares, (..., S, S, 3), show nothing: flat ones, or but for a few specks.

    In a flat one no channel deviates by :data:`BLANK`. In others fewer than :data:`SPECKS` of the
    pixels differ from the median in any channel: a white page with one line, a black frame with a
    spot. The descriptor of such a picture is that of its colour: alike for all blank pictures,
    however they came about, and near that of any dark corner or clear sky. It is no ground for a
    verdict.
    """
    seen = squares[..., ::_STEP, ::_STEP, :].astype(np.float32)
    deviation = seen.std(axis=(-3, -2)).max(axis=-1)
    empty = np.asarray(deviation < BLANK)
    # More specks than these would deviate more, even if black on white.
    for place in np.argwhere(~empty & (deviation < _MOST_OF_SPECKS)):
        square = seen[tuple(place)]
        median = np.quantile(square, 0.5, axis=(0, 1), method="lower")
        empty[tuple(place)] = (np.abs(square - median).max(axis=2) > _SAME).mean() < SPECKS
    return empty
