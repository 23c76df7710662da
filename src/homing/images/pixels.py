"""Samples of a picture: EXIF orientation applied and undone, and the weights of luma."""

from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in the luma of ITU-R BT.601."""

Pixels: TypeAlias = npt.NDArray[Any]
"""Samples of a picture, uint8 or uint16: (h, w, c)."""

Scalar = TypeVar("Scalar", bound=np.generic)

_TRANSPOSED = (5, 6, 7, 8)
_MIRRORED = (2, 3, 6, 7)  # left and right, after the transposition
_FLIPPED = (3, 4, 7, 8)  # top and bottom, likewise


def upright(pixels: npt.NDArray[Scalar], orientation: int) -> npt.NDArray[Scalar]:
    """Turn stored pixels, (H, W) or (H, W, C), upright and contiguous; 1 copies nothing."""
    turned: npt.NDArray[Any] = pixels
    if orientation in _TRANSPOSED:
        turned = turned.swapaxes(0, 1)
    if orientation in _MIRRORED:
        turned = turned[:, ::-1]
    if orientation in _FLIPPED:
        turned = turned[::-1]
    return np.ascontiguousarray(turned)


def as_stored(pixels: npt.NDArray[Scalar], orientation: int) -> npt.NDArray[Scalar]:
    """Turn upright pixels as the file stores them: the inverse of :func:`upright`."""
    turned: npt.NDArray[Any] = pixels
    if orientation in _FLIPPED:
        turned = turned[::-1]
    if orientation in _MIRRORED:
        turned = turned[:, ::-1]
    if orientation in _TRANSPOSED:
        turned = turned.swapaxes(0, 1)
    return np.ascontiguousarray(turned)
