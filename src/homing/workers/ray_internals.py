"""Ray's internals that homing relies on, all in one module.

Ray may change them in any version; tests/workers/test_ray_internals.py fails when it does.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def silence_ray() -> Iterator[None]:
    """Keep Ray's notices of dead workers off standard output, which is for results.

    Ray prints them from a thread while `_worker_logs_enabled` is set; no public option clears it.
    The Ray Client logs the errors that it raises, too; its loggers stay silent afterwards.
    """
    from ray._private import worker

    logging.getLogger("ray.util.client").setLevel(logging.CRITICAL)
    before = getattr(worker, "_worker_logs_enabled", True)
    worker._worker_logs_enabled = False
    try:
        yield
    finally:
        worker._worker_logs_enabled = before


def cause_of(error: BaseException) -> BaseException:
    """Return the error that made a Ray task fail; another error is returned as it is."""
    from ray.exceptions import RayTaskError

    return error.cause if isinstance(error, RayTaskError) else error


def count_machines() -> int:
    """Count the live machines of the connected cluster that have a processor; at least 1.

    The keys of what `ray.nodes` returns are documented nowhere.
    """
    import ray

    alive = [node for node in ray.nodes() if node["Alive"]]
    return max(1, sum(1 for node in alive if node["Resources"].get("CPU", 0) >= 1))
