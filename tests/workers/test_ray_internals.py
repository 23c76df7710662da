"""Internals of Ray that homing relies on: a failure means that Ray has changed them.

The keys of `ray.nodes` are covered by test_ray, which counts the processors of a machine.
"""

import io
import logging

import pytest

ray = pytest.importorskip("ray")

from homing.workers.ray_internals import cause_of, count_machines, silence_ray  # noqa: E402


def printed() -> str:
    """Return what Ray prints of a worker's output."""
    from ray._private import worker

    file = io.StringIO()
    line = {"ip": "127.0.0.1", "localhost": "127.0.0.1", "pid": "1", "lines": ["a notice"]}
    worker.print_worker_logs({**line, "is_err": False, "job": "1"}, file)
    return file.getvalue()


def test_notices_are_switched_off_and_on_again() -> None:
    assert "a notice" in printed()
    with silence_ray():
        assert printed() == ""
    assert "a notice" in printed()


def test_the_clients_loggers_are_below_the_one_that_is_silenced() -> None:
    from ray.util.client import dataclient, logsclient, worker

    logger = logging.getLogger("ray.util.client")
    before = logger.level
    try:
        with silence_ray():
            for module in (dataclient, logsclient, worker):
                assert not module.logger.isEnabledFor(logging.ERROR)
    finally:
        logger.setLevel(before)


def test_a_failed_task_names_its_cause() -> None:
    cause = ValueError("wrong")
    assert cause_of(ray.exceptions.RayTaskError("task", "traceback", cause)) is cause
    assert cause_of(cause) is cause


def test_live_machines_with_processors_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = [
        {"Alive": True, "Resources": {"CPU": 2.0}},
        {"Alive": False, "Resources": {"CPU": 2.0}},
        {"Alive": True, "Resources": {}},
        {"Alive": True, "Resources": {"CPU": 8.0}},
    ]
    monkeypatch.setattr(ray, "nodes", lambda: nodes)
    assert count_machines() == 2
    monkeypatch.setattr(ray, "nodes", list)
    assert count_machines() == 1
