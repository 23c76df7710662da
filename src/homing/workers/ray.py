"""Workers of a Ray cluster, any of which may die at any instant.

Tasks are plain Ray tasks: Ray gives each to a free worker on any machine, and retries it on another
one if that worker or its machine dies. Only a task over which several workers have died ends the
work. A worker begins at its first task and stays ready for the next ones.

The same version of homing must be installed on the machines of the cluster. Ray reads its own
credentials from the environment (``RAY_AUTH_MODE``, ``RAY_AUTH_TOKEN``); homing sends none.
"""

import functools
import logging
import os
import re
import socket
import uuid
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from homing._version import __version__
from homing.errors import UsageError
from homing.extras import install_command
from homing.workers.ahead import submitted_ahead
from homing.workers.processes import AHEAD, TRIES, attempt
from homing.workers.ray_internals import cause_of, count_machines, silence_ray

Task = TypeVar("Task")
Result = TypeVar("Result")

_NAME = re.compile(r"ray(:[1-9][0-9]{0,3})?|ray://[^/\s]+:[0-9]{1,5}")

_PATIENCE = 5.0  # seconds that a cluster gets to accept a connection
_STORE = 256 << 20  # bytes of pending results, in a Ray that homing starts


def is_ray_name(text: str) -> bool:
    """Return whether a text names Ray: ``ray``, ``ray:N`` or ``ray://HOST:PORT``."""
    return _NAME.fullmatch(text) is not None


@dataclass(frozen=True)
class RayCluster:
    """The Ray cluster that this process is connected to."""

    name: str  # as the user gave it
    count: int  # processors: tasks done at the same time
    per_machine: int  # processors of one machine, on average
    accelerators: int  # GPUs

    def hire(
        self,
        begin: Callable[[], Callable[[Task], Result]],
        doing: str,
        *,
        most: int | None = None,
        device: str = "cpu",
    ) -> "RayWorkers[Task, Result]":
        """Return workers, as `ThisMachine.hire`; `UsageError` if they need a missing GPU."""
        gpus = 1 if device.startswith("cuda") else 0
        if gpus and not self.accelerators:
            raise UsageError(
                f"the Ray cluster {self.name!r} has no GPU for --device {device}; use cpu"
            )
        return RayWorkers(begin, self.count if most is None else most, doing, gpus=gpus)


class RayWorkers(Generic[Task, Result]):
    """Ray workers that do tasks; as :class:`homing.workers.processes.Workers`.

    About `count` tasks are done at the same time; each takes `gpus` GPUs. `UsageError` if several
    workers die over one task, or the cluster is lost.
    """

    def __init__(
        self, begin: Callable[[], Callable[[Task], Result]], count: int, doing: str, *, gpus: int
    ) -> None:
        import ray

        self._doing = doing
        self._count = count
        with _usage_errors(doing):
            self._order = ray.put(_Order(uuid.uuid4().hex, __version__, begin))
        self._do = ray.remote(
            num_cpus=1, num_gpus=gpus, max_retries=TRIES - 1, scheduling_strategy="SPREAD"
        )(_do)
        self._pending: set[Any] = set()

    def __enter__(self) -> "RayWorkers[Task, Result]":
        """Return the workers."""
        return self

    def __exit__(self, *_: object) -> None:
        """Cancel the pending tasks."""
        import ray

        for reference in self._pending:
            ray.cancel(reference, force=True)
        self._pending.clear()

    def in_order(self, tasks: Iterable[Task], *, ahead: int = AHEAD) -> Iterator[Result]:
        """Yield results in task order; start at most `ahead` tasks per worker in advance."""
        references = submitted_ahead(map(self._submit, tasks), ahead * self._count)
        yield from map(self._result, references)

    def as_done(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Result]]:
        """Yield each task with its result, in the order in which they are done."""
        import ray

        left = {self._submit(task): task for task in tasks}
        while left:
            (done,), _ = ray.wait(list(left), num_returns=1)
            yield left.pop(done), self._result(done)

    def _submit(self, task: Task) -> Any:
        with _usage_errors(self._doing):
            reference = self._do.remote(self._order, task)
        self._pending.add(reference)
        return reference

    def _result(self, reference: Any) -> Result:
        import ray

        with _usage_errors(self._doing):
            result, error = ray.get(reference)
        self._pending.discard(reference)
        if error is not None:
            raise error
        return result  # type: ignore[no-any-return] # what the function returned in the worker


@contextmanager
def _usage_errors(doing: str) -> Iterator[None]:
    """Turn Ray's errors into `UsageError`; errors of the task itself are returned, not raised."""
    import ray

    try:
        yield
    except (ray.exceptions.RayTaskError, ImportError, AttributeError) as error:
        raise UsageError(
            f"the Ray workers cannot {doing}: {_first_line(cause_of(error))}; homing {__version__} "
            "must be installed on the machines of the cluster"
        ) from error
    except ray.exceptions.RayError as error:
        raise UsageError(
            f"the Ray workers that {doing} die, perhaps for lack of memory: {_first_line(error)}"
        ) from error
    except ConnectionError as error:
        raise UsageError(
            f"the Ray cluster is no longer there: {_first_line(error)}; run the same command again "
            "to go on"
        ) from error


@dataclass(frozen=True)
class _Order:
    """Function that begins the work; all tasks of a kind share one, identified by its key."""

    key: str
    version: str = field(compare=False)
    begin: Callable[[], Callable[[Any], Any]] = field(compare=False)


def _do(order: _Order, task: Any) -> tuple[Any, Exception | None]:
    """Do a task in a worker; a failure to begin is returned as the task's error."""
    return attempt(functools.partial(_begin_and_do, order), task)


def _begin_and_do(order: _Order, task: Any) -> Any:
    return _function_of(order)(task)


@functools.lru_cache(maxsize=1)
def _function_of(order: _Order) -> Callable[[Any], Any]:
    """Begin, once in each worker; return the function that does a task."""
    if order.version != __version__:
        raise UsageError(
            f"the Ray worker on {socket.gethostname()} has homing {__version__}, and the command "
            f"has {order.version}; install the same version on all machines"
        )
    return order.begin()


@contextmanager
def connect_cluster(name: str) -> Iterator[RayCluster]:
    """Connect to a cluster, and disconnect at the end.

    ``ray://HOST:PORT`` is the address of a Ray Client server. ``ray`` is the connection that the
    program has already, which stays open; else the cluster in ``RAY_ADDRESS``; else a Ray started
    here with all processors. ``ray:N`` is a Ray started here with N processors. `UsageError` if Ray
    is not installed, the cluster cannot be reached, or it has no processors.
    """
    try:
        import ray
    except ImportError as error:
        raise UsageError(
            f"workers of a Ray cluster need Ray: {install_command('cluster')}"
        ) from error
    if ray.is_initialized():
        if name != "ray":
            raise UsageError(f"this program uses Ray already: give 'ray' instead of {name!r}")
        yield _describe_cluster(name)
        return
    address = name if name.startswith("ray://") else os.environ.get("RAY_ADDRESS", "local")
    if name.startswith("ray:") and not name.startswith("ray://"):
        address = "local"
    with silence_ray():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # announcements of Ray's next version
                if address == "local":
                    _start(int(name.partition(":")[2] or os.cpu_count() or 1))
                else:
                    _connect(address)
            yield _describe_cluster(name)
        finally:
            ray.shutdown()


def _start(processors: int) -> None:
    """Start a private Ray on this machine: it reports nothing, and only this process may use it."""
    import ray

    try:
        with _environment(RAY_USAGE_STATS_ENABLED="0", RAY_AUTH_TOKEN=_auth_token()):
            ray.init(
                address="local",
                num_cpus=processors,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                object_store_memory=_STORE,
            )
    except (OSError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
        raise UsageError(f"Ray cannot be started here: {_first_line(error)}") from error


@functools.cache
def _auth_token() -> str:
    """Return one token for all Rays that this process starts, since Ray reads it once."""
    return uuid.uuid4().hex


def _connect(address: str) -> None:
    import ray

    try:
        _check_port(address)
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
    except ImportError as error:
        raise UsageError(
            f"the Ray Client is needed for {address}: {install_command('cluster')} ({error})"
        ) from error
    except (OSError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
        raise UsageError(
            f"the Ray cluster {address!r} cannot be reached: {_first_line(error)}; give "
            "ray://HOST:PORT with the port of its Ray Client server (10001 by default), and set "
            "RAY_AUTH_MODE and RAY_AUTH_TOKEN as the cluster requires"
        ) from error


def _check_port(address: str) -> None:
    """Raise `OSError` if nothing listens there, which Ray takes half a minute to notice."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=_PATIENCE).close()


def _describe_cluster(name: str) -> RayCluster:
    import ray

    resources = ray.cluster_resources()
    count = int(resources.get("CPU", 0))
    if count < 1:
        raise UsageError(f"the Ray cluster {name!r} has no processors to give")
    return RayCluster(name, count, -(-count // count_machines()), int(resources.get("GPU", 0)))


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    """Set variables for the processes started meanwhile, unless the user has set them."""
    ours = {key: value for key, value in values.items() if key not in os.environ}
    os.environ.update(ours)
    try:
        yield
    finally:
        for key in ours:
            os.environ.pop(key, None)


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
