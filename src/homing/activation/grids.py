"""From the descriptor's small grid to the full picture and back.

A change is optimised on the grid that the descriptor sees (S×S), so its cost does not grow with the
picture; it is laid on the full picture as ``change = JND ⊙ upsampled(gain)``. What the descriptor
then sees of it is the squash of that, close to ``squash(JND) ⊙ gain``, which is what the loop
optimises. (To apply in the loop the low-pass of going up and down again was tried: it gains
nothing measurable.)
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_BAND_PIXELS = 1 << 18  # a band's arrays stay in the processor's cache
_LARGE = 4_000_000  # pixels above which the change is kept in half precision


def reduce_map(tolerance: NDArray[np.float16], grid: int) -> NDArray[np.float32]:
    """Squash an (H, W) map to (grid, grid) by the rule that squashes pictures (bilinear)."""
    image = Image.fromarray(tolerance.astype(np.float32))
    resized = image.resize((grid, grid), Image.Resampling.BILINEAR)
    return np.asarray(resized, dtype=np.float32)


def full_change(gain: NDArray[np.float32], tolerance: NDArray[np.float16]) -> NDArray[np.floating]:
    """Lay a gain on the full picture.

    Parameters
    ----------
    gain : array, shape (S, S, C), float32
        Signed share of the tolerance for each channel, in the orientation of the stored pixels.
    tolerance : array, shape (H, W), float16
        Just noticeable difference, in units of the full range.

    Returns
    -------
    array, shape (H, W, C), float32 (float16 above four million pixels)
        The change in units of the full range: the gain interpolated bicubically, times the
        tolerance. Worked out band by band.
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
