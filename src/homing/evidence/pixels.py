"""Alignment of pictures with few local features, from their pixels.

Proposals, of local features, of equal shapes, or of one picture searched for in the other at
several sizes, are refined by the enhanced correlation coefficient [1]_ to a part of a pixel.

References
----------
.. [1] G. Evangelidis, E. Psarakis. "Parametric Image Alignment Using Enhanced Correlation
   Coefficient Maximization". PAMI 30 (2008).
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from homing.evidence.blocks import blurred, laid_over, scale_of
from homing.evidence.geometry import Array

_STEPS = ((160, 40), (480, 12))  # longer side of the record, most iterations
_PRECISION = 1e-4
_ALIKE = 0.6  # least correlation of the two once aligned
_FILTER = 5  # pixels: the window of the blur before pictures are aligned
_SHAPE = 0.04  # most difference of aspect ratios that a plain resize leaves
_SEARCHED = 128  # pixels of the longer side at which one picture is searched for in the other
_ZOOM, _ZOOMS = 0.45, 22  # smallest picture searched for, share of the other's; sizes tried
_FOUND = 0.5  # least correlation where it is found


def refined(record: Array, query: Array, matrix: Array) -> NDArray[np.float64] | None:
    """Refine a homography from a grey record's pixels to a grey query's; None if that fails."""
    import cv2

    found = np.asarray(matrix, np.float64)
    height, width = record.shape
    for side, iterations in _STEPS:
        factor = min(1.0, side / max(width, height))
        size = max(1, round(width * factor)), max(1, round(height * factor))
        here = cv2.resize(record, size, interpolation=cv2.INTER_AREA)
        enlarging = np.diag([width / size[0], height / size[1], 1.0])
        moved = found @ enlarging
        scale = scale_of(moved, np.array([size[0] / 2, size[1] / 2]))
        laid = np.clip(laid_over(query, moved, size, scale), 0, 255).astype(np.uint8)
        mask = cv2.warpPerspective(
            np.full(query.shape, 255, np.uint8), moved, size,
            flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP,
        )  # fmt: skip
        if (mask > 0).mean() < 0.05:
            return None
        ends = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, iterations, _PRECISION)
        start = np.eye(2, 3, dtype=np.float32)
        try:
            alike, shift = cv2.findTransformECC(
                here, laid, start, cv2.MOTION_AFFINE, ends, mask, _FILTER
            )
        except cv2.error:  # no overlap, or no texture: it does not converge
            return None
        if alike < _ALIKE:
            return None
        found = moved @ np.vstack([shift, (0, 0, 1)]) @ np.linalg.inv(enlarging)
    return found


def proposals(record: Array, query: Array) -> Iterator[NDArray[np.float64]]:
    """Yield homographies worth refining: of a plain resize, and of a crop or a frame."""
    (height, width), (down, across) = record.shape, query.shape
    if abs(np.log(width / height * down / across)) < _SHAPE:
        yield np.diag([across / width, down / height, 1.0])
    for inner, outer, inverse in ((query, record, False), (record, query, True)):
        found = _searched(inner, outer)
        if found is not None:
            yield found if inverse else np.asarray(np.linalg.inv(found), np.float64)


def _searched(inner: Array, outer: Array) -> NDArray[np.float64] | None:
    """Search for a picture within another; return the map of its pixels to the other's."""
    import cv2

    factor = min(1.0, _SEARCHED / max(outer.shape))
    whole = _reduced(outer, factor)
    best, found = _FOUND, None
    limit = min(whole.shape[0] / inner.shape[0], whole.shape[1] / inner.shape[1])
    for zoom in np.geomspace(_ZOOM, 1.0, _ZOOMS) * limit:
        part = _reduced(inner, float(zoom))
        if min(part.shape) < 16 or part.std() < 1:
            continue
        places = cv2.matchTemplate(whole, part, cv2.TM_CCOEFF_NORMED)
        _, highest, _, (x, y) = cv2.minMaxLoc(places)
        if highest > best:
            best = highest
            across, down = part.shape[1] / inner.shape[1], part.shape[0] / inner.shape[0]
            scales = np.array([whole.shape[1] / outer.shape[1], whole.shape[0] / outer.shape[0]])
            found = np.diag([*(1 / scales), 1.0]) @ np.array(
                [[across, 0, x], [0, down, y], [0, 0, 1]]
            )
    return found


def _reduced(pixels: Array, factor: float) -> NDArray[np.float32]:
    import cv2

    height, width = pixels.shape
    size = max(1, int(width * factor)), max(1, int(height * factor))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return blurred(small, 1.0)
