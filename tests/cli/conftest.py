import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import homing
import homing.cli.main
from tests.helpers.command_line import Ran, make_pictures, run


@pytest.fixture(scope="session")
def codebook_file(tmp_path_factory: pytest.TempPathFactory, network_file: Path) -> Path:
    vectors = np.random.default_rng(0).standard_normal((600, 192))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    trained = homing.train_codebook(
        vectors.astype(np.float32),
        "IVF8,PQ8x8",
        descriptor=homing.load_descriptor(network_file).fingerprint,
    )
    path = tmp_path_factory.mktemp("codebook") / "codebook.safetensors"
    trained.save(path)
    return path


@pytest.fixture
def homing_cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    """Return a function that runs a command in this process."""
    # They change the whole process, here that of the tests.
    module = sys.modules["homing.cli.main"]  # not the function that the package names alike
    monkeypatch.setattr(module, "keep_freed_memory", lambda: None)
    monkeypatch.setattr(module, "die_at_next_interruption", lambda: None)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.delenv("HOMING_DEBUG", raising=False)

    def call(*arguments: object) -> Ran:
        return run(capsys, *arguments)

    return call


@pytest.fixture
def archive(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    homing_cli: Callable[..., Ran],
    network_file: Path,
    codebook_file: Path,
) -> Path:
    """An empty archive; the test's folder is the working directory."""
    monkeypatch.chdir(tmp_path)
    made = homing_cli("init", "archive", "--descriptor", network_file, "--codebook", codebook_file)
    assert made.status == 0, made.err
    return Path("archive")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    make_pictures(tmp_path / "photos", 3)
    return Path("photos")
