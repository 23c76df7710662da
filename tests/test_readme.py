"""The README: its Python examples run unchanged, and it names every command."""

import re
from pathlib import Path

import click
import numpy as np
import pytest
from PIL import Image

from homing.cli.main import cli
from homing.demo.generated import generated_picture

README = Path(__file__).parents[1] / "README.md"


def picture(number: int) -> Image.Image:
    return generated_picture(np.random.default_rng([7, number]))


def test_python_of_the_readme_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder, numbers in {"photos": range(3), "others": range(3, 6)}.items():
        (tmp_path / folder).mkdir()
        for number in numbers:
            picture(number).save(tmp_path / folder / f"{number}.png")
    picture(1).save(tmp_path / "suspect.jpg", quality=60)
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    values = {"images": [picture(8), picture(9)]}
    exec(compile(block, str(README), "exec"), values)
    assert values["report"].count("released") == 3
    assert {path.name for path in (tmp_path / "released").iterdir()} == {"0.png", "1.png", "2.png"}
    name, similarity, *_ = capsys.readouterr().out.split()
    assert name == "1.png"
    assert float(similarity) > 0.7  # a copy of the picture before its release
    assert [image.size for image in values["released"]] == [
        image.size for image in values["images"]
    ]


def test_every_command_stands_in_the_readme() -> None:
    text = README.read_text(encoding="utf-8")
    missing = [
        name
        for name in cli.list_commands(click.Context(cli))
        if f"`{name}`" not in text and f"homing {name}" not in text
    ]
    assert missing == []
