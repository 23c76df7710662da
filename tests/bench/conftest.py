import importlib.util
import json
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

# All of the extra, or none of its tests.
if not all(map(importlib.util.find_spec, ("augly", "cv2", "imagehash", "pdqhash"))):
    collect_ignore_glob = ["test_*.py"]


class _Averages(torch.nn.Module):
    """Averages of 8 × 8 places: a descriptor that takes no time."""

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.adaptive_avg_pool2d(batch - 0.5, 8).flatten(1)


@pytest.fixture(scope="session")
def network_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("network") / "averages.ts"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.script(_Averages().eval()).save(path)
    path.with_suffix(".json").write_text(json.dumps({"dimension": 192, "input_size": 64}))
    return path


class InlineWorkers:
    """Workers in this process; they remember what they were asked."""

    def __init__(self) -> None:
        self.asked: list[object] = []

    def map(self, function: Callable, things: Iterable) -> Iterator:
        for thing in things:
            self.asked.append(thing)
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
