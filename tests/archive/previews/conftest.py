"""An empty table."""

from pathlib import Path

import pytest

from homing.archive.table.table import Table


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Table.create(tmp_path / "table", dimension=192, code_size=8)
