"""Finished files: a gain is applied to the full picture, and the picture coded in its budget."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from homing.activation.budget import (
    NO_PIXELS,
    Coded,
    Coder,
    ScaledCoder,
    code_without_change,
    fit_scale,
    fit_to_budget,
)
from homing.activation.laid import LARGEST_SCALE, LaidChange, lay
from homing.activation.masking.perceptual import Masking
from homing.activation.prepared import PreparedPicture, full_size, psnr_of_all
from homing.activation.visible import fit_visible
from homing.errors import PictureError
from homing.images.encode import Encoding, encode, encodings, find_kind, round_trip
from homing.images.formats.jpeg import decode_black, decode_jpeg, decode_written, parse_jpeg
from homing.images.formats.jpeg_coefficients import (
    Coefficients,
    excerpt,
    read_coefficients,
    write_coefficients,
)
from homing.images.limits import UNLIMITED
from homing.images.metadata.carried import notes_coded, notes_in_place
from homing.images.metrics import psnr, ssim
from homing.images.picture import Picture, decode_pixels
from homing.images.pixels import as_stored
from homing.images.preview import encode_preview
from homing.images.read_small import SHOWS_NOTHING, read_for_description, shows_nothing
from homing.images.seen import SeenPicture
from homing.options import Limits
from homing.workers.memory import return_freed_memory

UNCHANGED = "unchanged"
"""Coding of a file that is its source, byte for byte."""

_NEARLY_ALL_FLAT = 0.1  # of the pixels that may change
_BAND_PIXELS = 1 << 18  # a band's arrays stay in the processor's cache
_TRIED_IN_PART = 1_000_000  # pixels above which a part is coded before the whole
_LARGE = 4_000_000  # pixels above which the change is held in half precision


_Code: TypeAlias = Callable[[float], Coded]  # of the largest scale


@dataclass(frozen=True)
class FileRules:
    """Requirements of the files written."""

    psnr: float  # least, dB, over the visible pixels
    kind: str | None  # None: each picture's own
    limits: Limits
    least_visible: float | None = None  # SSIMULACRA2; see `homing.images.seen`
    preview: int = 0  # longer side of the file's preview, pixels; 0: none


@dataclass(frozen=True)
class FinishedPicture:
    """A picture coded within its budget; see :class:`~homing.activation.activator.Activated`.

    It does not hold its pixels at full size: a batch of them would be the peak of memory.
    """

    data: bytes
    psnr: float
    kind: str
    width: int
    height: int
    source_sha256: bytes
    ssim: float | None
    ssimulacra2: float | None
    squashed: NDArray[np.uint8]  # (S, S, 3), as the descriptor sees the file
    preview: bytes | None
    notes: tuple[str, ...]


def finish(
    prepared: PreparedPicture,
    picture: Picture,
    masking: Masking,
    gain: NDArray[np.float32],
    largest: float,
    rules: FileRules,
) -> FinishedPicture:
    """Apply a gain to the full picture, and code it within the budget.

    The gain is (S, S, 3), or (S, S, 1) for all channels, and upright. The change is scaled by at
    most `largest`, by less where the PSNR or the SSIMULACRA2 of the file would be below those of
    `rules`. Raises `PictureError` if `rules.kind` differs from the picture's own and cannot hold it
    within the budget.
    """
    stored = as_stored(gain * prepared.channels, prepared.orientation)
    channels = 1 if prepared.alike else picture.pixels.shape[2]
    full = prepared.full or full_size(picture, masking)
    change = full_change(stored[:, :, :channels], full.tolerance)
    del full  # of a large picture it is not needed again
    kind = rules.kind or picture.kind
    code, even, notes = coding(picture, change, kind, psnr_of_all(prepared, rules.psnr))
    del change  # laid on a JPEG's coefficients it is there once more
    shown, white = picture.samples.displayed(picture.pixels)
    seen = SeenPicture.of(shown, peak=white, opacity=picture.opacity)

    def score(pixels: NDArray[np.integer]) -> float | None:
        return seen.ssimulacra2(picture.samples.displayed(pixels)[0])

    coded, visible = fit_visible(code, score, least=rules.least_visible, largest=largest * even)
    del code  # and what it lays
    if coded.pixels is NO_PIXELS:
        coded = replace(coded, pixels=decode_pixels(coded.data))
    side = prepared.grids.squashed.shape[0]
    read = read_for_description(coded.data, side, limits=rules.limits, longer=rules.preview)
    return FinishedPicture(
        data=coded.data,
        psnr=coded.psnr,
        kind=kind,
        width=picture.width,
        height=picture.height,
        source_sha256=prepared.sha256,
        ssim=_similarity(picture, coded),
        ssimulacra2=visible,
        squashed=read.pixels,
        preview=None if read.fitted is None else encode_preview(read.fitted),
        notes=_notes(notes, prepared, coded, rules) + _seen_note(visible, rules),
    )


def full_change(gain: NDArray[np.float32], tolerance: NDArray[np.float16]) -> NDArray[np.floating]:
    """Return ``tolerance ⊙ upsampled(gain)`` in units of the full range, (H, W, C).

    `gain` is (S, S, C), C one if all channels of a picture change alike, oriented as the stored
    pixels, and interpolated bicubically; `tolerance` is (H, W). The result is float32, float16
    above four million pixels, computed band by band.
    """
    height, width = tolerance.shape
    grid, _, channels = gain.shape
    dtype = np.float16 if height * width > _LARGE else np.float32
    change = np.empty((height, width, channels), dtype=dtype)
    images = [Image.fromarray(np.ascontiguousarray(gain[:, :, c])) for c in range(channels)]
    band = max(1, _BAND_PIXELS // width)
    for top in range(0, height, band):
        bottom = min(top + band, height)
        box = (0.0, top * grid / height, float(grid), bottom * grid / height)
        size = (width, bottom - top)
        allowed = tolerance[top:bottom].astype(np.float32)
        for channel, image in enumerate(images):
            spread = np.asarray(image.resize(size, Image.Resampling.BICUBIC, box))
            change[top:bottom, :, channel] = spread * allowed
    return change


def _similarity(picture: Picture, coded: Coded) -> float | None:
    shown, white = picture.samples.displayed(picture.pixels)
    if coded.pixels.shape[2] > shown.shape[2]:  # a WebP is always in colour
        shown = np.repeat(shown, 3, axis=2)
    return ssim(shown, picture.samples.displayed(coded.pixels)[0], peak=white)


def coding(
    picture: Picture, change: NDArray[np.floating], kind: str, least_psnr: float
) -> tuple[_Code, float, tuple[str, ...]]:
    """Return how a picture is coded, the scale at which its change arrives whole, and notes."""
    if kind == picture.kind == "JPEG":
        try:
            return *_laid(picture, change, least_psnr), notes_in_place(picture)
        except PictureError as error:
            notes = (
                *notes_coded(picture, kind),
                f"coded anew, with all its pixels, because {error}",
            )
            return _with_pixels(picture, change, kind, least_psnr), 1.0, notes
    notes = notes_coded(picture, find_kind(kind))
    return _with_pixels(picture, change, kind, least_psnr), 1.0, notes


def _laid(picture: Picture, change: NDArray[np.floating], least_psnr: float) -> tuple[_Code, float]:
    """Lay the change on the JPEG's own coefficients; `PictureError` if that cannot be."""
    header = parse_jpeg(picture.encoded, UNLIMITED)
    light = decode_black(picture.encoded, header) if picture.inks else None
    if not picture.samples.colour.even:
        change = picture.samples.steps(picture.pixels, change) / np.float32(picture.samples.white)
    laid = lay(read_coefficients(picture.encoded, header), change, light)
    large = picture.width * picture.height > _TRIED_IN_PART

    def code(scale: float) -> bytes:
        if large:
            return_freed_memory()  # of looking at the attempt before
        return write_coefficients(picture.encoded, laid.at(scale))

    def decode(data: bytes) -> NDArray[np.integer]:
        return decode_written(data, parse_jpeg(data, UNLIMITED))

    trial = _trial(picture.encoded, laid) if large else None
    coder = ScaledCoder("JPEG coefficients", LARGEST_SCALE, code, decode, laid.error, trial)
    unchanged = Coded(picture.encoded, picture.pixels, math.inf, 0.0, UNCHANGED)

    def fitted(largest: float) -> Coded:
        limited = replace(coder, largest=min(largest, LARGEST_SCALE))
        coded = fit_scale(picture.pixels, limited, samples=picture.samples, least_psnr=least_psnr)
        # Without a change the file is the source, and not one with other Huffman tables.
        return unchanged if coded is None or math.isinf(coded.psnr) else coded

    return fitted, laid.even_scale()


def _trial(data: bytes, laid: LaidChange) -> Callable[[float], float]:
    """Return a function that codes a sample of a JPEG, and compares its error with the foreseen."""
    rows = laid.sample
    empty, before = excerpt(data, laid.original, rows)

    def shown(part: Coefficients) -> NDArray[np.uint8]:
        written = write_coefficients(empty, part)
        return decode_jpeg(written, parse_jpeg(written, UNLIMITED))

    def tried(scale: float) -> float:
        _, after = excerpt(data, laid.at(scale), rows)
        decibels = psnr(shown(before), shown(after), peak=255)
        foreseen = laid.error_of_sample(scale)
        return float(10 ** (-decibels / 10)) / foreseen if foreseen and decibels < math.inf else 1.0

    return tried


def _with_pixels(
    picture: Picture, change: NDArray[np.floating], kind: str, least_psnr: float
) -> _Code:
    """Code all pixels anew, in the first of the kind's codings that will do."""
    if kind == "WEBP" and picture.pixels.shape[2] == 1:  # which is always in colour
        picture = replace(picture, pixels=np.repeat(picture.pixels, 3, axis=2))
    coders = [_coder(picture, encoding, kind) for encoding in encodings(picture, kind=kind)]

    def fitted(largest: float) -> Coded:
        pixels, samples = picture.pixels, picture.samples
        coded = fit_to_budget(
            pixels, change, samples=samples, least_psnr=least_psnr, coders=coders, largest=largest
        )
        if coded is None or (math.isinf(coded.psnr) and kind == picture.kind):
            return _unchanged(picture, kind, coders, least_psnr)
        return coded

    return fitted


def _coder(picture: Picture, encoding: Encoding, kind: str) -> Coder:
    def code(pixels: NDArray[np.integer]) -> tuple[bytes, NDArray[np.integer]]:
        data = encode(picture, pixels, encoding=encoding, kind=kind)
        return data, decode_pixels(data)

    def preview(pixels: NDArray[np.integer]) -> NDArray[np.integer]:
        return round_trip(pixels, encoding)

    # A WebP block is predicted from its neighbours: of its rows alone, coding costs more.
    return Coder(encoding.name, encoding.lossy, code, preview if kind == "JPEG" else None)


def _unchanged(picture: Picture, kind: str, coders: Sequence[Coder], least_psnr: float) -> Coded:
    if kind == picture.kind:
        return Coded(picture.encoded, picture.pixels, math.inf, 0.0, UNCHANGED)
    coded = code_without_change(picture.pixels, picture.samples, least_psnr, coders)
    if coded is None:
        raise PictureError(
            f"cannot be written as {kind} with a PSNR of {least_psnr:g} dB, even without any "
            "change; choose a lossless format or a lower PSNR"
        )
    return coded


def _seen_note(visible: float | None, rules: FileRules) -> tuple[str, ...]:
    if visible is None or rules.least_visible is None or visible >= rules.least_visible:
        return ()
    return (f"SSIMULACRA2 below {rules.least_visible:g}: coding alone loses as much",)


def _notes(
    notes: tuple[str, ...], prepared: PreparedPicture, coded: Coded, rules: FileRules
) -> tuple[str, ...]:
    if coded.coding == UNCHANGED:
        notes = ()  # the file is the source: nothing is lost
    if shows_nothing(prepared.grids.squashed):
        notes = (*notes, SHOWS_NOTHING)
    changeable = prepared.visibility.changeable
    if changeable == 0:
        return (*notes, "left unchanged: all of it is flat or transparent")
    if math.isinf(coded.psnr):
        left = (
            f"left unchanged: rounding leaves nothing of what may change within {rules.psnr:g} dB"
        )
        return (*notes, left)
    if changeable < _NEARLY_ALL_FLAT:
        flat = f"only {changeable:.1%} of its pixels may change: the others are flat and stay so"
        return (*notes, flat)
    return notes
