"""Just noticeable differences, and the rule by which changes hide.

The map of just noticeable differences (JND) is that of Wu et al., "Enhanced just noticeable
difference model for images with pattern complexity" (IEEE TIP 2017), as used by Fernandez et al.,
"Active Image Indexing" (ICLR 2023), section 3.2: luminance masking (dark and bright places hide
more) plus contrast masking (edges and texture hide more), less their overlap.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from homing.images.pixels import LUMA

#: ITU-R BT.601 luma coefficients of R, G, B.
LUMINANCE_WEIGHTS = np.array(LUMA, dtype=np.float32)

#: Share of the map that each channel may take, 0.072 over its luma coefficient (Fernandez et al.,
#: appendix): each channel then adds the same to the luminance, blue changing five times green.
CHANNEL_WEIGHTS = 0.072 / LUMINANCE_WEIGHTS

#: The same for a single-channel picture: three channels' worth of luminance in one.
GREY_WEIGHT = np.float32(3 * 0.072)

# Wu et al., equations 3 to 8; levels are 8-bit.
_DARK_GAIN, _BRIGHT_GAIN, _BASE, _MIDDLE = 17.0, 3.0 / 128.0, 3.0, 127.0
_CONTRAST_GAIN, _CONTRAST_POWER, _CONTRAST_KNEE = 0.117 * 16.0, 2.4, 26.0
_OVERLAP = 0.3
_FLOOR = 5.0  # the published code clips here: flat places may change by 5 levels too
_HALO = 2  # rows that the 5×5 kernel sees beyond a band
_BAND_PIXELS = 1 << 18  # a band's arrays stay in the processor's cache


def just_noticeable_difference(pixels: NDArray[np.integer], *, peak: int) -> NDArray[np.float16]:
    """Return the largest change that stays unseen at every pixel, (H, W) float16 in [5/255, ~0.3].

    In units of the full range (1 is black to white). `pixels` is (H, W, 1 or 3), uint8 or uint16;
    `peak` is white, 255 or 65535. Computed band by band, so that memory stays small.
    """
    height, width = pixels.shape[:2]
    tolerance = np.empty((height, width), dtype=np.float16)
    band = max(1, _BAND_PIXELS // width)
    for top in range(0, height, band):
        bottom = min(top + band, height)
        first, last = max(top - _HALO, 0), min(bottom + _HALO, height)
        levels = luminance(pixels[first:last], peak)
        tolerance[top:bottom] = _map_of_levels(levels)[top - first : bottom - first]
    return tolerance


def luminance(pixels: NDArray[np.integer], peak: int) -> NDArray[np.float32]:
    """Return the luminance in 8-bit levels, (H, W) float32."""
    if pixels.shape[2] == 1:
        return pixels[:, :, 0].astype(np.float32) * np.float32(255 / peak)
    weights = LUMINANCE_WEIGHTS * np.float32(255 / peak)
    levels: NDArray[np.float32] = pixels[:, :, 0] * weights[0]
    levels += pixels[:, :, 1] * weights[1]
    levels += pixels[:, :, 2] * weights[2]
    return levels


def _map_of_levels(levels: NDArray[np.float32]) -> NDArray[np.float32]:
    luminance_masking, contrast_masking = _luminance_masking(levels), _contrast_masking(levels)
    total: NDArray[np.float32] = np.minimum(luminance_masking, contrast_masking)
    total *= np.float32(-_OVERLAP)
    total += luminance_masking
    total += contrast_masking
    np.maximum(total, np.float32(_FLOOR), out=total)
    total /= np.float32(255)
    return total


def _luminance_masking(levels: NDArray[np.float32]) -> NDArray[np.float32]:
    # The published 5×5 kernel, 1 on the outer ring, 2 on the inner, 0 in the middle, over 32, is
    # the sum over 5×5, plus the sum over 3×3, less twice the middle: a few additions, not 25.
    padded = np.pad(levels, 2, mode="edge")
    three = padded[:, 1:-3] + padded[:, 2:-2] + padded[:, 3:-1]
    five = three + padded[:, :-4] + padded[:, 4:]
    background = five[:-4] + five[1:-3] + five[2:-2] + five[3:-1] + five[4:]
    background += three[1:-3] + three[2:-2] + three[3:-1]
    background -= 2 * levels
    background *= np.float32(1 / 32)
    np.maximum(background, 0, out=background)  # sums may end a rounding below zero on black
    root = np.sqrt(background / np.float32(_MIDDLE) + np.float32(1e-3))
    dark = np.float32(_DARK_GAIN + _BASE) - np.float32(_DARK_GAIN) * root
    bright = np.float32(_BRIGHT_GAIN) * (background - np.float32(_MIDDLE)) + np.float32(_BASE)
    masking: NDArray[np.float32] = np.where(background <= np.float32(_MIDDLE), dark, bright)
    return masking


def _contrast_masking(levels: NDArray[np.float32]) -> NDArray[np.float32]:
    padded = np.pad(levels, 1, mode="edge")
    across = padded[:, 2:] - padded[:, :-2]  # Sobel: difference one way, 1-2-1 the other
    down = padded[2:] - padded[:-2]
    gradient_x = across[:-2] + 2 * across[1:-1] + across[2:]
    gradient_y = down[:, :-2] + 2 * down[:, 1:-1] + down[:, 2:]
    squared = gradient_x * gradient_x + gradient_y * gradient_y
    knee = np.float32(_CONTRAST_KNEE**2)
    power = np.float32(_CONTRAST_POWER / 2)  # of the squared gradient
    masking: NDArray[np.float32] = np.float32(_CONTRAST_GAIN) * squared**power / (squared + knee)
    return masking


@dataclass(frozen=True)
class Masking:
    """A rule of where changes hide."""

    #: ``tolerance(pixels, peak=...)``, as :func:`just_noticeable_difference`.
    tolerance: Callable[..., NDArray[np.float16]]
    channels: tuple[float, float, float]  # share of the tolerance that red, green, blue may take
    grey: float  # the same for channels that change alike
    #: Whether only luminance changes: red, green and blue of a place by the same amount.
    luminance_alone: bool = False
    #: Largest root mean square of the gain, the change over its tolerance, that is not seen. A
    #: picture without texture then stays far above its PSNR. None: only the PSNR bounds a change.
    unseen_gain: float | None = None

    def weights(self, *, alike: bool) -> NDArray[np.float32]:
        """Return the shares of three channels, (3,); equal if they change alike."""
        return np.array([self.grey] * 3 if alike else self.channels, np.float32)


PUBLISHED = Masking(
    just_noticeable_difference,
    tuple(float(weight) for weight in CHANNEL_WEIGHTS),  # type: ignore[arg-type]
    float(GREY_WEIGHT),
)
"""The map and the shares of Fernandez et al."""
