"""Workers, pictures and a codebook for the tests of the benchmark."""

import importlib.util
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image

from homing.codebooks import train_codebook
from tests.helpers.bench import seeded_unit_vectors

# Tests need the whole extra: without a part of it none runs.
if not all(map(importlib.util.find_spec, ("augly", "cv2", "imagehash", "pdqhash"))):
    collect_ignore_glob = ["test_*.py"]


class InlineWorkers:
    """Workers in this process, which record their tasks."""

    def __init__(self) -> None:
        self.received: list[object] = []

    def map(self, function: Callable, tasks: Iterable) -> Iterator:
        for task in tasks:
            self.received.append(task)
            yield function(task)


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
    """Return coarse coloured noise, with corners for local features; every seed gives another."""
    coarse = np.random.default_rng(seed).integers(0, 256, (18, 24, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


@pytest.fixture
def make_noise():
    return noise


@pytest.fixture(scope="session")
def codebook():
    return train_codebook(seeded_unit_vectors(2000, 0), "IVF8,PQ8x8")
