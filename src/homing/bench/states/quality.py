"""Quality of a file: its distance from its source, what is seen of that, and its bytes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from homing.bench.states.visibility import as_shown, measure_visibility
from homing.errors import PictureError
from homing.images import psnr, read_picture, ssim
from homing.options import Limits

Pixels = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Quality:
    """Distance of a file from its source, measured on both as displayed.

    SSIMULACRA2, FLIP and CIEDE2000 are of the pictures as shown on a screen: larger ones are
    shrunk to 1,600 pixels.
    """

    psnr: float  # dB; infinite if nothing changed
    ssim: float | None  # None below seven pixels a side
    largest: float  # largest change of a sample, in levels of 255
    ssimulacra2: float | None  # at most 100; None below eight pixels a side
    flip: float | None  # mean, 0..1; None without its package
    delta_e: float  # CIEDE2000, mean
    bytes_over_source: float  # bytes of the file over its source's


def compare_files(pair: tuple[Path, Path, Limits]) -> "Quality | PictureError":
    """Measure a file against its source: source, file, and the decoding limits."""
    source, file, limits = pair
    try:
        a, b = (read_picture(path, limits=limits) for path in (source, file))
    except PictureError as error:
        return error
    (original, peak), (written, white) = (each.samples.displayed(each.pixels) for each in (a, b))
    if white > peak:
        original = original.astype(written.dtype) * (white // peak)
    if original.shape != written.shape:
        original, _ = np.broadcast_arrays(original, written)
    growth = len(b.encoded) / len(a.encoded)
    return measure_quality(original, written, peak=white, bytes_over_source=growth)


def measure_quality(
    original: Pixels, written: Pixels, *, peak: int, bytes_over_source: float
) -> Quality:
    """Measure pixels, (h, w, c) in 0..`peak`, against the original ones."""
    change = np.abs(original.astype(np.int64) - written)
    seen = measure_visibility(*(as_shown(each, peak=peak) for each in (original, written)))
    return Quality(
        psnr(original, written, peak=peak),
        ssim(original, written, peak=peak),
        float(change.max(initial=0)) * 255 / peak,
        seen.ssimulacra2,
        seen.flip,
        seen.delta_e,
        bytes_over_source,
    )
