"""``training/ablate.py`` in miniature: runs evaluated, and never run twice."""

import subprocess
import sys
from pathlib import Path

import pytest

_TRAINING = Path(__file__).parents[2] / "training"
_BUNDLED = Path(__file__).parents[2] / "src/homing/descriptors/weights/homing-s.safetensors"


@pytest.mark.slow
def test_each_change_has_its_row_beside_the_recipe(photos: Path, tmp_path: Path) -> None:
    first = _ablate(photos, tmp_path / "runs")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in first[2:]]
    assert [row[0] for row in rows] == ["the recipe", "without the bank"]
    assert rows[0][3] == rows[0][5] == "+0.0 ± 0.0"  # compared with itself
    assert all(0 <= float(row[column]) <= 100 for row in rows for column in (1, 2, 4))

    results = {p: p.stat().st_mtime_ns for p in tmp_path.glob("runs/*/similarity.safetensors")}
    assert len(results) == 2
    assert _ablate(photos, tmp_path / "runs") == first
    assert {p: p.stat().st_mtime_ns for p in results} == results


def _ablate(photos: Path, work: Path) -> list[str]:
    sizes = ["--steps", "1", "--held-back", "6", "--others", "20", "--generated", "4"]
    options = ["--work", work, "--start", _BUNDLED, "--only", "without the bank"]
    ran = subprocess.run(
        [sys.executable, "ablate.py", photos, *options, *sizes],
        cwd=_TRAINING,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return [line for line in ran.stdout.splitlines() if line.startswith("|")]
