"""Worker processes of a benchmark run."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from homing.bench.context import open_pool
from homing.errors import UsageError


def _square(number: int) -> int:
    if number < 0:
        os._exit(1)
    return number * number


def test_processes_answer_in_order_and_an_end_from_outside_is_reported():
    with open_pool(2) as workers:
        assert list(workers.map(_square, range(40))) == [n * n for n in range(40)]
        with pytest.raises(UsageError, match="ended from outside"):
            list(workers.map(_square, [-1]))


def test_no_worker_outlives_a_parent_that_was_killed(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(
        "import os, pathlib, signal, sys\n"
        "from homing.bench.context import open_pool\n"
        "if __name__ == '__main__':\n"
        "    with open_pool(1) as pool:\n"
        "        list(pool.map(len, [()]))\n"
        "        (child,) = pool.workers._processes\n"
        "        pathlib.Path(sys.argv[1]).write_text(str(child.pid))\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, script, tmp_path / "worker"], timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    worker = int((tmp_path / "worker").read_text())
    for _ in range(100):
        if not psutil.pid_exists(worker) or psutil.Process(worker).status() == "zombie":
            return
        time.sleep(0.1)
    os.kill(worker, signal.SIGKILL)
    pytest.fail("the worker is still there")
