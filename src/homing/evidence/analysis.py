"""Pictures as analysed before they are compared: at several sizes, each when it is first needed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from homing.evidence.blocks import compare_blocks
from homing.evidence.features import (
    Features,
    analysed_size,
    count_corners,
    detect,
    detect_quickly,
    grey_pixels,
)
from homing.lazy import lazy

Grey = NDArray[np.uint8]

SMALL = 320
"""Pixels of the longer side of a picture at a small size."""

MOST_FEATURES = 500
"""Most features of a picture, at each size."""

MOST_AT_A_GLANCE = 400
"""Most features of a picture for a first look."""

_PREVIEW = 480  # pixels of the longer side
_PLAIN = 0.72  # share of a drawing without any change from pixel to pixel
_FEW_TONES = 0.78  # share of a drawing in its three commonest tones
_VARIED = 0.6  # most share of a photograph in its three commonest tones
_RICH = 250  # least features of photographs that their small versions settle
_CORNERS = 60  # least strong corners of pictures that a first look settles
_SAME_BLOCKS = 12  # least blocks with details of pictures that are compared pixel by pixel


@dataclass(frozen=True, eq=False)
class Analysis:
    """A picture as analysed at one size."""

    pixels: Grey  # (h, w) luma
    features: Features

    def mirrored(self) -> "Analysis":
        """Return that of the mirror image."""
        return Analysis(np.ascontiguousarray(self.pixels[:, ::-1]), self.features.mirrored())


@dataclass(frozen=True, eq=False)
class AnalysedPicture:
    """A picture, analysed once for all that it is compared with."""

    picture: Image.Image  # 8-bit RGB, upright

    @lazy
    def small(self) -> Grey:
        """Its luma at a small size."""
        size = analysed_size(self.picture, SMALL, enlarged=True)
        return grey_pixels(self.picture, size)

    @lazy
    def glance(self) -> Analysis:
        """The picture at a small size, with features for a first look."""
        return Analysis(self.small, detect_quickly(self.small, MOST_AT_A_GLANCE))

    @lazy
    def coarse(self) -> Analysis:
        """The picture at a small size."""
        return Analysis(self.small, detect(self.small, MOST_FEATURES))

    @lazy
    def is_varied(self) -> bool:
        """Whether it has as many tones as photographs have."""
        return _commonest_tones(self.small) <= _VARIED

    @lazy
    def has_corners(self) -> bool:
        """Whether a first look sees enough of it: not of what is smooth."""
        return count_corners(self.small) >= _CORNERS

    @property
    def is_rich(self) -> bool:
        """Whether it has features enough for a small version to settle it."""
        return len(self.coarse.features.points) >= _RICH

    def at(self, side: int) -> Analysis:
        """Return the picture at a larger size, if it has so many pixels."""
        pixels = grey_pixels(self.picture, analysed_size(self.picture, side))
        return Analysis(pixels, detect(pixels, MOST_FEATURES))


@dataclass(frozen=True, eq=False)
class ComparableRecord(AnalysedPicture):
    """Picture of a record, such as its preview: best 480 pixels or more."""

    @lazy
    def fine(self) -> Analysis:
        """The picture at the size of a preview."""
        return self.at(_PREVIEW)

    @lazy
    def is_drawing(self) -> bool:
        """Whether most of it is of few plain colours, as of charts and logos."""
        return _is_plain(self.small) and _commonest_tones(self.small) > _FEW_TONES

    @lazy
    def has_details(self) -> bool:
        """Whether its details suffice to tell it from others by its pixels."""
        blocks = compare_blocks(self.fine.pixels, self.fine.pixels, np.eye(3))
        return blocks is not None and int(blocks.detailed.sum()) >= _SAME_BLOCKS


def _is_plain(grey: Grey) -> bool:
    pixels = grey.astype(np.int16)
    across = np.abs(np.diff(pixels, axis=1))[:-1] <= 1
    down = np.abs(np.diff(pixels, axis=0))[:, :-1] <= 1
    return min(grey.shape) < 2 or bool((across & down).mean() > _PLAIN)


def _commonest_tones(grey: Grey) -> float:
    """Return the share of a picture in its three commonest tones, of five levels each."""
    counts = np.convolve(np.bincount(grey.ravel(), minlength=256), np.ones(5), "same")
    share = 0.0
    for _ in range(3):
        level = int(counts.argmax())
        share += counts[level] / grey.size
        counts[max(0, level - 4) : level + 5] = 0
    return share
