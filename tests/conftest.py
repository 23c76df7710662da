"""Fixtures for all tests: photographs, a small descriptor, the command line, a certificate."""

import json
import os
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

# Before torch is imported: threads of tests that run beside other work must not spin.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")
if "PYTEST_XDIST_WORKER" in os.environ:  # the other cores have tests of their own
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

import homing

if TYPE_CHECKING:
    from tests.helpers.command_line import Ran


@pytest.fixture(scope="session")
def photos() -> Path:
    """Folder of photographs with ``train/`` and ``dev/``; its tests are marked ``photos``."""
    default = Path(__file__).parents[2] / "shared" / "photos"
    folder = Path(os.environ.get("HOMING_PHOTOS", default))
    if not (folder / "dev").is_dir():
        pytest.skip("no photographs: set HOMING_PHOTOS to a folder with train/ and dev/")
    return folder


class _Averages(torch.nn.Module):
    """Averages on a grid of 8 × 8: a descriptor that costs no time."""

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.adaptive_avg_pool2d(batch - 0.5, 8).flatten(1)


@pytest.fixture(scope="session")
def network_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A TorchScript descriptor: 192 dimensions, input of 64 by 64 pixels."""
    path = tmp_path_factory.mktemp("network") / "averages.ts"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.script(_Averages().eval()).save(path)
    path.with_suffix(".json").write_text(json.dumps({"dimension": 192, "input_size": 64}))
    return path


@pytest.fixture(scope="session")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> "homing.ContentCredentials":
    """A certificate and its key, just made: valid for signing, in no list of trust."""
    from tests.helpers.signing_material import write_material

    folder = tmp_path_factory.mktemp("credentials")
    return homing.ContentCredentials(*write_material(folder), endpoint="https://example.org/v1")


@pytest.fixture
def homing_cli(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> "Callable[..., Ran]":
    """``homing_cli(*arguments)``: run a command in this process."""
    from tests.helpers.command_line import protect_process, run

    protect_process(monkeypatch)
    return partial(run, capsys)
