"""Simulated edits of shape: homographies of the squashed picture, sampled once.

A picture is squashed to a square before it is described, so an edit that keeps the aspect of the
picture does not keep that of the square: the builders take the picture's own aspect (width over
height) where it matters. Coordinates go from −1 to 1 over the picture, x to the right, y down.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

#: (3, 3) float64: homogeneous coordinates of the edited picture to those of the picture.
Matrix = NDArray[np.float64]

_LEAST_DEPTH = 1e-3  # of a homography's denominator: points behind the eye are outside


def warp(
    pictures: torch.Tensor,
    matrices: torch.Tensor,
    fill: torch.Tensor,
    *,
    side: int | None = None,
) -> torch.Tensor:
    """Sample pictures (N, 3, S, S) through homographies, bilinearly and differentiably.

    `matrices`, (N, 3, 3), map coordinates of the edited picture to those of the picture. `fill`,
    (N, 3, 1, 1), is the colour outside. `side` is S of the result, by default that of `pictures`.
    """
    side = pictures.shape[-1] if side is None else side
    axis = (torch.arange(side, device=pictures.device, dtype=pictures.dtype) + 0.5) * 2 / side - 1
    a = matrices.to(pictures.dtype)[:, :, :, None, None]
    # Sums written out: a product of matrices may round a picture by its place among others.
    across, down, depth = (
        a[:, row, 0] * axis + a[:, row, 1] * axis[:, None] + a[:, row, 2] for row in range(3)
    )
    depth = depth.clamp(min=_LEAST_DEPTH)
    grid = torch.stack([across / depth, down / depth], dim=3)
    # Outside the picture grid_sample gives zero, to which the fill is added.
    return F.grid_sample(pictures - fill, grid, align_corners=False) + fill


def turn(degrees: float, aspect: float, *, expanded: bool = True) -> Matrix:
    """Turn counter-clockwise, on a canvas that grows to hold the picture or keeps its size."""
    radians = math.radians(degrees)
    cosine, sine = math.cos(radians), math.sin(radians)
    width, height = aspect, 1.0
    if expanded:
        width = abs(cosine) * aspect + abs(sine)
        height = abs(sine) * aspect + abs(cosine)
    return np.array(
        [
            [cosine * width / aspect, -sine * height / aspect, 0.0],
            [sine * width, cosine * height, 0.0],
            [0.0, 0.0, 1.0],
        ]
    )


def window(across: float, down: float, x: float = 0.0, y: float = 0.0) -> Matrix:
    """Cut out a window of these shares of width and height; x and y, −1 to 1, are its place."""
    return np.array([[across, 0.0, (1 - across) * x], [0.0, down, (1 - down) * y], [0.0, 0.0, 1.0]])


def inset(left: float, upper: float, right: float, lower: float) -> Matrix:
    """Put the whole picture in a box of the edited one, whose sides are shares from 0 to 1."""
    across, down = right - left, lower - upper
    return np.array(
        [
            [1 / across, 0.0, (1 - left - right) / across],
            [0.0, 1 / down, (1 - upper - lower) / down],
            [0.0, 0.0, 1.0],
        ]
    )


def mirror() -> Matrix:
    """Exchange left and right."""
    return np.diag([-1.0, 1.0, 1.0])


def keystone(across: float, down: float) -> Matrix:
    """Show the picture from aside: one of its sides farther away than the other.

    The values, from −0.5 to 0.5, are the change of depth from the middle to a border. Nothing
    outside the picture shows.
    """
    tilt = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [across, down, 1.0]])
    shrunk = 1 - abs(across) - abs(down)
    return tilt @ np.diag([shrunk, shrunk, 1.0])
