"""Helpers that run the command line, in this process and in others."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from homing.cli import main

EXECUTABLE = Path(sys.executable).parent / "homing"


@dataclass(frozen=True)
class Ran:
    """Status and output of a command."""

    status: int
    out: str
    err: str

    @property
    def objects(self) -> list[dict[str, Any]]:
        """The lines of ``--json``."""
        return [json.loads(line) for line in self.out.splitlines()]


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> Ran:
    """Run a command in this process."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as left:
        main([os.fspath(a) if isinstance(a, Path) else str(a) for a in arguments])
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    assert "internal error" not in captured.err
    assert isinstance(left.value.code, int)
    return Ran(left.value.code, captured.out, captured.err)


def run_apart(*arguments: object, **options: Any) -> Ran:
    """Run the installed command as users do, and check that it prints no traceback."""
    done = subprocess.run(
        [os.fspath(EXECUTABLE), *(a if isinstance(a, bytes) else str(a) for a in arguments)],
        capture_output=True,
        timeout=120,
        check=False,
        **options,
    )
    err = done.stderr.decode()
    assert "Traceback" not in err, err
    assert "internal error" not in err, err
    return Ran(done.returncode, done.stdout.decode(), err)


def picture(seed: int, size: tuple[int, int] = (96, 72)) -> Image.Image:
    """Make a picture of smooth coloured noise; every seed gives another."""
    coarse = np.random.default_rng(seed).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def make_pictures(folder: Path, count: int) -> Path:
    """Write pictures 0.jpg, 1.jpg … to a new folder."""
    folder.mkdir(parents=True)
    for number in range(count):
        picture(number).save(folder / f"{number}.jpg", quality=92)
    return folder
