"""benchmarks/finding.py in miniature: a complete table, and runs that resume."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from homing.demo.generated import generated_picture

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "finding.py"


@pytest.mark.slow
def test_a_miniature_gives_a_table_and_goes_on_where_it_was(tmp_path: Path) -> None:
    pytest.importorskip("augly")
    pytest.importorskip("cv2")
    for name, count in {"photos": 5, "others": 16}.items():
        (tmp_path / name).mkdir()
        for number in range(count):
            seed = [len(name), number]
            picture = generated_picture(np.random.default_rng(seed))
            picture.resize((160, 120)).save(tmp_path / name / f"{number}.png")

    def run() -> str:
        sizes = ("--released", "3", "--searched", "2", "--without", "1", "--base-size", "20")
        options = ("--confirm-every", "2", "--times", "1", "--workers", "1", "--work", "work")
        done = subprocess.run(
            [sys.executable, SCRIPT, "photos", "--background", "others", *sizes, *options],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    first = run()
    rows = [
        line.split(" | ") for line in first.splitlines() if re.match(r"\| (passive|paper) ", line)
    ]
    assert len(rows) == 2 * 8
    for row in rows:
        assert float(row[3]) >= 0.9  # unedited pictures are found by every kind of search
    made = {
        path: path.stat().st_mtime_ns
        for kind in ("queries", "answers")
        for path in (tmp_path / "work" / kind).iterdir()
    }
    again = run()
    assert {path: path.stat().st_mtime_ns for path in made} == made
    without_times = [line.rsplit(" | ", 2)[0] for line in first.splitlines() if line[:1] == "|"]
    assert [
        line.rsplit(" | ", 2)[0] for line in again.splitlines() if line[:1] == "|"
    ] == without_times
