"""Plane geometry: homographies and convex polygons."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Box = tuple[int, int, int, int]
"""Left, top, right and bottom, pixels; right and bottom are the first outside."""


def derivative(matrix: Array, point: Array) -> NDArray[np.float64]:
    """Return the derivative of a homography, (Ax + b)/(cx + d), at a point, (2, 2)."""
    x, y = point
    scale = matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2]
    image = (matrix @ (x, y, 1.0))[:2] / scale
    found: NDArray[np.float64] = (matrix[:2, :2] - np.outer(image, matrix[2, :2])) / scale
    return found


def resizing(seen: tuple[int, int], full: tuple[int, int], *, mirrored: bool = False) -> Array:
    """Return the map from pixels of one size, perhaps of a mirror image, to another's, (3, 3)."""
    matrix = np.diag([full[0] / seen[0], full[1] / seen[1], 1.0])
    return matrix @ mirroring(seen[0]) if mirrored else matrix


def mirroring(width: int) -> Array:
    """Return the map of a picture's pixels to those of its mirror image, (3, 3)."""
    return np.array([[-1.0, 0, width - 1], [0, 1, 0], [0, 0, 1]])


def mapped(matrix: Array, points: Array) -> NDArray[np.float64]:
    """Return the images of points, (n, 2)."""
    ahead = np.c_[points, np.ones(len(points))] @ matrix.T
    found: NDArray[np.float64] = ahead[:, :2] / ahead[:, 2:]
    return found


def corners_of(box: Box) -> NDArray[np.float64]:
    """Return the corners of a box, clockwise from the upper left, (4, 2)."""
    left, top, right, bottom = box
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float64)


def clipped(polygon: Array, width: float, height: float) -> NDArray[np.float64]:
    """Clip a convex polygon to a picture of that size (Sutherland and Hodgman).

    OpenCV's own clipping was seen to lose corners where edges nearly coincide.
    """
    points = [np.asarray(point, np.float64) for point in polygon]
    # Within where axis · point ≤ border.
    for axis, border in (((-1, 0), 0), ((1, 0), width), ((0, -1), 0), ((0, 1), height)):
        beyond = [float(np.dot(axis, point)) - border for point in points]
        inside = []
        for here, there, depth, next_depth in zip(
            points, points[1:] + points[:1], beyond, beyond[1:] + beyond[:1], strict=True
        ):
            if depth <= 0:
                inside.append(here)
            if depth * next_depth < 0:
                inside.append(here + depth / (depth - next_depth) * (there - here))
        points = inside
    return np.array(points, np.float64).reshape(-1, 2)


def area(polygon: Array) -> float:
    """Return the area of a polygon."""
    x, y = polygon.T
    return float(abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2)
