"""Visibility of a change, by measures that see colour: SSIMULACRA2, FLIP and CIEDE2000.

Pixels are taken for sRGB. FLIP needs the package ``flip-evaluator`` of the extra ``bench``; its
figure is None without it.
"""

import importlib.util
from dataclasses import dataclass

import numpy as np
from PIL import Image

from homing.images.pixels import Pixels
from homing.images.ssimulacra2 import ssimulacra2

SCREEN = 1600
"""Longer side of a picture on a screen, pixels: a larger one is seen shrunk to it."""


@dataclass(frozen=True)
class Visibility:
    """Visibility of a change."""

    ssimulacra2: float | None  # at most 100; None below eight pixels a side
    flip: float | None  # mean, 0..1, at 67 pixels a degree; None without its package
    delta_e: float  # CIEDE2000, mean
    delta_e_99: float  # its 99th percentile


def has_flip() -> bool:
    """Return whether FLIP can be measured here."""
    return importlib.util.find_spec("flip_evaluator") is not None


def measure_visibility(original: Pixels, other: Pixels) -> Visibility:
    """Measure two pictures of one shape, (h, w, 1) or (h, w, 3), of 8 bits."""
    # A grey picture has equal channels.
    colours = (np.broadcast_to(each, (*each.shape[:2], 3)) for each in (original, other))
    before, after = (np.ascontiguousarray(each, np.float32) / 255 for each in colours)
    mean, high = _colour_differences(before, after)
    return Visibility(ssimulacra2(original, other, peak=255), _flip(before, after), mean, high)


def _flip(before: Pixels, after: Pixels) -> float | None:
    if not has_flip():
        return None
    import flip_evaluator

    return float(flip_evaluator.evaluate(before, after, "LDR", applyMagma=False)[1])


def _colour_differences(before: Pixels, after: Pixels) -> tuple[float, float]:
    from skimage.color import deltaE_ciede2000, rgb2lab

    differences = deltaE_ciede2000(rgb2lab(before), rgb2lab(after))
    mean = float(np.mean(differences, dtype=np.float64))
    return mean, float(np.percentile(differences, 99))


def as_shown(pixels: Pixels, *, peak: int, side: int = SCREEN) -> Pixels:
    """Return a picture of 8 bits, shrunk by Lanczos if its longer side exceeds `side`."""
    scaled = pixels if peak == 255 else np.rint(pixels * (255 / peak))
    shown = np.asarray(scaled, dtype=np.uint8)
    height, width, channels = shown.shape
    longer = max(height, width)
    if longer <= side:
        return shown
    size = max(1, round(width * side / longer)), max(1, round(height * side / longer))
    image = Image.fromarray(shown[..., 0] if channels == 1 else shown)
    shrunk = np.asarray(image.resize(size, Image.Resampling.LANCZOS))
    return shrunk.reshape(*shrunk.shape[:2], channels)
