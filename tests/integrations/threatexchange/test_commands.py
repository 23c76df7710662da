"""The page on ThreatExchange: its blocks run unchanged with the real package, ``tx`` among them.

Covers homing/integrations/threatexchange as a whole.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from homing.integrations.threatexchange import HomingIndex, HomingSignal

PAGE = Path(__file__).parents[3] / "docs" / "guides" / "threatexchange.md"
HASHED, MATCHED = "homing_s3 0.", "(bank) INVESTIGATION_SEED"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def in_shell(script: str, folder: Path) -> str:
    environment = {
        **os.environ,
        "TX_STATEDIR": str(folder / "state"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two photographs of a bank, a crop of one, and a photograph of something else."""
    data = pytest.importorskip("skimage.data")
    (tmp_path / "bank").mkdir()
    for name in ("astronaut", "rocket"):
        Image.fromarray(getattr(data, name)()).save(tmp_path / "bank" / f"{name}.png")
    found = Image.fromarray(data.astronaut())
    found.crop((40, 30, 512, 480)).save(tmp_path / "suspect.jpg", quality=60)
    Image.fromarray(data.coffee()).save(tmp_path / "other.jpg")
    return tmp_path


def test_the_commands_of_the_page_find_the_copy(folder: Path) -> None:
    commands = blocks("sh")
    printed = in_shell("\n".join(block for block in commands if "pip install" not in block), folder)
    assert "homing_s3 - HomingSignal" in printed
    (line,) = [each for each in printed.splitlines() if each.endswith(MATCHED)]
    assert line.startswith(HASHED)
    again = "tx match photo bank/rocket.png; echo --; tx match photo other.jpg"
    match, none = in_shell(again, folder).split("--")
    assert match.strip() == f"homing_s3 0.0 {MATCHED}"
    assert none.strip() == ""
    # By a signal alone.
    hashed = in_shell(
        "sed -n 's/^homing_s3 //p' bank.txt | head -1 > one; tx match -S homing_s3 -H photo one",
        folder,
    )
    assert hashed.strip() == f"homing_s3 0.0 {MATCHED}"


def test_samples_show_the_type_without_a_bank(folder: Path) -> None:
    printed = in_shell(
        "tx config extensions add homing.integrations.threatexchange >/dev/null; "
        "tx fetch 2>/dev/null >/dev/null; tx match photo other.jpg",
        folder,
    )
    assert "homing_s3 0.0" in printed
    assert "(Sample Signals)" in printed


def test_the_python_of_the_page_runs(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    values: dict[str, object] = {}
    for block in blocks("python"):
        exec(compile(block, str(PAGE), "exec"), values)
    printed = capsys.readouterr().out.split()
    assert printed[0] == "1"
    assert float(printed[1]) < 0.1
    index, again = values["index"], values["again"]
    assert isinstance(index, HomingIndex)
    assert isinstance(again, HomingIndex)
    assert len(index) == len(again) == 2
    assert values["HomingSignal"] is HomingSignal
