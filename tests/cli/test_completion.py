"""``completion``: as the shells call it, in processes of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from homing.cli.completion import complete_ids
from tests.helpers.command_line import EXECUTABLE
from tests.helpers.pictures import make_pictures


def completed(*words: str) -> list[str]:
    """Return what the shell is told for the last word, with nothing on standard error."""
    environment = {
        **os.environ,
        "_HOMING_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(["homing", *words]),
        "COMP_CWORD": str(len(words)),
    }
    code = (
        "import atexit, sys\n"
        "atexit.register(lambda: print(*{'torch', 'faiss', 'rich'} & set(sys.modules), "
        "end='', file=sys.stderr))\n"
        "from homing.cli import main; main([])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert "torch" not in done.stderr
    if words[0] not in ("show", "remove"):  # which open an archive
        assert done.stderr == ""
    return [line for line in done.stdout.splitlines() if line]


def test_commands_options_and_codebooks() -> None:
    assert "plain,release" in completed("rel")
    assert "plain,--psnr" in completed("release", "--ps")
    found = completed("init", "new", "--codebook", "homing-s-IVF1")
    assert found == ["plain,homing-s-IVF1024-PQ8x8"]
    assert completed("init", "new", "--codebook", "./mine") == ["file,./mine"]
    assert completed("list", "arch") == ["dir,arch"]


def test_ids_of_an_archive(homing_cli, archive, tmp_path: Path) -> None:
    make_pictures(tmp_path / "photos" / "trip", 2, digits=1)
    make_pictures(tmp_path / "photos", 2, first=5, digits=1)
    make_pictures(tmp_path / "photos" / "with blank", 1, first=8, digits=1)
    for name in ("w$(touch${IFS}x)", "w;x", "w`x`", "w\nx", "wäx"):
        make_pictures(tmp_path / "photos" / name, 1, first=9, digits=1)
    assert homing_cli("add", archive, "photos").status == 0
    assert completed("show", str(archive), "trip") == ["plain,trip/0.jpg", "plain,trip/1.jpg"]
    assert completed("remove", "nowhere", "trip") == []
    # Shells would split the others, or execute them.
    assert completed("show", str(archive), "w") == ["plain,wäx/9.jpg"]


def test_nothing_is_asked_of_an_object_store(monkeypatch: pytest.MonkeyPatch) -> None:
    import click

    from homing.cli.entries import show

    context = click.Context(show)
    context.params["archive"] = "s3://bucket/archive"
    monkeypatch.setattr("homing.archive.open.open_archive", lambda *_: pytest.fail("opened"))
    assert complete_ids(context, show.params[1], "") == []


def test_the_script_of_bash_completes(tmp_path: Path) -> None:
    script = (
        'source <("$0" completion bash)\n'
        "COMP_WORDS=(homing sho); COMP_CWORD=1\n"
        '_homing_completion "$0"\n'
        'echo "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(
        ["bash", "-c", script, os.fspath(EXECUTABLE)],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["show"], done.stderr


@pytest.mark.parametrize(
    ("shell", "place"),
    [
        ("bash", ".local/share/bash-completion/completions/homing"),
        ("zsh", ".zfunc/_homing"),
        ("fish", ".config/fish/completions/homing.fish"),
    ],
)
def test_it_is_written_to_where_the_shell_looks(
    homing_cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: str, place: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "ZDOTDIR"):
        monkeypatch.delenv(name, raising=False)
    for _ in range(2):
        ran = homing_cli("completion", shell, "--install")
        assert ran.status == 0, ran.err
        assert ran.out == ""
        assert str(tmp_path / place) in ran.err
    text = (tmp_path / place).read_text()
    assert "_HOMING_COMPLETE" in text
    assert homing_cli("completion", shell).out.strip() == text.strip()
    (tmp_path / place).write_text("somebody's own")
    ran = homing_cli("completion", shell, "--install")
    assert (ran.status, "move it away" in ran.err) == (2, True)
    assert (tmp_path / place).read_text() == "somebody's own"
