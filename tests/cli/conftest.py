"""An archive without entries and three photographs in the working directory."""

from collections.abc import Callable
from pathlib import Path

import pytest

import homing
from tests.helpers.command_line import Ran
from tests.helpers.pictures import make_pictures
from tests.helpers.vectors import unit_vectors


@pytest.fixture(scope="session")
def codebook_file(tmp_path_factory: pytest.TempPathFactory, network_file: Path) -> Path:
    trained = homing.train_codebook(
        unit_vectors(600, 0),
        "IVF8,PQ8x8",
        descriptor=homing.load_descriptor(network_file).fingerprint,
    )
    path = tmp_path_factory.mktemp("codebook") / "codebook.safetensors"
    trained.save(path)
    return path


@pytest.fixture
def archive(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    homing_cli: Callable[..., Ran],
    network_file: Path,
    codebook_file: Path,
) -> Path:
    """An empty archive; its test runs in the folder above it."""
    monkeypatch.chdir(tmp_path)
    made = homing_cli("init", "archive", "--descriptor", network_file, "--codebook", codebook_file)
    assert made.status == 0, made.err
    return Path("archive")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    make_pictures(tmp_path / "photos", 3, digits=1)
    return Path("photos")
