"""The log: named by modules, silent by itself, shown by ``--verbose``; and its page."""

import ast
import logging
import re
import subprocess
import sys
from pathlib import Path

import pytest

import homing
from tests.helpers.pictures import make_pictures

ROOT = Path(homing.__file__).parent
PAGE = Path(__file__).parents[1] / "docs" / "guides" / "progress.md"


@pytest.fixture(autouse=True)
def _untouched(monkeypatch: pytest.MonkeyPatch):
    """Leave the package's logger as it was."""
    logger = logging.getLogger("homing")
    handlers, level = list(logger.handlers), logger.level
    yield
    logger.handlers[:] = handlers
    logger.setLevel(level)


def test_only_the_command_line_and_the_services_log_print() -> None:
    printing = {
        path.relative_to(ROOT).as_posix()
        for path in ROOT.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
    }
    assert printing == set()


def test_each_logger_has_its_modules_name() -> None:
    named = re.compile(r"getLogger\((.*?)\)")
    own = [path for path in ROOT.rglob("*.py") if "_log = logging." in path.read_text("utf-8")]
    assert len(own) > 8
    for path in own:
        assert "__name__" in named.findall(path.read_text("utf-8")), path


def test_a_warning_is_silent_where_nobody_listens() -> None:
    code = "import homing, logging; logging.getLogger('homing.watch').warning('heard?')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stderr == b""


@pytest.mark.parametrize(
    ("flags", "said"), [((), set()), (("-v",), {"adding"}), (("-vv",), {"adding", "opened"})]
)
def test_verbose_says_what_is_done(homing_cli, tmp_path, monkeypatch, flags, said) -> None:
    monkeypatch.chdir(tmp_path)
    homing.create("archive")
    make_pictures(tmp_path / "photos", 1)
    (tmp_path / "photos" / "bad.jpg").write_bytes(b"no picture")
    ran = homing_cli(*flags, "add", "archive", "photos", "--json")
    assert [each["status"] for each in ran.objects] == ["added", "failed"]
    lines = [line for line in ran.err.splitlines() if " homing." in line]
    assert bool(lines) == bool(flags)
    for word in said:
        assert any(f": {word}" in line for line in lines)
    assert len([line for line in lines if "bad.jpg: failed" in line]) == bool(flags)


def test_the_python_of_the_page_runs(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)  # of the whole process
    make_pictures(tmp_path / "photos", 2)
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL):
        exec(compile(block, str(PAGE), "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["1 of 2: 000.jpg added", "2 of 2: 001.jpg added"]
    assert lines[2:] == ["1 of 2: 000.jpg released", "2 of 2: 001.jpg released"]
