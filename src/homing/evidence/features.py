"""Local features of pictures, and the homography between two.

SIFT features [1]_ are matched by the ratio test, and a homography is fitted to the matches. It is
accepted if enough matches agree with it, spread over enough of both pictures, and if it is a change
that a copy may have suffered; a :class:`Rule` sets the thresholds.

References
----------
.. [1] D. Lowe. "Distinctive Image Features from Scale-Invariant Keypoints". IJCV 60 (2004).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_RATIO = 0.75  # Lowe's: distance to the nearest over that to the second nearest
_TOLERANCE = 4.0  # pixels between a match and the homography
_STRETCH = 3.0  # most that the homography may stretch one direction over another

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Thresholds of agreement."""

    side: int  # pixels of the longer side at which features are detected
    features: int  # most features of a picture
    agreeing: int  # least matches that agree with one homography
    spread: float  # least share of each picture's area that these span
    zoom: float  # most that the homography may enlarge or shrink


@dataclass(frozen=True, eq=False)
class Features:
    """Local features of a picture as analysed: shrunk, perhaps mirrored."""

    points: Array  # (n, 2) float32, pixels
    values: Array  # (n, 128) float32
    size: tuple[int, int]  # width and height


def features_of(image: Image.Image, rule: Rule, *, mirrored: bool = False) -> Features:
    """Detect the features of an 8-bit picture, or of its mirror image."""
    import cv2

    sift: Any = cv2.SIFT_create(rule.features)  # type: ignore[attr-defined]
    grey = image.convert("L")
    factor = min(1.0, rule.side / max(grey.size))
    size = (max(1, round(grey.width * factor)), max(1, round(grey.height * factor)))
    pixels = np.asarray(grey.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0))
    if mirrored:
        pixels = np.ascontiguousarray(pixels[:, ::-1])
    points, values = sift.detectAndCompute(pixels, None)
    if values is None:
        points, values = (), np.empty((0, 128), np.float32)
    places = np.array([point.pt for point in points], np.float32).reshape(-1, 2)
    return Features(places, values, size)


def fit_homography(first: Features, second: Features, rule: Rule) -> tuple[Array, int] | None:
    """Fit the homography from the first's pixels to the second's, and count the matches agreeing.

    None if they are too few, lie too close together, or no copy would be changed like that.
    """
    import cv2

    here, there = _matches(first, second)
    if len(here) < rule.agreeing:
        return None
    matrix, mask = cv2.findHomography(here, there, cv2.RANSAC, _TOLERANCE)
    if matrix is None:
        return None
    agree = mask.ravel().astype(bool)
    here, there = here[agree], there[agree]
    if len(here) < rule.agreeing or not _is_plausible(matrix, here, rule.zoom):
        return None
    for points, (width, height) in ((here, first.size), (there, second.size)):
        if cv2.contourArea(cv2.convexHull(points)) < rule.spread * (width * height):
            return None
    return matrix, len(here)


def _matches(first: Features, second: Features) -> tuple[Array, Array]:
    """Return pairs of points that pass the ratio test, each point in one pair only."""
    if len(first.values) < 2 or len(second.values) < 2:
        return np.empty((0, 2), np.float32), np.empty((0, 2), np.float32)
    squared = (
        (first.values**2).sum(axis=1)[:, None]
        + (second.values**2).sum(axis=1)
        - 2 * first.values @ second.values.T
    )
    distances = np.sqrt(np.maximum(squared, 0))
    two = np.argpartition(distances, 1, axis=1)[:, :2]
    values = np.take_along_axis(distances, two, axis=1)
    nearest = np.take_along_axis(two, values.argmin(axis=1)[:, None], axis=1)[:, 0]
    passed = np.flatnonzero(values.min(axis=1) < _RATIO * values.max(axis=1))
    # Mutual: otherwise many points of a repeated pattern would be matched to one.
    passed = passed[distances.argmin(axis=0)[nearest[passed]] == passed]
    return first.points[passed], second.points[nearest[passed]]


def _is_plausible(matrix: Array, points: Array, zoom: float) -> bool:
    """Return whether a homography, near these points, is an edit that copies undergo."""
    x, y = points.mean(axis=0)
    if abs(matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2]) < 1e-9:
        return False
    jacobian = derivative(matrix, points.mean(axis=0))
    large, small = np.linalg.svd(jacobian, compute_uv=False)
    return bool(
        np.linalg.det(jacobian) > 0
        and small * _STRETCH >= large
        and large <= zoom
        and small >= 1 / zoom
    )


def derivative(matrix: Array, point: Array) -> NDArray[np.float64]:
    """Return the derivative of a homography, (Ax + b)/(cx + d), at a point, (2, 2)."""
    x, y = point
    scale = matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2]
    image = (matrix @ (x, y, 1.0))[:2] / scale
    found: NDArray[np.float64] = (matrix[:2, :2] - np.outer(image, matrix[2, :2])) / scale
    return found
