"""Local features of pictures, and the homography between two.

RootSIFT features [1]_ [2]_ are matched by the ratio test and mutually, and a homography is fitted
to the matches by MAGSAC++ [3]_. A :class:`Rule` sets the thresholds of its acceptance. ORB
features [4]_ take a fifteenth of the time, for a first look.

References
----------
.. [1] D. Lowe. "Distinctive Image Features from Scale-Invariant Keypoints". IJCV 60 (2004).
.. [2] R. Arandjelović, A. Zisserman. "Three Things Everyone Should Know to Improve Object
   Retrieval". CVPR 2012.
.. [3] D. Barath et al. "MAGSAC++, a Fast, Reliable and Accurate Robust Estimator". CVPR 2020.
.. [4] E. Rublee et al. "ORB: an Efficient Alternative to SIFT or SURF". ICCV 2011.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from homing.evidence.geometry import Array, derivative

_CONTRAST = 0.02  # of OpenCV's SIFT: half of its default, for dark and hazy pictures
_RATIO = 0.8  # Lowe's: distance to the nearest over that to the second nearest
_TOLERANCE = 3.0  # pixels between a match and the homography
_STRETCH = 3.0  # most that the homography may stretch one direction over another
_LEAST_OF_SIMILARITY, _SAMPLES = 3, 300  # matches that similarities are fitted to; attempts
_RIM, _CORNER = 15, 10  # of ORB: pixels at the rim without features, levels of a corner
_SCALES, _SCALE = 6, 1.3  # of ORB: sizes at which features are detected, each over the next
_STRONG = 20  # levels of a corner that noise and smooth shades do not have
_SEED = 1  # of the random samples that the homography is fitted to
_MIRRORED_BINS = (  # SIFT's 4 rows of 4 columns of 8 directions, as a mirror image has them
    np.arange(128).reshape(4, 4, 8)[::-1][:, :, -np.arange(8) % 8].ravel()
)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Thresholds of agreement."""

    side: int  # pixels of the longer side at which features are detected
    features: int  # most features of a picture
    agreeing: int  # least matches that agree with one homography
    spread: float  # least share of each picture's area that these span
    zoom: float  # most that the homography may enlarge or shrink
    ratio: float = _RATIO


@dataclass(frozen=True, eq=False)
class Features:
    """Local features of a picture as analysed: resized, perhaps mirrored."""

    points: Array  # (n, 2) float32, pixels
    values: Array  # (n, d) float32, unit vectors
    size: tuple[int, int]  # width and height

    def mirrored(self) -> "Features":
        """Return the RootSIFT features of the mirror image, computed from these."""
        points = self.points.copy()
        points[:, 0] = self.size[0] - 1 - points[:, 0]
        return Features(points, self.values[:, _MIRRORED_BINS], self.size)


@dataclass(frozen=True, eq=False)
class Matches:
    """Points of two pictures whose features are alike."""

    here: Array  # (n, 2) float32, of the first
    there: Array  # (n, 2) float32, of the second
    sizes: tuple[tuple[int, int], tuple[int, int]]  # width and height of each

    def agreeing(self, tolerance: float, zoom: float) -> int:
        """Count those that one turn, resize and shift of the picture explains.

        None do if it would enlarge or shrink the picture more than `zoom` times.
        """
        import cv2

        if len(self.here) < _LEAST_OF_SIMILARITY:
            return 0
        matrix, mask = cv2.estimateAffinePartial2D(
            self.here, self.there, method=cv2.RANSAC, ransacReprojThreshold=tolerance,
            maxIters=_SAMPLES, confidence=0.98, refineIters=0,
        )  # fmt: skip
        if matrix is None:
            return 0
        scale = float(np.hypot(*matrix[:, 0]))
        return int(mask.sum()) if 1 / zoom <= scale <= zoom else 0


@dataclass(frozen=True, eq=False)
class Fit:
    """Homography that matches of local features agree with."""

    matrix: NDArray[np.float64]  # (3, 3), from the first picture's pixels to the second's
    here: Array  # (n, 2) float32, agreeing points of the first
    there: Array  # (n, 2) float32, those of the second


def analysed_size(image: Image.Image, side: int, *, enlarged: bool = False) -> tuple[int, int]:
    """Return the size, of at most `side` pixels, at which a picture is analysed."""
    factor = side / max(image.size)
    if not enlarged:
        factor = min(1.0, factor)
    return max(1, round(image.width * factor)), max(1, round(image.height * factor))


def grey_pixels(image: Image.Image, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return the luma of an 8-bit picture at a size, (h, w)."""
    import cv2

    grey = np.asarray(image.convert("L"))
    if size != image.size:
        kind = cv2.INTER_CUBIC if size[0] > image.width else cv2.INTER_AREA
        grey = np.asarray(cv2.resize(grey, size, interpolation=kind), np.uint8)
    return grey


def features_of(image: Image.Image, rule: Rule) -> Features:
    """Detect the features of an 8-bit picture."""
    return detect(grey_pixels(image, analysed_size(image, rule.side)), rule.features)


def detect(pixels: NDArray[np.uint8], most: int) -> Features:
    """Detect at most about `most` features of a grey picture, (h, w)."""
    import cv2

    sift: Any = cv2.SIFT_create(most, 3, _CONTRAST)  # type: ignore[attr-defined]
    points, values = sift.detectAndCompute(pixels, None)
    height, width = pixels.shape
    if values is None:
        points, values = (), np.empty((0, 128), np.float32)
    places = np.array([point.pt for point in points], np.float32).reshape(-1, 2)
    values /= np.maximum(values.sum(axis=1, keepdims=True), 1e-9)
    return Features(places, np.sqrt(values), (width, height))


def detect_quickly(pixels: NDArray[np.uint8], most: int) -> Features:
    """Detect at most `most` ORB features of a grey picture, (h, w); their 256 bits are ±1/16."""
    import cv2

    orb: Any = cv2.ORB_create(  # type: ignore[attr-defined]
        most, scaleFactor=_SCALE, nlevels=_SCALES, edgeThreshold=_RIM, fastThreshold=_CORNER
    )
    points, bits = orb.detectAndCompute(pixels, None)
    height, width = pixels.shape
    if bits is None:
        points, bits = (), np.empty((0, 32), np.uint8)
    places = np.array([point.pt for point in points], np.float32).reshape(-1, 2)
    values = np.unpackbits(bits, axis=1).astype(np.float32) / 8 - np.float32(1 / 16)
    return Features(places, values, (width, height))


def count_corners(pixels: NDArray[np.uint8]) -> int:
    """Count the strong corners (FAST) of a grey picture, (h, w)."""
    import cv2

    corners: Any = cv2.FastFeatureDetector_create(_STRONG)  # type: ignore[attr-defined]
    return len(corners.detect(pixels))


def fit_homography(first: Features, second: Features, rule: Rule) -> Fit | None:
    """Fit the homography from the first's pixels to the second's.

    None if the matches agreeing with it are too few or lie too close together, or if no copy would
    be changed like that.
    """
    return fit_matches(match(first, second, rule.ratio), rule)


def fit_matches(matches: "Matches", rule: Rule) -> Fit | None:
    """Fit the homography that matches agree with, as :func:`fit_homography` does."""
    import cv2

    here, there = matches.here, matches.there
    if len(here) < max(4, rule.agreeing):
        return None
    matrix, mask = cv2.findHomography(here, there, _estimator())
    if matrix is None or not np.isfinite(matrix).all():
        return None
    agree = mask.ravel().astype(bool)
    here, there = here[agree], there[agree]
    if len(here) < rule.agreeing or not is_plausible(matrix, here.mean(axis=0), rule.zoom):
        return None
    for points, (width, height) in zip((here, there), matches.sizes, strict=True):
        if cv2.contourArea(cv2.convexHull(points)) < rule.spread * (width * height):
            return None
    return Fit(matrix, here, there)


def _estimator() -> Any:
    """Return the parameters of ``cv2.USAC_MAGSAC``, with its random generator seeded."""
    import cv2

    parameters: Any = cv2.UsacParams()
    parameters.threshold = _TOLERANCE
    parameters.confidence = 0.995
    parameters.maxIterations = 2000
    parameters.randomGeneratorState = _SEED
    parameters.sampler = cv2.SAMPLING_UNIFORM
    parameters.score = cv2.SCORE_METHOD_MAGSAC
    parameters.loMethod = cv2.LOCAL_OPTIM_SIGMA
    parameters.loIterations, parameters.loSampleSize = 10, 14
    parameters.final_polisher = cv2.MAGSAC
    parameters.final_polisher_iterations = 3
    return parameters


def match(first: Features, second: Features, ratio: float) -> Matches:
    """Return pairs of points that pass the ratio test, each point in one pair only."""
    sizes = first.size, second.size
    if len(first.values) < 2 or len(second.values) < 2:
        return Matches(np.empty((0, 2), np.float32), np.empty((0, 2), np.float32), sizes)
    alike = first.values @ second.values.T
    rows = np.arange(len(alike))
    nearest = alike.argmax(axis=1)
    best = alike[rows, nearest]
    mutual = alike.argmax(axis=0)[nearest] == rows
    # Mutual: otherwise many points of a repeated pattern would be matched to one.
    alike[rows, nearest] = -1
    passed = mutual & (1 - best < ratio**2 * (1 - alike.max(axis=1)))  # of distances squared
    return Matches(first.points[passed], second.points[nearest[passed]], sizes)


def is_plausible(matrix: Array, point: Array, zoom: float) -> bool:
    """Return whether a homography, near this point, is an edit that copies undergo."""
    x, y = point
    if abs(matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2]) < 1e-9:
        return False
    jacobian = derivative(matrix, point)
    large, small = np.linalg.svd(jacobian, compute_uv=False)
    return bool(
        np.linalg.det(jacobian) > 0
        and small * _STRETCH >= large
        and large <= zoom
        and small >= 1 / zoom
    )
