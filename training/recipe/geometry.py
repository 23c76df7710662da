"""Geometric edits: one perspective warp combines aspect, rotation, mirroring and perspective.

Pictures are (H, W, 3) uint8 RGB arrays in this module and its neighbours.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Warp:
    """Parameters of a geometric edit."""

    degrees: float = 0.0  # counter-clockwise
    expand: bool = True  # grow the canvas so that nothing is cut off; the corners are filled
    inner: bool = False  # instead, cut out the largest upright rectangle without empty corners
    mirror: bool = False  # left for right
    flip: bool = False  # top for bottom
    perspective: float = 0.0  # standard deviation of the corners' moves over the shorter side


def crop(picture: Pixels, across: float, down: float, rng: np.random.Generator) -> Pixels:
    """Cut out a window of the given shares of width and height, at a random position."""
    height, width = picture.shape[:2]
    w, h = max(8, round(width * min(across, 1))), max(8, round(height * min(down, 1)))
    left = int(rng.integers(max(width - w, 0) + 1))
    top = int(rng.integers(max(height - h, 0) + 1))
    return picture[top : top + h, left : left + w]


def warp(picture: Pixels, change: Warp, rng: np.random.Generator) -> Pixels:
    """Apply a geometric edit."""
    height, width = picture.shape[:2]
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    angle = np.deg2rad(change.degrees)
    cosine, sine = np.cos(angle), np.sin(angle)
    turn = np.array([(cosine, sine), (-sine, cosine)], np.float32)
    centred = corners - np.float32([width / 2, height / 2])
    if change.mirror:
        centred[:, 0] *= -1
    if change.flip:
        centred[:, 1] *= -1
    moved = centred @ turn.T
    if change.perspective:
        # At three deviations a picture folds beyond recognition, so moves are clipped at two.
        moves = np.clip(rng.normal(size=(4, 2)), -2, 2) * change.perspective * min(height, width)
        moved = moved + moves.astype(np.float32)
    low, high = _window(moved, change, (width, height))
    size = np.maximum(np.rint(high - low).astype(int), 8)
    half = np.float32(0.5)  # OpenCV counts from the middle of a pixel, corners from its edge
    matrix = cv2.getPerspectiveTransform(corners - half, (moved - low - half).astype(np.float32))
    fill = _FILLS[int(rng.choice(len(_FILLS), p=_FILL_SHARES))]
    border = cv2.BORDER_CONSTANT if fill is not None else cv2.BORDER_REFLECT_101
    return cv2.warpPerspective(
        picture,
        matrix,
        (int(size[0]), int(size[1])),
        flags=cv2.INTER_LINEAR,
        borderMode=border,
        borderValue=fill if fill is not None else (0, 0, 0),
    )


# Colours behind a rotated picture: mostly black, as most programs do; None reflects the picture.
_FILLS = ((0, 0, 0), (255, 255, 255), (128, 128, 128), None)
_FILL_SHARES = (0.6, 0.2, 0.05, 0.15)


def _window(
    moved: NDArray[np.float32], change: Warp, size: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the lower and upper corner of the output window about the centre."""
    if change.inner:
        if change.perspective:
            ordered = np.sort(moved, axis=0)
            low, high = ordered[1], ordered[2]
            if np.all(high - low > 8):
                return low, high
        half = np.float32(largest_upright(*size, change.degrees)) / 2
        return -half, half
    if change.expand:
        return moved.min(axis=0), moved.max(axis=0)
    half = np.float32(size) / 2
    return -half, half


def largest_upright(width: float, height: float, degrees: float) -> tuple[float, float]:
    """Return width and height of the largest upright rectangle inside a rotated one."""
    sine, cosine = abs(np.sin(np.deg2rad(degrees))), abs(np.cos(np.deg2rad(degrees)))
    longer, shorter = max(width, height), min(width, height)
    if shorter <= 2 * sine * cosine * longer or abs(sine - cosine) < 1e-9:
        half = shorter / 2
        across, down = (
            (half / sine, half / cosine) if width >= height else (half / cosine, half / sine)
        )
        return float(across), float(down)
    double = cosine**2 - sine**2
    return (
        float((width * cosine - height * sine) / double),
        float((height * cosine - width * sine) / double),
    )


def letterbox(picture: Pixels, rng: np.random.Generator) -> Pixels:
    """Add bars at two sides or a frame at four, of one colour or of the blurred picture."""
    height, width = picture.shape[:2]
    kind = int(rng.integers(4))
    if kind == 0:  # to a square
        side = max(height, width)
        bars = (
            (side - height) // 2,
            (side - height + 1) // 2,
            (side - width) // 2,
            (side - width + 1) // 2,
        )
    elif kind == 1:
        bar = int(rng.uniform(0.05, 0.5) * height)
        bars = (bar, bar, 0, 0)
    elif kind == 2:
        bar = int(rng.uniform(0.05, 0.5) * width)
        bars = (0, 0, bar, bar)
    else:
        top, bottom, left, right = (rng.uniform(0, 0.4, size=4) * min(height, width)).astype(int)
        bars = (int(top), int(bottom), int(left), int(right))
    if rng.random() < 0.2:
        size = (width + bars[2] + bars[3], height + bars[0] + bars[1])
        behind = cv2.resize(cv2.blur(picture, (15, 15)), size)
        behind[bars[0] : bars[0] + height, bars[2] : bars[2] + width] = picture
        return behind
    colour = _bar_colour(rng)
    return cv2.copyMakeBorder(picture, *bars, cv2.BORDER_CONSTANT, value=colour)


def _bar_colour(rng: np.random.Generator) -> tuple[int, int, int]:
    draw = rng.random()
    if draw < 0.3:
        return 0, 0, 0
    if draw < 0.5:
        return 255, 255, 255
    red, green, blue = rng.integers(256, size=3).tolist()
    return red, green, blue
