"""Near duplicates decided by local features, independent of any descriptor.

Folders of photographs hold several files of one picture, or of one scene from one spot. A copy that
is answered by such a near duplicate is answered rightly, and must not count as a miss. Two pictures
are near duplicates if their local features agree (:mod:`homing.evidence.features`), also mirrored.
Pictures without texture cannot be confirmed: their near duplicates stay misses.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from homing.bench.encode.variants import Crop, Recipe, crop_image
from homing.errors import PictureError
from homing.evidence.features import Features, Rule, features_of, fit_homography
from homing.images import read_rgb
from homing.options import Limits

INLIERS = 15
"""Matches that must agree with one homography; see :func:`confirm`."""

_RULE = Rule(side=400, features=600, agreeing=INLIERS, spread=0.02, zoom=8.0)


@dataclass(frozen=True)
class Evidence:
    """The reason why two pictures are near duplicates."""

    inliers: int  # matches of local features that one homography explains
    mirrored: bool  # one picture had to be mirrored


@dataclass(frozen=True)
class CandidatePairs:
    """A picture and the candidates, whole photographs or crops, for its near duplicates."""

    path: Path
    candidates: tuple[tuple[Path, Recipe], ...]
    limits: Limits


def confirm(picture: Image.Image, other: Image.Image) -> Evidence | None:
    """Return the evidence that two 8-bit RGB pictures show the same; None if there is too little.

    At least :data:`INLIERS` matches must agree.
    """
    return _agreement(_both_ways(picture), _features(other))


def confirm_pairs(pairs: CandidatePairs) -> tuple[Evidence | str | None, ...]:
    """Confirm or reject the candidates of one picture, in a worker process.

    Where a file cannot be read, the reason stands instead of a verdict.
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
    return _agreement(
        ours, _features(crop_image(other, recipe) if isinstance(recipe, Crop) else other)
    )


def _both_ways(picture: Image.Image) -> Iterator[Features]:
    """Features of a picture, then of its mirror image."""
    features = _features(picture)
    yield features
    yield features.mirrored()


def _agreement(ours: Iterable[Features], theirs: Features) -> Evidence | None:
    for mirrored, features in enumerate(ours):
        found = fit_homography(features, theirs, _RULE)
        if found is not None:
            return Evidence(len(found.here), bool(mirrored))
    return None


def _features(image: Image.Image) -> Features:
    import cv2

    cv2.setNumThreads(1)  # processes share the cores
    return features_of(image, _RULE)
