"""Run folders, whose locks show whether their run is alive."""

import os
import re
import stat
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

import homing
from homing.files import run_folders as folders
from homing.files.run_folders import abandoned_folders, new_folder

OURS = re.compile(r"lock|\d+")
NOBODY = 65534


def left(parent: Path) -> list[str]:
    """Return the names of the abandoned folders, and release their locks."""
    names = []
    for held in abandoned_folders(parent, "part-", OURS):
        names.append(held.path.name)
        held.close()
    return names


def test_a_folder_is_abandoned_once_its_lock_is_free(tmp_path):
    held = new_folder(tmp_path, "part-")
    (held.path / "0").write_bytes(b"x")
    assert left(tmp_path) == []
    held.close()
    assert left(tmp_path) == [held.path.name]
    for again in abandoned_folders(tmp_path, "part-", OURS):
        with closing(again):
            assert left(tmp_path) == []
            again.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_a_process_that_is_killed_is_abandoned(tmp_path):
    code = (
        "import os, sys, pathlib, homing.files.run_folders as f\n"
        "held = f.new_folder(pathlib.Path(sys.argv[1]), 'part-')\n"
        "print(held.path.name, flush=True)\n"
        "sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, tmp_path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        name = process.stdout.readline().strip()
        assert left(tmp_path) == []
        process.kill()
        process.wait()
    assert left(tmp_path) == [name]


def test_a_folder_without_a_lock_yet_is_abandoned_and_its_run_makes_another(tmp_path, monkeypatch):
    make, made = tempfile.mkdtemp, []

    def tidied(**options: object) -> str:
        made.append(make(**options))
        if len(made) == 1:  # another process removes it at this moment
            for held in abandoned_folders(tmp_path, "part-", OURS):
                held.remove()
        return made[-1]

    monkeypatch.setattr(tempfile, "mkdtemp", tidied)
    with closing(new_folder(tmp_path, "part-")) as held:
        assert [str(held.path)] == made[1:]
    assert [path.name for path in tmp_path.iterdir()] == [held.path.name]


def test_a_lock_that_was_taken_and_removed_meanwhile_is_not_held(tmp_path, monkeypatch):
    """A process that waits for a lock may get that of a file removed meanwhile."""
    take, taken = folders.try_lock, []

    def overtaken(file: object) -> bool:
        taken.append(file)
        if len(taken) == 1:
            (Path(file.name)).unlink()
            Path(file.name).touch()
        return take(file)

    monkeypatch.setattr(folders, "try_lock", overtaken)
    with closing(new_folder(tmp_path, "part-")) as held:
        assert len(taken) == 2
        assert Path(taken[1].name).parent == held.path


def test_a_file_system_without_locks_is_reported(tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "try_lock", lambda file: False)
    with pytest.raises(homing.ArchiveError, match="share without locks"):
        new_folder(tmp_path, "part-")


def test_files_of_others_stay(tmp_path):
    (tmp_path / "part-notes").mkdir()
    (tmp_path / "part-notes" / "mine.txt").write_text("mine")
    (tmp_path / "part-2024" / "2023").mkdir(parents=True)  # its name could be ours
    (tmp_path / "part-2024" / "2023" / "mine.txt").write_text("mine")
    (tmp_path / "part-locked" / "lock").mkdir(parents=True)
    (tmp_path / "part-astray").mkdir()
    (tmp_path / "part-astray" / "lock").symlink_to(tmp_path / "made")
    (tmp_path / "part-file").write_text("mine")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "part-link").symlink_to(tmp_path / "elsewhere")
    assert left(tmp_path) == []
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert not (tmp_path / "made").exists()


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="permissions of other users")
def test_folders_of_other_users_stay():
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        parent = Path(name)
        parent.chmod(0o777 | stat.S_ISVTX)
        theirs = new_folder(parent, "part-")
        theirs.close()
        root = os.geteuid() == 0
        if root:
            os.seteuid(NOBODY)
        else:
            theirs.path.chmod(0)
        try:
            assert left(parent) == []
            assert theirs.path.is_dir()
        finally:
            if root:
                os.seteuid(0)
            else:
                theirs.path.chmod(0o700)
        assert left(parent) == [theirs.path.name]
