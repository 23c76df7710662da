"""The examples run, on generated pictures, and print what they promise."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from homing.demo.generated import generated_picture
from tests.helpers.code_blocks import ROOT

EXAMPLES = ROOT / "examples"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in (0, 4):
        picture = generated_picture(np.random.default_rng([7, number]), (200, 150))
        picture.save(folder / f"{number}.png")
    return folder


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    def run_example(name: str, *arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
        return capsys.readouterr().out

    return run_example


def test_a_mirrored_crop_is_found(run, photos: Path, tmp_path: Path) -> None:
    out = run("mirrored_crop", photos, "--out", tmp_path / "out")
    assert "2 released" in out
    assert "0.png: copy" in out
    assert "mirrored" in out


@pytest.mark.slow
def test_a_faiss_index_finds_released_copies(run, photos: Path) -> None:
    out = run("faiss_index", photos)
    assert "released: 100% of 2 cropped copies" in out


def test_a_batch_is_activated(run, photos: Path) -> None:
    out = run("pytorch_batch", photos)
    values = [float(word) for word in out.partition("\n")[0].split() if word[0].isdigit()]
    assert len(values) == 2
    assert min(values) >= 42


@pytest.mark.slow
def test_a_service_is_used_by_its_client(run, photos: Path) -> None:
    out = run("service", photos)
    assert out.count("released news/") == 2
    assert "0.png is in the archive as news/0.png: " in out


def test_figures_of_ones_own_pictures(run, photos: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    out = run("own_figures", photos, "--plot", tmp_path / "bars.png")
    assert out.splitlines()[-1].startswith("mean")
    assert (tmp_path / "bars.png").is_file()


def test_every_example_is_listed() -> None:
    page = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert [
        path.name for path in EXAMPLES.glob("*.py") if f"examples/{path.name}" not in page
    ] == []
