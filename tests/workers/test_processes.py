"""Worker processes that do tasks and are killed meanwhile."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import psutil
import pytest

import homing
from homing.workers.processes import Workers, refuse_no_workers
from tests.helpers import ROOT


def doubling():
    return lambda number: (2 * number, os.getpid())


def falling():
    """Fail at 3, by homing's error or by an unexpected one."""

    def function(number):
        if number == 3:
            raise homing.ArchiveError("three")
        if number == 4:
            raise ZeroDivisionError("four")
        return number

    return function


def stalling(folder):
    """Record which process has which task; at the first try of 2 wait to be killed."""

    def function(number):
        mark = Path(folder, f"{number}-{os.getpid()}")
        mark.touch()
        if number == 2 and len(list(Path(folder).glob("2-*"))) == 1:
            time.sleep(100)
        return number

    return function


def dying(folder):
    def function(number):
        if number == 2:
            Path(folder, str(os.getpid())).touch()
            os._exit(9)
        return number

    return function


@pytest.fixture(autouse=True)
def others():
    """Processes of other tests' fixtures, which live until the session ends."""
    _OTHERS[:] = psutil.Process().children()


_OTHERS = []


def children():
    found = [p for p in psutil.Process().children() if p not in _OTHERS]
    return [p for p in found if "spawn_main" in " ".join(p.cmdline())]


def wait_for(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_results_come_in_order_or_as_they_are_done_from_several_processes():
    with Workers(doubling, 2, "double") as workers:
        found = list(workers.in_order(range(40)))
        assert [number for number, _ in found] == list(range(0, 80, 2))
        done = list(workers.as_done(range(40)))
        assert sorted(task for task, _ in done) == list(range(40))
        assert all(number == 2 * task for task, (number, _) in done)
        pids = {pid for _, pid in found} | {pid for _, (_, pid) in done}
        assert len(pids) <= 2
        assert os.getpid() not in pids
    assert children() == []


def test_tasks_are_taken_a_few_ahead_and_no_more():
    taken = []

    def tasks():
        for number in range(100):
            taken.append(number)
            yield number

    with Workers(doubling, 2, "double") as workers:
        results = workers.in_order(tasks())
        next(results)
        assert 2 <= len(taken) <= 10


def test_one_that_is_killed_costs_its_task_a_try_and_the_others_nothing(tmp_path):
    with Workers(partial(stalling, str(tmp_path)), 2, "stall") as workers:
        results = workers.in_order(range(8))
        assert [next(results) for _ in range(2)] == [0, 1]
        wait_for(lambda: list(tmp_path.glob("6-*")))  # the other process went on meanwhile
        (mark,) = tmp_path.glob("2-*")
        os.kill(int(mark.name[2:]), signal.SIGKILL)
        assert list(results) == [2, 3, 4, 5, 6, 7]
    tries = [int(mark.name.split("-")[0]) for mark in tmp_path.iterdir()]
    assert sorted(tries) == [0, 1, 2, 2, 3, 4, 5, 6, 7]


def test_one_that_is_killed_between_two_tasks_costs_neither_its_only_try():
    with Workers(doubling, 1, "double", tries=1, seconds=60) as workers:
        (_, number) = workers.submit(1).result()
        (idle,) = children()
        assert idle.pid == number
        idle.kill()
        wait_for(lambda: idle.status() == psutil.STATUS_ZOMBIE and idle.num_threads() <= 1)
        (doubled, other) = workers.submit(2).result()
    assert (doubled, other != number) == (4, True)


def dying_at_its_first_start(mark):
    if not Path(mark).exists():
        Path(mark).touch()
        os._exit(9)
    return lambda number: number


def test_one_that_dies_at_its_start_costs_no_task_its_only_try(tmp_path):
    begin = partial(dying_at_its_first_start, str(tmp_path / "begun"))
    with Workers(begin, 1, "begin", tries=1, seconds=60) as workers:
        assert workers.submit(3).result() == 3


def test_a_task_that_kills_its_processes_is_reported(tmp_path):
    with Workers(partial(dying, str(tmp_path)), 2, "do this") as workers:
        results = workers.in_order(range(5))
        assert [next(results), next(results)] == [0, 1]
        with pytest.raises(homing.UsageError, match="the processes that do this die"):
            next(results)
    assert len(list(tmp_path.iterdir())) == 3
    assert children() == []


def test_errors_are_raised_where_the_result_is_wanted():
    with Workers(falling, 2, "fall") as workers:
        results = workers.in_order(range(4))
        assert [next(results) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(homing.ArchiveError, match="three") as caught:
            next(results)
        assert "in function" in caught.value.__notes__[0]
        with pytest.raises(ZeroDivisionError):
            list(workers.in_order([4]))
        assert list(workers.in_order([5, 6])) == [5, 6]


def test_at_the_end_none_is_left_whatever_it_is_doing(tmp_path):
    start = time.monotonic()
    with Workers(partial(stalling, str(tmp_path)), 2, "stall") as workers:
        next(workers.in_order(range(8)))
        wait_for(lambda: list(tmp_path.glob("2-*")))
    assert children() == []
    assert time.monotonic() - start < 60


def test_there_must_be_a_worker():
    with pytest.raises(homing.UsageError, match="at least one worker, not 0"):
        refuse_no_workers(0)


#: Reports that its processes are at work, and waits.
RUNNING = """
import sys, pathlib
sys.path.insert(0, {tests!r})
from functools import partial
from homing.workers.processes import Workers
from tests.workers.test_processes import stalling
with Workers(partial(stalling, {folder!r}), 3, "stall") as workers:
    print(*workers.in_order(range(3)))
"""


def running(folder):
    """Start a process that leads its group; return it, and all that it has started."""
    code = RUNNING.format(tests=str(ROOT), folder=str(folder))
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_for(lambda: list(folder.glob("2-*")) or process.poll() is not None)
    workers = psutil.Process(process.pid).children()
    assert len(workers) == 4  # three that work, and one that multiprocessing keeps beside them
    return process, workers


def test_they_end_with_the_process_that_reads_the_results(tmp_path):
    process, workers = running(tmp_path)
    process.kill()
    process.communicate()
    assert psutil.wait_procs(workers, timeout=30)[1] == []


def test_signals_from_the_terminal_are_for_that_process(tmp_path):
    """The terminal sends them to the whole group: SIGINT, or SIGHUP when it is closed."""
    process, workers = running(tmp_path)
    for worker in workers:
        worker.send_signal(signal.SIGHUP)
    assert psutil.wait_procs(workers, timeout=0.2)[0] == []
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert err.count("Traceback") == 1  # its own, which is not caught
    assert err.strip().endswith("KeyboardInterrupt")
    assert psutil.wait_procs(workers, timeout=30)[1] == []
