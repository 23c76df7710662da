import importlib.util
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image

# All of the extra, or none of its tests.
if not all(map(importlib.util.find_spec, ("augly", "cv2", "imagehash", "pdqhash"))):
    collect_ignore_glob = ["test_*.py"]


class InlineWorkers:
    """Workers in this process; they remember the things that they received."""

    def __init__(self) -> None:
        self.received: list[object] = []

    def map(self, function: Callable, things: Iterable) -> Iterator:
        for thing in things:
            self.received.append(thing)
            yield function(thing)


@pytest.fixture
def workers() -> InlineWorkers:
    return InlineWorkers()


class _Bar:
    def by(self, count: int) -> None:
        pass


@contextmanager
def _silent(_total: int, _title: str) -> Iterator[_Bar]:
    yield _Bar()


@pytest.fixture
def silent():
    return _silent


def noise(seed: int, size: tuple[int, int] = (120, 90)) -> Image.Image:
    """Coarse coloured noise: every seed another picture, with corners for local features."""
    coarse = np.random.default_rng(seed).integers(0, 256, (18, 24, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


@pytest.fixture
def make_noise():
    return noise
