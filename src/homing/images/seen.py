"""How a picture is seen: whole on a screen, and in parts at its own size."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from homing.images.pixels import Pixels
from homing.images.ssimulacra2 import Reference

SCREEN = 1600
"""Longest side, in pixels, at which a whole picture is seen."""

_PART = 384  # pixels a side of what is looked at in its own size
_PARTS = (1 / 6, 1 / 2, 5 / 6)  # places of the middles of parts, down and across

_View = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]


@dataclass(frozen=True, eq=False)
class SeenPicture:
    """A picture as it is seen, to be compared with changed ones."""

    peak: int
    opacity: NDArray[np.float32] | None  # (h, w), 0..1
    views: tuple[tuple[_View, Reference], ...]

    @classmethod
    def of(
        cls, pixels: Pixels, *, peak: int, opacity: NDArray[np.float32] | None = None
    ) -> "SeenPicture":
        """Prepare a picture, (h, w, 1 or 3), of white `peak`, as displayed; `opacity` is straight.

        A picture of more than :data:`SCREEN` pixels a side is seen shrunk to that, and in nine
        parts at its own size. What is transparent is seen over white, 16 bits are seen as 8.
        """
        shown = _shown(pixels, peak, opacity)
        views = _views(*shown.shape[:2])
        return cls(peak, opacity, tuple((v, Reference.of(v(shown), peak=255)) for v in views))

    def ssimulacra2(self, pixels: Pixels) -> float | None:
        """Return the SSIMULACRA2 of a changed picture, the least of all views; None if too small.

        See :mod:`homing.images.ssimulacra2`. A grey picture may have become one of three channels.
        """
        shown = _shown(pixels, self.peak, self.opacity)
        scores = [_score(reference, view(shown)) for view, reference in self.views]
        return min((score for score in scores if score is not None), default=None)


def _score(reference: Reference, shown: NDArray[np.uint8]) -> float | None:
    if shown.shape[2] > reference.shape[2]:  # a grey one is prepared as three equal channels are
        reference = replace(reference, shape=shown.shape)
    return reference.score(shown)


def _views(height: int, width: int) -> list[_View]:
    longest = max(height, width)
    if longest <= SCREEN:
        return [lambda shown: shown]
    size = max(1, round(width * SCREEN / longest)), max(1, round(height * SCREEN / longest))
    return [lambda shown: _shrink(shown, size), *_parts(height, width)]


def _shrink(shown: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    import cv2

    small: NDArray[np.uint8] = cv2.resize(shown, size, interpolation=cv2.INTER_AREA)
    return small.reshape(size[1], size[0], -1)


def _parts(height: int, width: int) -> list[_View]:
    def part(down: float, across: float) -> _View:
        top = max(0, round(down * height) - _PART // 2)
        left = max(0, round(across * width) - _PART // 2)
        return lambda shown: shown[top : top + _PART, left : left + _PART]

    return [part(down, across) for down in _PARTS for across in _PARTS]


def _shown(pixels: Pixels, peak: int, opacity: NDArray[np.float32] | None) -> NDArray[np.uint8]:
    if pixels.dtype == np.uint8 and opacity is None:
        return pixels
    shown = np.empty(pixels.shape, np.uint8)
    for channel in range(pixels.shape[2]):
        plane = pixels[:, :, channel] * np.float32(255 / peak)
        if opacity is not None:
            plane += (255 - plane) * (1 - opacity)
        shown[:, :, channel] = np.rint(plane).clip(0, 255)
    return shown
