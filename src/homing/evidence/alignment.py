"""Laying one picture over another by local features.

Features [1]_ of both pictures are matched by the ratio test, and a homography is fitted to the
matches. The pictures show the same if enough matches agree with it, spread over enough of both,
and if it is a change that a copy may have suffered. Pictures without texture cannot be laid over
each other; that says nothing against their being copies.

References
----------
.. [1] D. Lowe. "Distinctive Image Features from Scale-Invariant Keypoints". IJCV 60 (2004).
"""

import importlib.util
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from homing.errors import UsageError

__all__ = ["Alignment", "Comparison", "available", "compare", "require_opencv"]

_AGREEING = 15  # matches that agree with one homography, at least
_SIDE = 600  # pixels of the longer side on which features are sought
_FEATURES = 1000
_TEXTURED = 100  # features, from which on their not agreeing says something
_RATIO = 0.75  # Lowe's: distance to the nearest over that to the second nearest
_TOLERANCE = 4.0  # pixels between a match and the homography
_SPREAD = 0.01  # share of each picture's area that the agreeing matches span, at least
_STRETCH = 3.0  # most that the homography may stretch one direction over another
_ZOOM = 12.0  # most that it may enlarge or shrink

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Alignment:
    """How a record's picture lies in a suspect's.

    Attributes
    ----------
    matrix : array (3, 3), float64
        Homography from the record's pixels to the suspect's, both at full size.
    agreeing : int
        Matches of local features that it explains.
    in_record, in_suspect : array (n, 2), float64
        Corners of what both show: a convex polygon, in pixels of each.
    shown : float
        Share of the record's area that the suspect shows.
    covered : float
        Share of the suspect's area that shows the record.
    """

    matrix: NDArray[np.float64]
    agreeing: int
    in_record: NDArray[np.float64]
    in_suspect: NDArray[np.float64]
    shown: float
    covered: float

    @property
    def jacobian(self) -> NDArray[np.float64]:
        """Derivative of the homography in the middle of what both show, (2, 2)."""
        return _jacobian(self.matrix, self.in_record.mean(axis=0))

    @property
    def mirrored(self) -> bool:
        """Whether the suspect is a mirror image."""
        return bool(np.linalg.det(self.jacobian) < 0)

    @property
    def turned(self) -> float:
        """Degrees by which the record was turned clockwise, and then mirrored if it was."""
        along = self.jacobian[:, 0] * ((-1, 1) if self.mirrored else (1, 1))
        return float(np.degrees(np.arctan2(along[1], along[0])))

    @property
    def scale(self) -> float:
        """Edge in the suspect over the same edge in the record."""
        return float(np.sqrt(abs(np.linalg.det(self.jacobian))))

    @property
    def stretch(self) -> float:
        """Largest over smallest enlargement of any direction, at least 1."""
        large, small = np.linalg.svd(self.jacobian, compute_uv=False)
        return float(large / small)


def available() -> bool:
    """Whether OpenCV is installed."""
    return importlib.util.find_spec("cv2") is not None


def require_opencv() -> None:
    """Refuse with what to do, where OpenCV is missing."""
    if not available():
        raise UsageError(
            "pictures are compared by OpenCV, which is not installed; "
            "get it with: pip install 'homing[evidence]'"
        )


@dataclass(frozen=True, eq=False)
class Comparison:
    """What laying two pictures over each other has come to.

    Attributes
    ----------
    alignment : Alignment or None
        None where they do not agree.
    textured : bool
        Whether both have texture enough for that to say something.
    """

    alignment: Alignment | None
    textured: bool

    @property
    def confirmed(self) -> bool | None:
        """Whether one is a copy of the other; None where nothing can be said."""
        if self.alignment is not None:
            return True
        return False if self.textured else None


def compare(
    record: Image.Image,
    suspect: Image.Image,
    within: tuple[int, int, int, int] | None = None,
) -> Comparison:
    """Lay a record's picture over a suspect's.

    Parameters
    ----------
    record, suspect : PIL.Image.Image
        8-bit RGB, upright.
    within : tuple of int or None
        Left, top, right and bottom of what the suspect's frame holds, if it has one: beside it
        the suspect shows nothing of the record.

    Raises
    ------
    UsageError
        OpenCV is not installed.
    """
    require_opencv()
    theirs = _features(record)
    textured = len(theirs.points) >= _TEXTURED
    for mirrored in (False, True):
        ours = _features(suspect, mirrored=mirrored)
        textured &= len(ours.points) >= _TEXTURED
        found = _fitted(theirs, ours)
        if found is not None:
            box = within or (0, 0, *suspect.size)
            return Comparison(_laid(*found, record.size, suspect.size, box), textured)
    return Comparison(None, textured)


@dataclass(frozen=True, eq=False)
class _Features:
    points: Array  # (n, 2) float32, pixels of the picture as looked at
    values: Array  # (n, 128) float32
    area: float
    full: Array  # (3, 3): from these pixels to those of the picture at full size, unmirrored


def _features(image: Image.Image, *, mirrored: bool = False) -> _Features:
    import cv2

    sift: Any = cv2.SIFT_create(_FEATURES)  # type: ignore[attr-defined]
    grey = image.convert("L")
    factor = min(1.0, _SIDE / max(grey.size))
    size = (max(1, round(grey.width * factor)), max(1, round(grey.height * factor)))
    pixels = np.asarray(grey.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0))
    full = np.diag([image.width / size[0], image.height / size[1], 1.0])
    if mirrored:
        pixels = np.ascontiguousarray(pixels[:, ::-1])
        full = full @ np.array([[-1.0, 0, size[0] - 1], [0, 1, 0], [0, 0, 1]])
    points, values = sift.detectAndCompute(pixels, None)
    if values is None:
        points, values = (), np.empty((0, 128), np.float32)
    places = np.array([point.pt for point in points], np.float32).reshape(-1, 2)
    return _Features(places, values, float(size[0] * size[1]), full)


def _fitted(theirs: _Features, ours: _Features) -> tuple[Array, int] | None:
    """Homography from the record's full pixels to the suspect's, and how many matches agree."""
    import cv2

    there, here = _matches(theirs, ours)
    if len(here) < _AGREEING:
        return None
    matrix, mask = cv2.findHomography(there, here, cv2.RANSAC, _TOLERANCE)
    if matrix is None:
        return None
    kept = mask.ravel().astype(bool)
    there, here = there[kept], here[kept]
    if len(here) < _AGREEING or not _plausible(matrix, there):
        return None
    for points, area in ((there, theirs.area), (here, ours.area)):
        if cv2.contourArea(cv2.convexHull(points)) < _SPREAD * area:
            return None
    return ours.full @ matrix @ np.linalg.inv(theirs.full), len(here)


def _matches(theirs: _Features, ours: _Features) -> tuple[Array, Array]:
    """Pairs of points that pass the ratio test, each point in one pair only."""
    if len(ours.values) < 2 or len(theirs.values) < 2:
        return np.empty((0, 2), np.float32), np.empty((0, 2), np.float32)
    squared = (
        (theirs.values**2).sum(axis=1)[:, None]
        + (ours.values**2).sum(axis=1)
        - 2 * theirs.values @ ours.values.T
    )
    distances = np.sqrt(np.maximum(squared, 0))
    two = np.argpartition(distances, 1, axis=1)[:, :2]
    values = np.take_along_axis(distances, two, axis=1)
    first = np.take_along_axis(two, values.argmin(axis=1)[:, None], axis=1)[:, 0]
    passed = np.flatnonzero(values.min(axis=1) < _RATIO * values.max(axis=1))
    # Mutual: many points of a repeated pattern would else be matched to one.
    passed = passed[distances.argmin(axis=0)[first[passed]] == passed]
    return theirs.points[passed], ours.points[first[passed]]


def _plausible(matrix: Array, points: Array) -> bool:
    """Whether a homography near these points is what a copy may have suffered."""
    x, y = points.mean(axis=0)
    if abs(matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2]) < 1e-9:
        return False
    jacobian = _jacobian(matrix, points.mean(axis=0))
    large, small = np.linalg.svd(jacobian, compute_uv=False)
    return bool(
        np.linalg.det(jacobian) > 0
        and small * _STRETCH >= large
        and large <= _ZOOM
        and small >= 1 / _ZOOM
    )


def _jacobian(matrix: Array, point: Array) -> NDArray[np.float64]:
    """Derivative of (Ax + b)/(cx + d)."""
    x, y = point
    scale = matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2]
    image = (matrix @ (x, y, 1.0))[:2] / scale
    found: NDArray[np.float64] = (matrix[:2, :2] - np.outer(image, matrix[2, :2])) / scale
    return found


def _laid(
    matrix: Array,
    agreeing: int,
    record: tuple[int, int],
    suspect: tuple[int, int],
    box: tuple[int, int, int, int],
) -> Alignment | None:
    """Alignment with what both pictures show; None where that is nothing."""
    polygon = _clipped(_mapped(np.linalg.inv(matrix), _corners(*box)), *record)
    if len(polygon) < 3:
        return None
    placed = _mapped(matrix, polygon)
    shown = _area(polygon) / (record[0] * record[1])
    covered = _area(placed) / (suspect[0] * suspect[1])
    return Alignment(matrix, agreeing, polygon, placed, min(shown, 1.0), min(covered, 1.0))


def _clipped(polygon: Array, width: int, height: int) -> NDArray[np.float64]:
    """Part of a convex polygon within a picture of that size (Sutherland and Hodgman).

    OpenCV's own clipping was seen to lose corners where edges nearly coincide.
    """
    points = [np.asarray(point, np.float64) for point in polygon]
    # Within where axis · point ≤ border.
    for axis, border in (((-1, 0), 0), ((1, 0), width), ((0, -1), 0), ((0, 1), height)):
        beyond = [float(np.dot(axis, point)) - border for point in points]
        kept = []
        for here, there, depth, next_depth in zip(
            points, points[1:] + points[:1], beyond, beyond[1:] + beyond[:1], strict=True
        ):
            if depth <= 0:
                kept.append(here)
            if depth * next_depth < 0:
                kept.append(here + depth / (depth - next_depth) * (there - here))
        points = kept
    return np.array(points, np.float64).reshape(-1, 2)


def _corners(left: int, top: int, right: int, bottom: int) -> Array:
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float64)


def _mapped(matrix: Array, points: Array) -> NDArray[np.float64]:
    ahead = np.c_[points, np.ones(len(points))] @ matrix.T
    found: NDArray[np.float64] = ahead[:, :2] / ahead[:, 2:]
    return found


def _area(polygon: Array) -> float:
    x, y = polygon.T
    return float(abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2)
