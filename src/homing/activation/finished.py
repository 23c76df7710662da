"""Finished files: a gain is applied to the full picture, and the picture coded in its budget."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from homing.activation.budget import Coded, Coder, code_without_change, fit_to_budget
from homing.activation.prepared import FullSize, PreparedPicture, psnr_of_all
from homing.errors import PictureError
from homing.images.encode import Encoding, encode, encodings, round_trip
from homing.images.metrics import ssim
from homing.images.picture import Picture, decode_pixels
from homing.images.pixels import as_stored
from homing.images.read_small import SHOWS_NOTHING, read_squashed, shows_nothing
from homing.options import Limits

_STRICTER = 3  # times that a picture is coded again for more similarity
_STRICTER_BY = 0.99  # of the estimate, so that the first is mostly enough
_BAND_PIXELS = 1 << 18  # a band's arrays stay in the processor's cache
_LARGE = 4_000_000  # pixels above which the change is held in half precision


@dataclass(frozen=True)
class FileRules:
    """Requirements of the files written."""

    psnr: float  # least, dB, over the visible pixels
    kind: str | None  # None: each picture's own
    limits: Limits
    least_ssim: float | None = None  # of the visible pixels


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
    squashed: NDArray[np.uint8]  # (S, S, 3), as the descriptor sees the file
    notes: tuple[str, ...]


def finish(
    prepared: PreparedPicture,
    full: FullSize,
    gain: NDArray[np.float32],
    budget_share: float,
    rules: FileRules,
) -> FinishedPicture:
    """Apply a gain, (S, S, 3) and upright, to the full picture, and code it within the budget.

    The change takes at most `budget_share` of the budget's root mean square, and less in a picture
    whose structural similarity would be below `rules.least_ssim`. Raises `PictureError` if
    `rules.kind` differs from the picture's own and cannot hold it within the budget.
    """
    picture = full.picture
    stored = as_stored(gain * prepared.channels, prepared.orientation)
    channels = picture.pixels.shape[2]  # in a grey picture all three gains are alike
    change = full_change(stored[:, :, :channels], full.tolerance)
    kind = rules.kind or picture.kind
    if kind == "WEBP" and channels == 1:  # which is always in colour
        picture = replace(picture, pixels=np.repeat(picture.pixels, 3, axis=2))
        change = np.repeat(change, 3, axis=2)
    least_psnr = psnr_of_all(prepared, rules.psnr)
    coders = [_coder(picture, encoding, kind) for encoding in encodings(picture, kind=kind)]

    def fitted(share: float) -> tuple[Coded, float | None]:
        pixels, peak = picture.pixels, picture.peak
        coded = fit_to_budget(
            pixels, change, peak=peak, least_psnr=least_psnr, coders=coders, budget_share=share
        ) or _unchanged(picture, kind, coders, least_psnr)
        return coded, ssim(pixels, coded.pixels, peak=peak)

    least_ssim = None
    if rules.least_ssim is not None:
        least_ssim = 1 - (1 - rules.least_ssim) * prepared.visibility.share
    coded, similarity = _fit_similarity(fitted, budget_share, least_ssim)
    squashed = prepared.grids.squashed
    return FinishedPicture(
        data=coded.data,
        psnr=coded.psnr,
        kind=kind,
        width=picture.width,
        height=picture.height,
        source_sha256=prepared.sha256,
        ssim=similarity,
        squashed=read_squashed(coded.data, squashed.shape[0], limits=rules.limits),
        notes=_notes(picture, squashed, coded, rules.psnr),
    )


def full_change(gain: NDArray[np.float32], tolerance: NDArray[np.float16]) -> NDArray[np.floating]:
    """Return ``tolerance ⊙ upsampled(gain)`` in units of the full range, (H, W, C).

    `gain` is (S, S, C), oriented as the stored pixels, and interpolated bicubically; `tolerance` is
    (H, W). The result is float32, float16 above four million pixels, computed band by band.
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


def _fit_similarity(
    fitted: Callable[[float], tuple[Coded, float | None]], share: float, least: float | None
) -> tuple[Coded, float | None]:
    """Change less until the file is similar enough; the loss of coding itself stays."""
    coded, similarity = fitted(share)
    for _ in range(_STRICTER):
        if least is None or similarity is None or similarity >= least or coded.scale == 0:
            break
        # The loss of similarity grows nearly with the square of the change.
        share *= math.sqrt((1 - least) / (1 - similarity)) * _STRICTER_BY
        coded, similarity = fitted(share)
    return coded, similarity


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
        return Coded(picture.encoded, picture.pixels, math.inf, 0.0, "unchanged")
    coded = code_without_change(picture.pixels, picture.peak, least_psnr, coders)
    if coded is None:
        raise PictureError(
            f"cannot be written as {kind} with a PSNR of {least_psnr:g} dB, even without any "
            "change; choose a lossless format or a lower PSNR"
        )
    return coded


def _notes(
    picture: Picture, squashed: NDArray[np.uint8], coded: Coded, psnr: float
) -> tuple[str, ...]:
    notes = picture.notes
    if shows_nothing(squashed):
        notes = (*notes, SHOWS_NOTHING)
    if math.isinf(coded.psnr):
        unchanged = f"left unchanged: rounding leaves nothing of what may change within {psnr:g} dB"
        notes = (*notes, unchanged)
    return notes
