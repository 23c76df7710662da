"""Tasks of the workers of a Ray cluster, which are killed meanwhile."""

import os
import signal
from functools import partial
from pathlib import Path

import psutil
import pytest

import homing
from homing.workers import ray as cluster
from homing.workers.choose import open_workforce
from tests.helpers.cluster import own_ray


@pytest.fixture(scope="module")
def ray():
    with own_ray() as ray:
        yield ray


def working(folder):
    """Double numbers; fail at 3; at the first try of 5 kill the worker."""

    def function(number):
        if number == 3:
            raise homing.ArchiveError("three")
        if number == 5 and not list(Path(folder).iterdir()):
            Path(folder, str(os.getpid())).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return 2 * number, os.getpid()

    return function


def dying():
    return lambda number: os._exit(9)


def test_tasks_are_done_by_others_and_again_where_one_is_killed(ray, tmp_path, monkeypatch):
    with open_workforce("ray") as workforce:
        assert (workforce.count, workforce.per_machine) == (2, 2)
        with workforce.hire(partial(working, str(tmp_path)), "double") as workers:
            found = list(workers.in_order([0, 1, *range(4, 30)]))
            assert [number for number, _ in found] == [0, 2, *range(8, 60, 2)]
            done = dict(workers.as_done(range(6, 9)))
            assert {task: number for task, (number, _) in done.items()} == {6: 12, 7: 14, 8: 16}
            with pytest.raises(homing.ArchiveError, match="three") as caught:
                list(workers.in_order([1, 2, 3]))
            assert "in function" in caught.value.__notes__[0]
        (killed,) = tmp_path.iterdir()
        assert os.getpid() not in {pid for _, pid in found}
        assert not psutil.pid_exists(int(killed.name))
        with (
            workforce.hire(dying, "do this") as workers,
            pytest.raises(homing.UsageError, match="the Ray workers that do this die"),
        ):
            list(workers.in_order([1]))
        monkeypatch.setattr(cluster, "__version__", "0.0.0")
        with (
            workforce.hire(partial(working, str(tmp_path)), "double") as workers,
            pytest.raises(homing.UsageError, match=r"and the command has 0\.0\.0"),
        ):
            list(workers.in_order([1]))
        with pytest.raises(homing.UsageError, match="no GPU for --device cuda"):
            workforce.hire(dying, "compute", device="cuda")
    assert ray.is_initialized()  # the cluster belongs to the program
    with pytest.raises(homing.UsageError, match="uses Ray already"), open_workforce("ray:2"):
        pass
