"""An archive with a small codebook."""

from collections.abc import Callable
from pathlib import Path

import pytest

import homing
from tests.helpers.vectors import unit_vectors


@pytest.fixture(scope="session")
def network(network_file: Path) -> "homing.Descriptor":
    return homing.load_descriptor(network_file)


@pytest.fixture(scope="session")
def codebook(network: "homing.Descriptor") -> "homing.Codebook":
    """A small codebook, trained in no time: the tests need cells, not good ones."""
    return homing.train_codebook(unit_vectors(600, 1), "IVF8,PQ8x8", descriptor=network.fingerprint)


@pytest.fixture
def create(
    tmp_path: Path, network_file: Path, codebook: "homing.Codebook"
) -> Callable[..., "homing.Archive"]:
    """``create(name, previews=…)``: an archive with the small codebook, in the test's folder."""

    def make(name: str = "archive", previews: int = 480) -> "homing.Archive":
        return homing.create(
            tmp_path / name, descriptor=network_file, codebook=codebook, previews=previews
        )

    return make


@pytest.fixture
def archive(create: Callable[..., "homing.Archive"]) -> "homing.Archive":
    return create()
