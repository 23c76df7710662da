"""The command line, run in this process and in others."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

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


def protect_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep commands from changing the process that runs them, here that of the tests."""
    module = sys.modules["homing.cli.main"]  # `homing.cli.main` is the function of that name
    monkeypatch.setattr(module, "keep_freed_memory", lambda: None)
    monkeypatch.setattr(module, "die_at_next_interruption", lambda: None)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.delenv("HOMING_DEBUG", raising=False)


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
