"""The demonstration from end to end, in miniature. Covers run.py and material.py."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import homing
from homing.cli.main import cli
from homing.demo import material
from homing.demo.generated import generated_picture
from homing.demo.material import copy_bundled_pictures
from homing.edits import PAPER, random_available


def demo(*arguments: str) -> list[dict[str, object]]:
    result = CliRunner().invoke(cli, ["demo", "--json", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mine").mkdir()
    for number in range(4):
        picture = generated_picture(np.random.default_rng([3, number]))
        picture.save(tmp_path / "mine" / f"{number}.png")
    (tmp_path / "mine" / "broken.jpg").write_text("no picture")
    return tmp_path / "mine"


@pytest.mark.slow
def test_demo_of_a_folder(tmp_path: Path, folder: Path) -> None:
    out = tmp_path / "report"
    *rows, totals = demo("--photos", str(folder), "--out", str(out), "--background", "20")
    names = [edit.name for edit in PAPER if random_available() or not edit.random]
    assert [row["edit"] for row in rows] == [*names, "mean"]
    assert rows[0] == {"edit": "identity", "passive": 1.0, "active": 1.0}
    assert all(0 <= row[side] <= 1 for row in rows for side in ("passive", "active"))
    assert totals["pictures"] == 4
    assert totals["psnr_least"] >= 42
    page = (out / "index.html").read_text(encoding="utf-8")
    assert "broken.jpg" in page
    assert "http://" not in page
    active, passive = homing.open(out / "archive"), homing.open(out / "archive-passive")
    assert active.stats()["released"] == 4
    assert passive.stats()["released"] == 0
    assert len(active) == len(passive) == 24
    assert active.verify().clean


def test_the_source_of_each_picture_that_ships_is_named(tmp_path: Path) -> None:
    copy_bundled_pictures(tmp_path / "pictures")
    sources = Path(material.__file__).with_name("pictures") / "SOURCES.txt"
    lines = sources.read_text(encoding="utf-8").splitlines()
    named = {line.split()[0] for line in lines if line.partition(" ")[0].endswith((".png", ".jpg"))}
    assert {path.name for path in (tmp_path / "pictures").iterdir()} == named
    assert len(named) == 15


def test_demo_never_writes_into_a_folder_in_use(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    result = CliRunner().invoke(cli, ["demo", "--out", str(tmp_path)])
    assert isinstance(result.exception, homing.UsageError)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_demo_says_when_nothing_can_be_released(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "broken.jpg").write_text("no picture")
    arguments = ["demo", "--photos", str(tmp_path / "mine"), "--out", str(tmp_path / "report")]
    result = CliRunner().invoke(cli, [*arguments, "--background", "5"])
    assert isinstance(result.exception, homing.HomingError)
    assert "broken.jpg" in str(result.exception)
