"""Alignment of a record's picture with a query's: its homography, and what both show."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from homing.evidence.geometry import Array, Box, area, clipped, corners_of, derivative, mapped


@dataclass(frozen=True, eq=False)
class Alignment:
    """Position of a record's picture in a query.

    The corners are those of the convex polygon that both pictures show, in pixels of each.
    """

    matrix: NDArray[np.float64]  # (3, 3) homography from the record's pixels to the query's
    agreeing: int  # matches of local features that it explains; 0 if found from pixels alone
    in_record: NDArray[np.float64]  # (n, 2) corners
    in_query: NDArray[np.float64]  # (n, 2) corners
    shown: float  # share of the record's area that the query shows
    covered: float  # share of the query's area that shows the record

    @property
    def jacobian(self) -> NDArray[np.float64]:
        """Derivative of the homography in the middle of what both show, (2, 2)."""
        return derivative(self.matrix, self.in_record.mean(axis=0))

    @property
    def mirrored(self) -> bool:
        """True if the query is a mirror image."""
        return bool(np.linalg.det(self.jacobian) < 0)

    @property
    def turned(self) -> float:
        """Degrees by which the record was turned clockwise, and then mirrored if it was."""
        along = self.jacobian[:, 0] * ((-1, 1) if self.mirrored else (1, 1))
        return float(np.degrees(np.arctan2(along[1], along[0])))

    @property
    def scale(self) -> float:
        """Edge in the query over the same edge in the record."""
        return float(np.sqrt(abs(np.linalg.det(self.jacobian))))

    @property
    def stretch(self) -> float:
        """Largest over smallest enlargement of any direction, at least 1."""
        large, small = np.linalg.svd(self.jacobian, compute_uv=False)
        return float(large / small)


def align(
    matrix: Array,
    agreeing: int,
    record: tuple[int, int],
    query: tuple[int, int],
    within: Box | None = None,
) -> Alignment | None:
    """Return the alignment of pictures of these sizes; None if they share no area.

    If the query is framed, `within` is the left, top, right and bottom of the frame's content.
    """
    polygon = clipped(mapped(np.linalg.inv(matrix), corners_of(within or (0, 0, *query))), *record)
    if len(polygon) < 3:
        return None
    placed = mapped(matrix, polygon)
    shown = area(polygon) / (record[0] * record[1])
    covered = area(placed) / (query[0] * query[1])
    return Alignment(matrix, agreeing, polygon, placed, min(shown, 1.0), min(covered, 1.0))
