"""``training/whiten.py`` from photographs to weights, in miniature."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

_TRAINING = Path(__file__).parents[2] / "training"
_BUNDLED = Path(__file__).parents[2] / "src/homing/descriptors/weights/homing-s.safetensors"


@pytest.mark.slow
def test_only_the_last_layer_changes_and_it_keeps_its_size(photos: Path, tmp_path: Path) -> None:
    made = tmp_path / "made.safetensors"
    options = ["--work", tmp_path / "run", "--weights", _BUNDLED, "--out", made]
    ran = subprocess.run(
        [sys.executable, "whiten.py", photos, *options, "--held-back", "4", "--generated", "2"],
        cwd=_TRAINING,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    lines = ran.stdout.splitlines()
    assert [line.split()[0] for line in lines[-2:]] == ["before", "after"]
    before, after = load_file(_BUNDLED), load_file(made)
    changed = {name for name, weight in before.items() if not torch.equal(weight, after[name])}
    assert changed <= {"projection.weight", "projection.bias"}
    assert after["projection.weight"].shape == before["projection.weight"].shape
    assert after["projection.weight"].isfinite().all()
    assert not after["projection.bias"].any()
