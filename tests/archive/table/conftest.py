"""An empty table, and codebooks of all forms."""

from pathlib import Path

import pytest

import homing
from homing.archive.table.table import Table
from tests.helpers.index import HELD
from tests.helpers.vectors import unit_vectors


@pytest.fixture(scope="session")
def codebooks(network) -> dict[str, homing.Codebook]:
    factories = [*HELD, "PCA24,LSH", "IVF8,SQ8", "IVF8,PQ8x4fsr", "IVF8,RaBitQ"]
    return {
        f: homing.train_codebook(unit_vectors(600, 1), f, descriptor=network.fingerprint)
        for f in factories
    }


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Table.create(tmp_path / "table", dimension=192, code_size=8)
