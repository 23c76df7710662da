"""Tasks done by the workers of a Ray cluster, any of which may die at any instant.

They are plain tasks: Ray gives each to a worker that is free, on whatever machine, and again to
another one if that worker or its machine has died; only a task that has cost several workers their
lives ends the work. A worker makes itself ready at its first task and stays so for the next ones.

homing, of the same version, must be installed on the machines of the cluster. Ray takes its own
credentials from the environment (``RAY_AUTH_MODE``, ``RAY_AUTH_TOKEN``); nothing of ours is sent.
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
from types import TracebackType
from typing import Any, Generic, TypeVar

from homing._version import __version__
from homing.errors import UsageError
from homing.workers.ahead import begun_ahead
from homing.workers.processes import AHEAD, TRIES, attempted

Task = TypeVar("Task")
Result = TypeVar("Result")

_NAME = re.compile(r"ray(:[1-9][0-9]{0,3})?|ray://[^/\s]+:[0-9]{1,5}")

_PATIENCE = 5.0  # seconds that a cluster has to take a connection
_STORE = 256 << 20  # bytes of results under way, in a Ray of our own


def is_ray(name: str) -> bool:
    """Whether a text names Ray: ``ray``, ``ray:N`` or ``ray://HOST:PORT``."""
    return _NAME.fullmatch(name) is not None


@dataclass(frozen=True)
class RayMachines:
    """The machines of a Ray cluster that this process is connected with.

    Attributes
    ----------
    name : str
        As the user named it.
    count : int
        Processors: tasks that are done at the same time.
    per_machine : int
        Those of one machine, about.
    accelerators : int
        GPUs of the cluster.
    """

    name: str
    count: int
    per_machine: int
    accelerators: int

    def hire(
        self,
        begin: Callable[[], Callable[[Task], Result]],
        doing: str,
        *,
        most: int | None = None,
        device: str = "cpu",
    ) -> "RayWorkers[Task, Result]":
        """Workers for tasks of one kind; see :class:`homing.workers.choose.Workforce`.

        Raises
        ------
        UsageError
            Each wants a GPU, and the cluster has none.
        """
        gpus = 1 if device.startswith("cuda") else 0
        if gpus and not self.accelerators:
            raise UsageError(
                f"the Ray cluster {self.name!r} has no GPU for --device {device}; take cpu"
            )
        return RayWorkers(begin, self.count if most is None else most, doing, gpus=gpus)


class RayWorkers(Generic[Task, Result]):
    """Workers of a Ray cluster that do tasks; as :class:`homing.workers.processes.Workers`.

    Parameters
    ----------
    begin : callable
        Called in each worker at its first task; returns the function that does a task. Of module
        level, or a partial of one.
    count : int
        Tasks that are done at the same time, about: so many times some are under way.
    doing : str
        What they do, for the error.
    gpus : int
        That each task takes.
    """

    def __init__(
        self, begin: Callable[[], Callable[[Task], Result]], count: int, doing: str, *, gpus: int
    ) -> None:
        import ray

        self._doing = doing
        self._count = count
        with _told(doing):
            self._order = ray.put(_Order(uuid.uuid4().hex, __version__, begin))
        self._do = ray.remote(
            num_cpus=1, num_gpus=gpus, max_retries=TRIES - 1, scheduling_strategy="SPREAD"
        )(_do)
        self._under_way: set[Any] = set()

    def __enter__(self) -> "RayWorkers[Task, Result]":
        """Return the workers."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give up what is under way."""
        import ray

        for reference in self._under_way:
            ray.cancel(reference, force=True)
        self._under_way.clear()

    def in_order(self, tasks: Iterable[Task], *, ahead: int = AHEAD) -> Iterator[Result]:
        """Yield the results in the order of the tasks, so many a worker of which are begun ahead.

        Raises
        ------
        UsageError
            A task has cost several workers their lives, or the cluster is no longer there.
        """
        begun = begun_ahead(map(self._submitted, tasks), ahead * self._count)
        yield from map(self._result, begun)

    def as_done(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Result]]:
        """Yield each task with its result as soon as it is there; errors as :meth:`in_order`."""
        import ray

        left = {self._submitted(task): task for task in tasks}
        while left:
            (done,), _ = ray.wait(list(left), num_returns=1)
            yield left.pop(done), self._result(done)

    def _submitted(self, task: Task) -> Any:
        with _told(self._doing):
            reference = self._do.remote(self._order, task)
        self._under_way.add(reference)
        return reference

    def _result(self, reference: Any) -> Result:
        import ray

        with _told(self._doing):
            result, error = ray.get(reference)
        self._under_way.discard(reference)
        if error is not None:
            raise error
        return result  # type: ignore[no-any-return] # what the function returned, there


@contextmanager
def _told(doing: str) -> Iterator[None]:
    """Tell in our words what Ray raises where a task could not even be tried, or only in vain."""
    import ray

    try:
        yield
    except (ray.exceptions.RayTaskError, ImportError, AttributeError) as error:
        cause = error.cause if isinstance(error, ray.exceptions.RayTaskError) else error
        raise UsageError(
            f"the Ray workers cannot {doing}: {_first_line(cause)}; homing {__version__} must be "
            "installed on the machines of the cluster"
        ) from error
    except ray.exceptions.RayError as error:
        raise UsageError(
            f"the Ray workers that {doing} die, perhaps for want of memory: {_first_line(error)}"
        ) from error
    except ConnectionError as error:
        raise UsageError(
            f"the Ray cluster is no longer there: {_first_line(error)}; the same command goes on "
            "where it stopped"
        ) from error


@dataclass(frozen=True)
class _Order:
    """How to begin; the same one for all tasks of a kind, known by its key."""

    key: str
    version: str = field(compare=False)
    begin: Callable[[], Callable[[Any], Any]] = field(compare=False)


def _do(order: _Order, task: Any) -> tuple[Any, Exception | None]:
    """Do a task; runs in a worker of the cluster."""
    return attempted(functools.partial(_done, order), task)


def _done(order: _Order, task: Any) -> Any:
    return _begun(order)(task)


@functools.lru_cache(maxsize=1)
def _begun(order: _Order) -> Callable[[Any], Any]:
    """What does the tasks, made once in each worker."""
    if order.version != __version__:
        raise UsageError(
            f"the Ray worker on {socket.gethostname()} has homing {__version__}, and "
            f"{order.version} has asked it; install the same version on all machines"
        )
    return order.begin()


@contextmanager
def connected(name: str) -> Iterator[RayMachines]:
    """Connect with a cluster, and leave it at the end.

    A program that uses Ray already keeps its own connection, and ``ray`` means that one.

    Parameters
    ----------
    name : str
        ``ray://HOST:PORT``, the address of a cluster's Ray Client server; ``ray``: the cluster
        that ``RAY_ADDRESS`` names, or else a Ray of our own on this machine's processors;
        ``ray:N``: a Ray of our own with N.

    Raises
    ------
    UsageError
        Ray is not installed, the cluster cannot be reached, or it has no processors.
    """
    ray = _ray()
    if ray.is_initialized():
        if name != "ray":
            raise UsageError(f"this program uses Ray already: give 'ray' instead of {name!r}")
        yield _machines(name)
        return
    address = name if name.startswith("ray://") else os.environ.get("RAY_ADDRESS", "local")
    if name.startswith("ray:") and not name.startswith("ray://"):
        address = "local"
    with _quiet():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of what the next version of Ray will do
                if address == "local":
                    _start(int(name.partition(":")[2] or os.cpu_count() or 1))
                else:
                    _connect(address)
            yield _machines(name)
        finally:
            ray.shutdown()


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise UsageError(
            "workers of a Ray cluster need Ray: pip install 'homing[cluster]'"
        ) from error
    return ray


def _start(processors: int) -> None:
    """Start a Ray of our own, which tells nobody of itself and which nobody else may ask."""
    import ray

    try:
        with _environment(RAY_USAGE_STATS_ENABLED="0", RAY_AUTH_TOKEN=_token()):
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
def _token() -> str:
    """One for all that this process starts: Ray reads it once."""
    return uuid.uuid4().hex


def _connect(address: str) -> None:
    import ray

    try:
        _knock(address)
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
    except ImportError as error:
        raise UsageError(
            f"the Ray Client is needed for {address}: pip install 'homing[cluster]' ({error})"
        ) from error
    except (OSError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
        raise UsageError(
            f"the Ray cluster {address!r} cannot be reached: {_first_line(error)}; give "
            "ray://HOST:PORT with the port of its Ray Client server (10001 if nobody said "
            "otherwise), and what the cluster asks for in RAY_AUTH_MODE and RAY_AUTH_TOKEN"
        ) from error


def _knock(address: str) -> None:
    """See whether anybody is there, which Ray would take half a minute to find out."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=_PATIENCE).close()


def _machines(name: str) -> RayMachines:
    import ray

    resources = ray.cluster_resources()
    count = int(resources.get("CPU", 0))
    if count < 1:
        raise UsageError(f"the Ray cluster {name!r} has no processors to give")
    machines = sum(node["Alive"] and node["Resources"].get("CPU", 0) >= 1 for node in ray.nodes())
    return RayMachines(name, count, -(-count // max(1, machines)), int(resources.get("GPU", 0)))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Ray's notices, of workers that died, from standard output, where results are."""
    from ray._private import worker

    logging.getLogger("ray.util.client").setLevel(logging.CRITICAL)  # what it logs, it raises too
    before = getattr(worker, "_worker_logs_enabled", True)
    worker._worker_logs_enabled = False  # there is no public way
    try:
        yield
    finally:
        worker._worker_logs_enabled = before


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
