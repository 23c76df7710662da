"""An archive with a small codebook, and the command line in this process."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

import homing
from tests.helpers.archive import unit_vectors


class Ended(NamedTuple):
    """How a command ended."""

    status: int
    out: str
    err: str


@pytest.fixture(scope="session")
def network(network_file: Path) -> "homing.Descriptor":
    return homing.load_descriptor(network_file)


@pytest.fixture(scope="session")
def codebook(network: "homing.Descriptor") -> "homing.Codebook":
    """A small one, quickly trained; what its cells mean does not matter here."""
    return homing.train_codebook(unit_vectors(600, 1), "IVF8,PQ8x8", descriptor=network.fingerprint)


@pytest.fixture
def create(
    tmp_path: Path, network_file: Path, codebook: "homing.Codebook"
) -> Callable[..., "homing.Archive"]:
    """Make an archive with the small codebook, below the test's folder."""

    def make(name: str = "archive") -> "homing.Archive":
        return homing.create(tmp_path / name, descriptor=network_file, codebook=codebook)

    return make


@pytest.fixture
def archive(create: Callable[..., "homing.Archive"]) -> "homing.Archive":
    return create()


@pytest.fixture
def homing_cli(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Ended]:
    """Run the command line in this process."""
    # These belong to a process of its own.
    module = importlib.import_module("homing.cli.main")
    monkeypatch.setattr(module, "keep_freed_memory", lambda: None)
    monkeypatch.setattr(module, "die_at_next_interruption", lambda: None)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)

    def call(*arguments: object) -> Ended:
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            module.main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        assert isinstance(left.value.code, int)
        return Ended(left.value.code, captured.out, captured.err)

    return call
