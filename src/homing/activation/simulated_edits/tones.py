"""Simulated edits of tone: colour, blur and compression, each picture by its own strengths.

Pixels are RGB in [0, 1]; N pictures, S side of the descriptor's grid.
"""

import math
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from homing.images.pixels import LUMA

# YIQ: a turn of the plane of I and Q turns the hue and keeps the luma.
_YIQ = np.array([LUMA, (0.595716, -0.274453, -0.321263), (0.211456, -0.522591, 0.311135)])
UNMIXED = np.eye(3)
"""Colour matrix that changes nothing."""

_RADIUS = 6  # taps on each side of the widest blur
_SHARPEST = 0.1  # standard deviation below which a blur is none
_BLOCK = 8


def colour_matrix(*, saturation: float = 1.0, hue: float = 0.0) -> NDArray[np.float64]:
    """Return the matrix (3, 3) that scales the distance from grey and turns the hue.

    A saturation of 0 is grey, 1 leaves the picture; `hue` is in turns of the colour circle.
    """
    angle = 2 * math.pi * hue
    cosine, sine = saturation * math.cos(angle), saturation * math.sin(angle)
    turn = np.array([[1.0, 0.0, 0.0], [0.0, cosine, sine], [0.0, -sine, cosine]])
    mixed: NDArray[np.float64] = np.linalg.inv(_YIQ) @ turn @ _YIQ
    return mixed


def recolour(
    pictures: torch.Tensor,
    matrix: NDArray[np.float64] = UNMIXED,
    contrast: float = 1.0,
    brightness: float = 1.0,
) -> torch.Tensor:
    """Change colours, then contrast about the mean luma, then brightness; clamped.

    `pictures` is (N, 3, S, S), `matrix` (3, 3), from :func:`colour_matrix`.
    """
    if np.array_equal(matrix, UNMIXED):
        mixed = pictures * (contrast * brightness)
    else:
        # Sums written out: a product of matrices may round a picture by its place among others.
        red, green, blue = pictures.unbind(1)
        mixed = torch.stack(
            [
                (red * r).add(green, alpha=g).add(blue, alpha=b)
                for r, g, b in (contrast * brightness * matrix).tolist()
            ],
            dim=1,
        )
    if contrast != 1:
        red, green, blue = pictures.mean(dim=(2, 3)).unbind(1)
        mean = LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue
        mixed = mixed + ((1 - contrast) * brightness * mean)[:, None, None, None]
    return mixed.clamp(0, 1)


def blur(pictures: torch.Tensor, sigma: float) -> torch.Tensor:
    """Blur (N, C, S, S) by a Gaussian of `sigma` pixels of the grid; borders reflected."""
    if sigma <= 0:
        return pictures
    count, channels, height, width = pictures.shape
    radius = min(_RADIUS, height - 1, width - 1)
    taps = torch.arange(-radius, radius + 1, device=pictures.device, dtype=pictures.dtype)
    kernel = torch.exp(-0.5 * (taps / max(sigma, _SHARPEST)) ** 2)
    kernel = (kernel / kernel.sum()).expand(count * channels, 1, 1, -1)
    flat = pictures.reshape(1, count * channels, height, width)
    flat = F.pad(flat, (radius,) * 4, mode="reflect")
    flat = F.conv2d(flat, kernel, groups=count * channels)
    flat = F.conv2d(flat, kernel.transpose(2, 3), groups=count * channels)
    return flat.reshape(count, channels, height, width)


def compress(pictures: torch.Tensor, step: float) -> torch.Tensor:
    """Round the cosines of blocks of 8 × 8 to multiples of a step; 0 leaves the pictures.

    This is the loss of compression without its table: on the grid of a descriptor most of a file's
    coarse table is averaged away. The gradient is that of the identity.
    """
    if step <= 0:
        return pictures
    with torch.no_grad():
        lost = _round_cosines(pictures, step) - pictures
    return pictures + lost


def _round_cosines(pictures: torch.Tensor, step: float) -> torch.Tensor:
    count, channels, height, width = pictures.shape
    lower, right = -height % _BLOCK, -width % _BLOCK
    padded = F.pad(pictures, (0, right, 0, lower), mode="replicate")
    rows, columns = (height + lower) // _BLOCK, (width + right) // _BLOCK
    cosines = torch.as_tensor(_cosines(), dtype=pictures.dtype, device=pictures.device)
    blocks = padded.reshape(count, channels, rows, _BLOCK, columns, _BLOCK)
    blocks = blocks.transpose(3, 4)
    spectrum = cosines @ blocks @ cosines.T
    spectrum = (spectrum / step).round() * step
    blocks = (cosines.T @ spectrum @ cosines).transpose(3, 4)
    whole = blocks.reshape(count, channels, height + lower, width + right)
    return whole[:, :, :height, :width].clamp(0, 1)


@cache
def _cosines() -> NDArray[np.float64]:
    frequency, place = np.meshgrid(np.arange(_BLOCK), np.arange(_BLOCK), indexing="ij")
    matrix: NDArray[np.float64] = np.cos(np.pi * (2 * place + 1) * frequency / 16) / 2
    matrix[0] /= math.sqrt(2)
    return matrix
