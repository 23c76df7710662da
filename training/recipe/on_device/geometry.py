"""Geometric edits: each is a homography from output to input, sampled once."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from recipe.geometry import largest_upright

Matrices = NDArray[np.float64]  # (b, 3, 3), output coordinates in [-1, 1] to input coordinates

_SHRUNK = 1.5  # from this shrinkage on, pictures are averaged before they are sampled


def per_picture(values: NDArray[np.floating], like: torch.Tensor) -> torch.Tensor:
    """Reshape values (b,) or (b, 3) to (b, 1 or 3, 1, 1), on the pictures' dtype and device."""
    made = torch.as_tensor(np.asarray(values, np.float32), device=like.device)
    return made.reshape(len(values), -1, 1, 1).to(like.dtype)


def resample(
    pictures: torch.Tensor, matrices: Matrices, fill: torch.Tensor | None = None
) -> torch.Tensor:
    """Sample pictures through homographies; outside them is `fill` (b, 3, 1, 1), or black."""
    side = pictures.shape[-1]
    matrix = torch.as_tensor(matrices, dtype=torch.float32, device=pictures.device)
    axis = (torch.arange(side, device=pictures.device, dtype=torch.float32) + 0.5) * 2 / side - 1
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    points = torch.stack([x, y, torch.ones_like(x)]).reshape(3, -1)
    moved = matrix @ points  # (b, 3, S·S)
    grid = (moved[:, :2] / moved[:, 2:].clamp(min=1e-3)).reshape(-1, 2, side, side)
    grid = grid.permute(0, 2, 3, 1)
    small = _smooth_shrunk(pictures, matrices)
    sampled = F.grid_sample(small, grid.to(small.dtype), align_corners=False)
    if fill is None:
        return sampled
    inside = F.grid_sample(torch.ones_like(small[:, :1]), grid.to(small.dtype), align_corners=False)
    return sampled + (1 - inside) * fill


def _smooth_shrunk(pictures: torch.Tensor, matrices: Matrices) -> torch.Tensor:
    """Average four pixels where the output is much smaller than the input, against aliasing."""
    factor = np.sqrt(np.abs(np.linalg.det(matrices[:, :2, :2])))
    chosen = np.flatnonzero(factor > _SHRUNK)
    if not len(chosen):
        return pictures
    smoothed = pictures.clone()
    part = F.avg_pool2d(pictures[chosen], 2)
    smoothed[chosen] = F.interpolate(part, scale_factor=2, mode="bilinear")
    return smoothed


def window(across: NDArray, down: NDArray, rng: np.random.Generator) -> Matrices:
    """Return crops of the given shares of width and height, at random positions."""
    count = len(across)
    matrices = np.tile(np.eye(3), (count, 1, 1))
    across, down = np.minimum(across, 1), np.minimum(down, 1)
    matrices[:, 0, 0], matrices[:, 1, 1] = across, down
    matrices[:, 0, 2] = (1 - across) * rng.uniform(-1, 1, size=count)
    matrices[:, 1, 2] = (1 - down) * rng.uniform(-1, 1, size=count)
    return matrices


def inset_matrix(boxes: NDArray) -> Matrices:
    """Map each whole picture to a box of the output, (b, 4): left, upper, right, lower."""
    left, upper, right, lower = np.asarray(boxes, np.float64).T
    matrices = np.tile(np.eye(3), (len(boxes), 1, 1))
    matrices[:, 0, 0], matrices[:, 1, 1] = 1 / (right - left), 1 / (lower - upper)
    matrices[:, 0, 2] = -(left + right - 1) / (right - left)
    matrices[:, 1, 2] = -(upper + lower - 1) / (lower - upper)
    return matrices


def mirror(pictures: torch.Tensor, _rng: np.random.Generator) -> torch.Tensor:
    """Mirror left for right."""
    return pictures.flip(-1)


def rotation(pictures: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Rotate by −90 to 90 degrees and cut out the largest upright rectangle."""
    degrees = rng.uniform(-90, 90, size=len(pictures))
    return resample(pictures, _rotations(degrees, _inner_scale(degrees)))


def perspective(pictures: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Move corners by 0.13 to 0.27 of half the side (one deviation); crop to the inside."""
    strength = rng.uniform(30, 60, size=len(pictures)) / (0.7 * 640) * 2
    return resample(pictures, _inner(_keystone(strength, rng)))


def warp(pictures: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Rotate, mirror and distort; the canvas grows, stays, or is cut to the inside."""
    count = len(pictures)
    turn = rng.random(count)
    degrees = np.where(
        turn < 0.35,
        rng.choice([90.0, 180.0, 270.0], size=count, p=[0.4, 0.2, 0.4]),
        np.where(turn < 0.85, rng.uniform(-45, 45, count), rng.uniform(-180, 180, count)),
    )
    kind = rng.random(count)
    radians = np.deg2rad(degrees)
    grown = np.abs(np.cos(radians)) + np.abs(np.sin(radians))
    scale = np.where(kind < 0.45, grown, np.where(kind < 0.75, 1.0, _inner_scale(degrees)))
    matrices = _rotations(degrees, scale)
    matrices[rng.random(count) < 0.3, :, 0] *= -1
    matrices[rng.random(count) < 0.05, :, 1] *= -1
    strength = np.where(rng.random(count) < 0.35, rng.uniform(0, 0.24, count), 0.0)
    return resample(pictures, _keystone(strength, rng) @ matrices, _draw_background(pictures, rng))


def letterbox(pictures: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Add bars at two sides or a frame at four, of one colour."""
    count = len(pictures)
    kind = rng.integers(3, size=count)
    bars = rng.uniform(0.02, 0.25, size=(count, 4))
    bars[kind == 0, 0] = bars[kind == 0, 2] = 0.0  # only above and below
    bars[kind == 1, 1] = bars[kind == 1, 3] = 0.0
    even = rng.random(count) < 0.7
    bars[even, 2], bars[even, 3] = bars[even, 0], bars[even, 1]
    boxes = np.stack([bars[:, 0], bars[:, 1], 1 - bars[:, 2], 1 - bars[:, 3]], axis=1)
    colour = rng.random((count, 3))
    plain = rng.random(count)
    colour[plain < 0.3], colour[(plain >= 0.3) & (plain < 0.5)] = 0.0, 1.0
    return resample(pictures, inset_matrix(boxes), per_picture(colour, pictures))


def _draw_background(pictures: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Draw the colour behind rotated pictures: mostly black, as most programs do."""
    shade = rng.choice([0.0, 1.0, 0.5], size=len(pictures), p=[0.7, 0.22, 0.08])
    return per_picture(shade, pictures)


def _rotations(degrees: NDArray, scale: NDArray) -> Matrices:
    radians = np.deg2rad(degrees)
    matrices = np.tile(np.eye(3), (len(degrees), 1, 1))
    matrices[:, 0, 0] = matrices[:, 1, 1] = np.cos(radians) * scale
    matrices[:, 0, 1], matrices[:, 1, 0] = -np.sin(radians) * scale, np.sin(radians) * scale
    return matrices


def _inner_scale(degrees: NDArray) -> NDArray:
    return np.array([largest_upright(1.0, 1.0, angle)[0] for angle in degrees])


def _keystone(strength: NDArray, rng: np.random.Generator) -> Matrices:
    """Draw homographies that move corners by normal deviates, clipped at 1.5, times `strength`."""
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)], np.float64)
    moves = np.clip(rng.normal(size=(len(strength), 4, 2)), -1.5, 1.5) * strength[:, None, None]
    return np.stack([_homography(corners, corners + move) for move in moves])


def _homography(source: NDArray, target: NDArray) -> NDArray:
    rows = []
    for (x, y), (u, v) in zip(source, target, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
    solution = np.linalg.solve(np.array(rows), target.reshape(8))
    return np.append(solution, 1.0).reshape(3, 3)


def _inner(matrices: Matrices) -> Matrices:
    """Zoom in about the centre until nothing outside the picture shows."""
    corners = np.array([(-1, -1, 1), (1, -1, 1), (1, 1, 1), (-1, 1, 1)], np.float64).T
    moved = matrices @ corners
    extent = np.abs(moved[:, :2] / moved[:, 2:]).max(axis=(1, 2))
    scaled = matrices.copy()
    scaled[:, :, :2] /= np.maximum(extent, 1)[:, None, None]
    return scaled
