"""Whether two pictures show the same, decided by local features and by no descriptor.

Folders of photographs hold several files of one picture, or of one scene from one spot. A copy
that is answered by such a twin is answered rightly, and must not count as a miss. Two pictures are
twins if their local features agree (:mod:`homing.evidence.features`); a mirrored twin is one, too.
Pictures without texture cannot be confirmed: their twins stay misses.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from homing.bench.encode.variants import Crop, Recipe, cropped
from homing.errors import PictureError
from homing.evidence.features import Features, Rule, features_of, fit_homography
from homing.images import read_rgb
from homing.options import Limits

INLIERS = 15
"""Matches that must agree with one homography; see :func:`confirm`."""

_RULE = Rule(side=400, features=600, agreeing=INLIERS, spread=0.02, zoom=8.0)


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
    return _judged(_both_ways(picture), _features(other))


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
    ours = tuple(_both_ways(picture))
    return tuple(_against(ours, path, recipe, pairs.limits) for path, recipe in pairs.candidates)


def _against(
    ours: Sequence[Features], path: Path, recipe: Recipe, limits: Limits
) -> Evidence | str | None:
    try:
        other = read_rgb(path, limits=limits)
    except PictureError as error:
        return str(error)
    return _judged(ours, _features(cropped(other, recipe) if isinstance(recipe, Crop) else other))


def _both_ways(picture: Image.Image) -> Iterator[Features]:
    """Features of a picture, then of its mirror image."""
    return (_features(picture, mirrored=mirrored) for mirrored in (False, True))


def _judged(ours: Iterable[Features], theirs: Features) -> Evidence | None:
    for mirrored, features in enumerate(ours):
        found = fit_homography(features, theirs, _RULE)
        if found is not None:
            return Evidence(found[1], bool(mirrored))
    return None


def _features(image: Image.Image, *, mirrored: bool = False) -> Features:
    import cv2

    cv2.setNumThreads(1)  # processes share the cores
    return features_of(image, _RULE, mirrored=mirrored)
