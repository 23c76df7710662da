"""Content of two aligned pictures, compared block by block.

Local features that agree say that the pictures share *something*: a frame and a logo have features,
too. The query is therefore laid over the record, and the blocks of what both show are compared by
normalised correlation, of all tones and of details alone.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from homing.evidence.geometry import Array, Box, area, clipped, corners_of, derivative, mapped
from homing.lazy import lazy

SIDE = 10
"""Blocks along each side of what both pictures show."""

_INSIDE = 0.9  # least share of a block that both pictures show
_SMOOTH = 0.7  # pixels: standard deviation of the blur of both before they are compared
_COARSE = 4.0  # pixels: the blur whose result is subtracted, which leaves the details
_TEXTURED = 4.0  # levels: least standard deviation of a block with texture
_DETAILED = 3.0  # the same, of its details
_ALIKE, _SAME = 0.5, 0.8  # least correlation of blocks that look alike, and that are the same
_HOLE = 4  # blocks: side of an area of another content
_STRANGE = 4  # least blocks of a row or column that do not look alike where it shows something else
_DIFFERENT = 0.8  # least share of such an area's textured blocks that do not look alike

Mask = NDArray[np.bool_]
Values = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Statistics:
    """Standard deviations (levels) and correlations of blocks, (SIDE, SIDE) each."""

    record: Values
    query: Values
    correlation: Values

    @property
    def either(self) -> Values:
        """The larger standard deviation."""
        return np.maximum(self.record, self.query)


@dataclass(frozen=True, eq=False)
class Blocks:
    """Blocks of what two pictures show; the first index goes down the record."""

    inside: Mask  # shown by both
    tones: Statistics
    details: Statistics
    box: Box  # of what both show, pixels of the record as analysed

    @lazy
    def compared(self) -> Mask:
        """Blocks with texture in either picture."""
        return self.inside & (self.tones.either >= _TEXTURED)

    @lazy
    def agreeing(self) -> Mask:
        """Blocks of these that look alike."""
        return self.compared & (self.tones.correlation > _ALIKE)

    @property
    def share(self) -> float:
        """Share of the record's textured blocks that look alike; 0 without any."""
        textured = self.inside & (self.tones.record >= _TEXTURED)
        return _share(self.agreeing, textured)

    @property
    def agreed_share(self) -> float:
        """Share of the blocks compared that look alike, 0 without any."""
        return _share(self.agreeing, self.compared)

    @property
    def detailed(self) -> Mask:
        """Blocks with details in either picture."""
        return self.inside & (self.details.either >= _DETAILED)

    @property
    def detail_share(self) -> float:
        """Share of the record's blocks with details that look alike, 0 without any."""
        detailed = self.inside & (self.details.record >= _DETAILED)
        return _share(self.details.correlation > _ALIKE, detailed)

    @property
    def same_details(self) -> float:
        """Share of the contrast of all details that is in blocks with the same details."""
        energy = self.inside * (self.details.record**2 + self.details.query**2)
        same = energy[self.details.correlation > _SAME].sum()
        return float(same / max(float(energy.sum()), 1e-6))

    def has_other_content(self) -> bool:
        """Return whether a coherent area, as a photograph within a frame, shows something else."""
        compared = _window_sums(self.compared)
        different = _window_sums(self.compared & ~self.agreeing)
        hole = (compared >= 0.75 * _HOLE**2) & (different >= _DIFFERENT * compared)
        return bool(hole.any())

    def cells_of(self, points: Array) -> int:
        """Count the blocks that hold any of some points of the record, (n, 2)."""
        left, top, right, bottom = self.box
        cells = (points - (left, top)) * SIDE // (right - left, bottom - top)
        return len(np.unique(np.clip(cells, 0, SIDE - 1), axis=0))

    def corners_agreeing(self) -> NDArray[np.float64]:
        """Return corners of the blocks that look alike, in the record as analysed, (n, 2)."""
        return self._corners(self.agreeing)

    def corners_of_copy(self) -> NDArray[np.float64]:
        """Return corners of all blocks but outer rows and columns that show something else."""
        rows = _extent(self.agreeing, self.compared, axis=1)
        columns = _extent(self.agreeing[rows], self.compared[rows], axis=0)
        within = np.zeros_like(self.agreeing)
        within[rows, columns] = True
        return self._corners(within)

    def _corners(self, blocks: Mask) -> NDArray[np.float64]:
        left, top, right, bottom = self.box
        rows, columns = np.nonzero(blocks)
        x = np.r_[columns, columns + 1, columns, columns + 1]
        y = np.r_[rows, rows, rows + 1, rows + 1]
        steps = np.array([right - left, bottom - top]) / SIDE
        return np.asarray(np.stack([x, y], axis=1) * steps + (left, top), np.float64)


def _extent(agreeing: Mask, compared: Mask, axis: int) -> slice:
    """Return the rows (axis 1) or columns (0) between outer ones that show something else."""
    alike = agreeing.sum(axis=axis)
    other = compared.sum(axis=axis) - alike
    places = np.flatnonzero((other < _STRANGE) | (other <= 3 * alike))
    if not len(places):
        return slice(0, SIDE)
    first, last = int(places[0]), int(places[-1]) + 1
    # A single one may do so for the edge of a gutter in it.
    return slice(first if first > 1 else 0, last if last < SIDE - 1 else SIDE)


def _share(part: Mask, whole: Mask) -> float:
    return float((part & whole).sum() / max(1, int(whole.sum())))


def _window_sums(mask: Mask) -> NDArray[np.int64]:
    """Return the sums over all windows of _HOLE by _HOLE blocks."""
    windows = np.lib.stride_tricks.sliding_window_view(mask, (_HOLE, _HOLE))
    return np.asarray(windows.sum(axis=(2, 3)), np.int64)


def compare_blocks(
    record: Array, query: Array, matrix: Array, within: Box | None = None
) -> Blocks | None:
    """Compare grey pictures, (h, w) 8-bit each; None if they share no area.

    `matrix` maps the record's pixels to the query's, of which only the box `within` counts.
    """
    height, width = record.shape
    seen = _seen_by(matrix, (width, height), within or (0, 0, query.shape[1], query.shape[0]))
    if len(seen) < 3:
        return None
    left, top = np.maximum(np.floor(seen.min(axis=0)), 0).astype(int).tolist()
    right, bottom = np.minimum(np.ceil(seen.max(axis=0)), (width, height)).astype(int).tolist()
    if min(right - left, bottom - top) < 2 * SIDE or area(seen) < (2 * SIDE) ** 2:
        return None
    import cv2

    mask = np.zeros((bottom - top, right - left), np.float32)
    cv2.fillConvexPoly(mask, np.round(seen - (left, top)).astype(np.int32), 1.0)
    scale = scale_of(matrix, seen.mean(axis=0))
    # The finer of the two is blurred to what the other can show.
    here = blurred(record[top:bottom, left:right], _SMOOTH * max(1.0, 1 / scale))
    moved = matrix @ np.array([[1.0, 0, left], [0, 1, top], [0, 0, 1]])
    laid = laid_over(query, moved, (right - left, bottom - top), scale)
    fine = _statistics(here - blurred(here, _COARSE), laid - blurred(laid, _COARSE))
    inside = _mean(mask) >= _INSIDE
    return Blocks(inside, _statistics(here - 128, laid - 128), fine, (left, top, right, bottom))


def _seen_by(matrix: Array, record: tuple[int, int], query: Box) -> Array:
    """Return the convex polygon of a record that a query's box shows, (n, 2), perhaps empty."""
    corners = corners_of(query)
    inverse = np.linalg.inv(matrix)
    ahead = np.c_[corners, np.ones(4)] @ inverse[2]
    middle = mapped(matrix, np.array([[record[0] / 2, record[1] / 2]]))
    reference = float((np.c_[middle, [[1.0]]] @ inverse[2])[0])
    if (ahead * reference <= 0).any():  # a part of the query lies behind the record's horizon
        return np.empty((0, 2))
    return clipped(mapped(inverse, corners), *record)


def scale_of(matrix: Array, point: Array) -> float:
    """Return the enlargement of a homography at a point."""
    found = abs(np.linalg.det(derivative(matrix, point)))
    return float(np.sqrt(min(max(found, 1e-6), 1e6)))


def blurred(pixels: Array, sigma: float) -> Values:
    """Blur grey pixels by a Gaussian of that standard deviation, pixels."""
    import cv2

    found: Values = cv2.GaussianBlur(pixels.astype(np.float32), (0, 0), sigma)
    return found


def laid_over(query: Array, matrix: Array, size: tuple[int, int], scale: float) -> Values:
    """Return a grey query as it lies on a record of that size, `scale` times enlarged by it."""
    import cv2

    found: Values = cv2.warpPerspective(
        blurred(query, _SMOOTH * max(1.0, scale)),
        matrix,
        size,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return found


def _mean(values: Array) -> Values:
    import cv2

    found: Values = cv2.resize(values, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return found


def _statistics(here: Values, laid: Values) -> Statistics:
    """Return the statistics of blocks of two pictures of one size."""
    here_mean, laid_mean = _mean(here), _mean(laid)
    here_variance = np.maximum(_mean(here * here) - here_mean**2, 0)
    laid_variance = np.maximum(_mean(laid * laid) - laid_mean**2, 0)
    shared = _mean(here * laid) - here_mean * laid_mean
    correlation = shared / np.sqrt(np.maximum(here_variance * laid_variance, 1e-3))
    return Statistics(np.sqrt(here_variance), np.sqrt(laid_variance), correlation)
