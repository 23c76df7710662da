"""Files that appear whole or not at all, and are never overwritten."""

import errno
import hashlib
import os
import resource
import threading
from pathlib import Path

import pytest

from homing.files.durable import file_sha256, publish, replace_durably, sync_folder, write_durably


def test_a_file_is_written_once(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_durably(path, b"first")
    with pytest.raises(FileExistsError):
        write_durably(path, b"second")
    assert path.read_bytes() == b"first"


def test_contents_are_replaced_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"first")
    replace_durably(path, b"second")
    assert path.read_bytes() == b"second"

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        replace_durably(path, b"third")
    assert path.read_bytes() == b"second"
    assert list(tmp_path.iterdir()) == [path]


def test_publishing_gives_the_final_name(tmp_path: Path) -> None:
    staged, final = tmp_path / "staged", tmp_path / "final"
    staged.write_bytes(b"whole")
    publish(staged, final)
    assert final.read_bytes() == b"whole"
    staged.unlink(missing_ok=True)
    assert final.read_bytes() == b"whole"


@pytest.fixture(params=["links", "no links"])
def links(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system with hard links, and one without (exFAT)."""
    if request.param == "no links":

        def refuse(*_: object) -> None:
            raise OSError(errno.EPERM, "no hard links here")

        monkeypatch.setattr(os, "link", refuse)


@pytest.mark.usefixtures("links")
@pytest.mark.parametrize("present", ["file", "dangling link", "folder"])
def test_nothing_is_ever_overwritten(tmp_path: Path, present: str) -> None:
    staged, final = tmp_path / "staged", tmp_path / "final"
    staged.write_bytes(b"new")
    if present == "file":
        final.write_bytes(b"old")
    elif present == "folder":
        final.mkdir()
    else:
        final.symlink_to(tmp_path / "nowhere")
    with pytest.raises(FileExistsError):
        publish(staged, final)
    assert staged.read_bytes() == b"new"
    if present == "file":
        assert final.read_bytes() == b"old"
    assert final.is_symlink() == (present == "dangling link")
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.usefixtures("links")
def test_publishing_into_an_empty_place(tmp_path: Path) -> None:
    staged, final = tmp_path / "staged", tmp_path / "final"
    staged.write_bytes(b"new")
    publish(staged, final)
    assert final.read_bytes() == b"new"


def test_other_faults_are_passed_on(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        publish(tmp_path / "missing", tmp_path / "final")
    staged = tmp_path / "staged"
    staged.write_bytes(b"x")
    with pytest.raises(FileNotFoundError):
        publish(staged, tmp_path / "no folder" / "final")


def test_one_of_many_writers_wins(tmp_path: Path) -> None:
    final, start = tmp_path / "final", threading.Barrier(8)
    outcomes: list[bool] = []

    def write(number: int) -> None:
        staged = tmp_path / f"staged {number}"
        write_durably(staged, f"{number}".encode() * 1000)
        start.wait()
        try:
            publish(staged, final)
            outcomes.append(True)
        except FileExistsError:
            outcomes.append(False)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [False] * 7 + [True]
    assert len(set(final.read_bytes())) == 1
    assert final.stat().st_size == 1000


@pytest.mark.parametrize("size", [0, 1, 2**20, 2**20 + 1, 3 * 2**20])
def test_sha256(tmp_path: Path, size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    path = tmp_path / "file"
    path.write_bytes(data[:size])
    assert file_sha256(path) == hashlib.sha256(data[:size]).digest()


def test_a_folder_can_be_synced(tmp_path: Path) -> None:
    sync_folder(tmp_path)
    with pytest.raises(FileNotFoundError):
        sync_folder(tmp_path / "missing")


def test_the_file_that_a_full_disk_refuses_is_named(tmp_path):
    most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, most[1]))
    try:
        with pytest.raises(OSError, match="too large") as raised:
            write_durably(tmp_path / "file", bytes(11))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, most)
    assert raised.value.filename == str(tmp_path / "file")
