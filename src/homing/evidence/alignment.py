"""Alignment of a record's picture with a suspect's, by local features.

The pictures show the same if their features agree (:mod:`homing.evidence.features`). Pictures
without texture cannot be aligned, which is no evidence against a copy.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from homing.evidence.features import Array, Features, Rule, derivative, features_of, fit_homography
from homing.extras import EVIDENCE, missing_packages, require_evidence

_RULE = Rule(side=600, features=1000, agreeing=15, spread=0.01, zoom=12.0)
_TEXTURED = 100  # least features whose disagreement is evidence


@dataclass(frozen=True, eq=False)
class Alignment:
    """Position of a record's picture in a suspect's.

    The corners are those of the convex polygon that both pictures show, in pixels of each.
    """

    matrix: NDArray[np.float64]  # (3, 3) homography from the record's pixels to the suspect's
    agreeing: int  # matches of local features that it explains
    in_record: NDArray[np.float64]  # (n, 2) corners
    in_suspect: NDArray[np.float64]  # (n, 2) corners
    shown: float  # share of the record's area that the suspect shows
    covered: float  # share of the suspect's area that shows the record

    @property
    def jacobian(self) -> NDArray[np.float64]:
        """Derivative of the homography in the middle of what both show, (2, 2)."""
        return derivative(self.matrix, self.in_record.mean(axis=0))

    @property
    def mirrored(self) -> bool:
        """True if the suspect is a mirror image."""
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


def has_opencv() -> bool:
    """Return whether OpenCV is installed."""
    return not missing_packages(EVIDENCE)


@dataclass(frozen=True, eq=False)
class Comparison:
    """Result of comparing two pictures by local features."""

    alignment: Alignment | None  # None if they do not agree
    textured: bool  # both have texture enough for disagreement to be evidence

    @property
    def confirmed(self) -> bool | None:
        """True if one is a copy of the other; None if unknown."""
        if self.alignment is not None:
            return True
        return False if self.textured else None


@dataclass(frozen=True, eq=False)
class Suspect:
    """Picture to compare with records; its features are detected once for all of them.

    If the picture is framed, `within` is the left, top, right and bottom of the frame's content:
    outside of it the suspect shows nothing of a record.
    """

    picture: Image.Image  # 8-bit RGB, upright
    within: tuple[int, int, int, int] | None = None

    @cached_property
    def features(self) -> Features:
        """Features of the picture."""
        return features_of(self.picture, _RULE)

    @cached_property
    def mirrored(self) -> Features:
        """Features of its mirror image."""
        return features_of(self.picture, _RULE, mirrored=True)


def compare(record: Image.Image, suspect: Suspect) -> Comparison:
    """Compare a record's picture (8-bit RGB, upright) with a suspect's; needs OpenCV."""
    require_evidence()
    theirs = features_of(record, _RULE)
    textured = len(theirs.points) >= _TEXTURED
    size = suspect.picture.size
    for mirrored in (False, True):
        ours = suspect.mirrored if mirrored else suspect.features
        textured &= len(ours.points) >= _TEXTURED
        found = fit_homography(theirs, ours, _RULE)
        if found is not None:
            matrix, agreeing = found
            to_suspect = _to_full(ours.size, size, mirrored=mirrored)
            matrix = to_suspect @ matrix @ np.linalg.inv(_to_full(theirs.size, record.size))
            box = suspect.within or (0, 0, *size)
            return Comparison(_alignment(matrix, agreeing, record.size, size, box), textured)
    return Comparison(None, textured)


def _to_full(seen: tuple[int, int], full: tuple[int, int], *, mirrored: bool = False) -> Array:
    """Return the map from pixels of a picture as analysed to its own, unmirrored, (3, 3)."""
    matrix = np.diag([full[0] / seen[0], full[1] / seen[1], 1.0])
    if mirrored:
        matrix = matrix @ np.array([[-1.0, 0, seen[0] - 1], [0, 1, 0], [0, 0, 1]])
    return matrix


def _alignment(
    matrix: Array,
    agreeing: int,
    record: tuple[int, int],
    suspect: tuple[int, int],
    box: tuple[int, int, int, int],
) -> Alignment | None:
    """Return the alignment of pictures of these sizes; None if they share no area."""
    left, top, right, bottom = box
    corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float64)
    polygon = _clip(_map(np.linalg.inv(matrix), corners), *record)
    if len(polygon) < 3:
        return None
    placed = _map(matrix, polygon)
    shown = _area(polygon) / (record[0] * record[1])
    covered = _area(placed) / (suspect[0] * suspect[1])
    return Alignment(matrix, agreeing, polygon, placed, min(shown, 1.0), min(covered, 1.0))


def _clip(polygon: Array, width: int, height: int) -> NDArray[np.float64]:
    """Clip a convex polygon to a picture of that size (Sutherland and Hodgman).

    OpenCV's own clipping was seen to lose corners where edges nearly coincide.
    """
    points = [np.asarray(point, np.float64) for point in polygon]
    # Within where axis · point ≤ border.
    for axis, border in (((-1, 0), 0), ((1, 0), width), ((0, -1), 0), ((0, 1), height)):
        beyond = [float(np.dot(axis, point)) - border for point in points]
        clipped = []
        for here, there, depth, next_depth in zip(
            points, points[1:] + points[:1], beyond, beyond[1:] + beyond[:1], strict=True
        ):
            if depth <= 0:
                clipped.append(here)
            if depth * next_depth < 0:
                clipped.append(here + depth / (depth - next_depth) * (there - here))
        points = clipped
    return np.array(points, np.float64).reshape(-1, 2)


def _map(matrix: Array, points: Array) -> NDArray[np.float64]:
    ahead = np.c_[points, np.ones(len(points))] @ matrix.T
    found: NDArray[np.float64] = ahead[:, :2] / ahead[:, 2:]
    return found


def _area(polygon: Array) -> float:
    x, y = polygon.T
    return float(abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2)
