"""Whether two pictures show the same, decided by local features and by no descriptor.

Folders of photographs hold several files of one picture, or of one scene from one spot. A copy
that is answered by such a twin is answered rightly, and must not count as a miss. Whether two
pictures are twins is decided by SIFT [1]_: its features are matched by the ratio test, and a
homography is fitted to the matches; they are twins if enough matches agree with it, spread over
enough of both pictures, and if it is a change that a copy may have suffered. A mirrored twin is
one, too. Pictures without texture cannot be confirmed: their twins stay misses.

References
----------
.. [1] D. Lowe. "Distinctive Image Features from Scale-Invariant Keypoints". IJCV 60 (2004).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from homing.bench.variants import Crop, Recipe, cropped
from homing.errors import PictureError
from homing.images import Limits, read_rgb

__all__ = ["INLIERS", "Evidence", "Pairs", "confirm", "confirm_pairs"]

INLIERS = 15
"""Matches that must agree with one homography; see :func:`confirm`."""

_SIDE = 400  # pixels of the longer side on which features are sought
_FEATURES = 600
_RATIO = 0.75  # Lowe's: distance to the nearest over that to the second nearest
_TOLERANCE = 4.0  # pixels between a match and the homography
_SPREAD = 0.02  # share of each picture's area that the agreeing matches span at least
_STRETCH = 3.0  # most that the homography may stretch one direction over another
_ZOOM = 8.0  # most that it may enlarge or shrink

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Evidence:
    """Why two pictures are twins.

    Attributes
    ----------
    inliers : int
        Matches of local features that one homography explains.
    mirrored : bool
        Whether one picture had to be mirrored.
    """

    inliers: int
    mirrored: bool


@dataclass(frozen=True)
class Pairs:
    """A picture and those that may be its twins.

    Attributes
    ----------
    path : Path
        Of the picture.
    candidates : tuple of (Path, Recipe)
        Whole photographs or crops of them.
    limits : Limits
    """

    path: Path
    candidates: tuple[tuple[Path, Recipe], ...]
    limits: Limits


@dataclass(frozen=True, eq=False)
class _Features:
    points: Array  # (n, 2) float32, pixels
    values: Array  # (n, 128) float32
    area: float


def confirm(picture: Image.Image, other: Image.Image) -> Evidence | None:
    """Tell whether two pictures show the same, by local features.

    Parameters
    ----------
    picture, other : PIL.Image.Image
        8-bit RGB.

    Returns
    -------
    Evidence or None
        At least :data:`INLIERS` matches that agree; None where there are fewer.
    """
    theirs = _features(other)
    for mirrored in (False, True):
        found = _agreeing(_features(picture, mirrored=mirrored), theirs)
        if found:
            return Evidence(found, mirrored)
    return None


def confirm_pairs(pairs: Pairs) -> tuple[Evidence | str | None, ...]:
    """Confirm or reject the candidates of one picture; made for worker processes.

    Parameters
    ----------
    pairs : Pairs

    Returns
    -------
    tuple of (Evidence or str or None)
        One a candidate; where a file cannot be read, the reason: no verdict.
    """
    try:
        picture = read_rgb(pairs.path, limits=pairs.limits)
    except PictureError as error:
        return (str(error),) * len(pairs.candidates)
    ours = [_features(picture, mirrored=mirrored) for mirrored in (False, True)]
    return tuple(_against(ours, path, recipe, pairs.limits) for path, recipe in pairs.candidates)


def _against(
    ours: Sequence[_Features], path: Path, recipe: Recipe, limits: Limits
) -> Evidence | str | None:
    try:
        other = read_rgb(path, limits=limits)
    except PictureError as error:
        return str(error)
    theirs = _features(cropped(other, recipe) if isinstance(recipe, Crop) else other)
    for mirrored, features in enumerate(ours):
        found = _agreeing(features, theirs)
        if found:
            return Evidence(found, bool(mirrored))
    return None


def _features(image: Image.Image, *, mirrored: bool = False) -> _Features:
    import cv2

    cv2.setNumThreads(1)  # processes share the cores
    sift: Any = cv2.SIFT_create(_FEATURES)  # type: ignore[attr-defined]
    grey = image.convert("L")
    factor = min(1.0, _SIDE / max(grey.size))
    size = (max(1, round(grey.width * factor)), max(1, round(grey.height * factor)))
    pixels = np.asarray(grey.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0))
    if mirrored:
        pixels = np.ascontiguousarray(pixels[:, ::-1])
    points, values = sift.detectAndCompute(pixels, None)
    if values is None:
        points, values = (), np.empty((0, 128), np.float32)
    places = np.array([point.pt for point in points], np.float32).reshape(-1, 2)
    return _Features(places, values, float(size[0] * size[1]))


def _agreeing(ours: _Features, theirs: _Features) -> int:
    """Matches that one plausible homography explains, if they are enough; else 0."""
    import cv2

    here, there = _matches(ours, theirs)
    if len(here) < INLIERS:
        return 0
    matrix, mask = cv2.findHomography(here, there, cv2.RANSAC, _TOLERANCE)
    if matrix is None:
        return 0
    kept = mask.ravel().astype(bool)
    here, there = here[kept], there[kept]
    if len(here) < INLIERS or not _plausible(matrix, here):
        return 0
    for points, area in ((here, ours.area), (there, theirs.area)):
        if cv2.contourArea(cv2.convexHull(points)) < _SPREAD * area:
            return 0
    return len(here)


def _matches(ours: _Features, theirs: _Features) -> tuple[Array, Array]:
    """Pairs of points that pass the ratio test, each point in one pair only."""
    if len(ours.values) < 2 or len(theirs.values) < 2:
        return np.empty((0, 2), np.float32), np.empty((0, 2), np.float32)
    squared = (
        (ours.values**2).sum(axis=1)[:, None]
        + (theirs.values**2).sum(axis=1)
        - 2 * ours.values @ theirs.values.T
    )
    distances = np.sqrt(np.maximum(squared, 0))
    two = np.argpartition(distances, 1, axis=1)[:, :2]
    values = np.take_along_axis(distances, two, axis=1)
    first = np.take_along_axis(two, values.argmin(axis=1)[:, None], axis=1)[:, 0]
    passed = np.flatnonzero(values.min(axis=1) < _RATIO * values.max(axis=1))
    # Mutual: many points of a repeated pattern would else be matched to one.
    passed = passed[distances.argmin(axis=0)[first[passed]] == passed]
    return ours.points[passed], theirs.points[first[passed]]


def _plausible(matrix: Array, points: Array) -> bool:
    """Whether a homography near these points is what a copy may have suffered."""
    x, y = points.mean(axis=0)
    scale = matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2]
    if abs(scale) < 1e-9:
        return False
    image = (matrix @ (x, y, 1.0))[:2] / scale
    # Derivative of (Ax + b)/(cx + d) at the points' centre.
    jacobian = (matrix[:2, :2] - np.outer(image, matrix[2, :2])) / scale
    large, small = np.linalg.svd(jacobian, compute_uv=False)
    return bool(
        np.linalg.det(jacobian) > 0
        and small * _STRETCH >= large
        and large <= _ZOOM
        and small >= 1 / _ZOOM
    )
