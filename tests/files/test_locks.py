"""File locks, which end with their holder."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from homing.files.locks import hold_lock, hold_lock_within, share_lock, try_lock

HOLD = """
import sys, time
from pathlib import Path
from homing.files.locks import hold_lock
with hold_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_lock_is_held_by_one(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with path.open("ab") as first, path.open("ab") as second:
        assert try_lock(first)
        assert not try_lock(second)
    with path.open("ab") as third:
        assert try_lock(third)


def test_the_lock_is_given_back_and_its_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with pytest.raises(KeyError), hold_lock(path):
        raise KeyError
    assert path.exists()
    with hold_lock(path), path.open("ab") as file:
        assert not try_lock(file)


def test_threads_take_turns(tmp_path: Path) -> None:
    path, inside, most = tmp_path / "lock", [0], [0]

    def work() -> None:
        with hold_lock(path):
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            time.sleep(0.02)
            inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
    assert inside == [0]


def test_a_killed_holder_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with path.open("ab") as file:
            assert not try_lock(file)
        holder.kill()
        holder.wait(timeout=30)
        start = time.perf_counter()
        with hold_lock(path):
            assert time.perf_counter() - start < 5
    finally:
        holder.kill()
        holder.wait(timeout=30)
        holder.stdout.close()


def test_a_lock_needs_its_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), hold_lock(tmp_path / "missing" / "lock"):
        pass


def test_many_share_a_lock_and_one_has_it_alone(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with share_lock(path), share_lock(path), hold_lock_within(path, 0.2) as alone:
        assert not alone
    with hold_lock_within(path, 0) as alone, path.open("ab") as file:
        assert alone
        assert not try_lock(file)


def test_the_lock_of_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "lock")
    with pytest.raises(OSError, match="No such device"), hold_lock(tmp_path / "lock"):
        pass
