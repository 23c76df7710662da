"""Tasks done by several processes of this machine, any of which may be killed at any instant.

Each process has a pipe of its own, shares no lock with another, and does one task at a time. One
that dies has lost the task in hand, which a new one does in its place; the others go on. Processes
are spawned: neither the network's threads nor Lance's live through a fork.

They take no notice of an interruption by the keyboard, which the terminal sends to all of them: it
is for the process that reads the results, and that one ends them. They end with it, too, where it
is killed.
"""

import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import FrameType, TracebackType
from typing import Any, Generic, TypeVar

from homing.errors import UsageError
from homing.workers.ahead import begun_ahead

Task = TypeVar("Task")
Result = TypeVar("Result")

TRIES = 3
"""How many workers one task may cost."""

AHEAD = 3
"""Tasks for each worker that may be done, or being done, before their turn comes."""

_PATIENCE = 5.0  # seconds that a process has to tidy up


class LostTaskError(UsageError):
    """A task has cost as many processes their lives as it may."""


class Workers(Generic[Task, Result]):
    """Processes that do tasks; a context manager, at whose end none of them is left.

    A script that uses it must be importable, as for all spawned processes: what it does stands
    under ``if __name__ == "__main__":``.

    Parameters
    ----------
    begin : callable
        Called in each process at its first task, or at its start where tasks have a time; returns
        the function that does a task. Of module level, or a partial of one.
    count : int
        Processes, at most: they are started as tasks come.
    doing : str
        What they do, for the error: "the processes that ... die".
    tries : int or None
        Processes that one task may cost; None: :data:`TRIES`.
    seconds : float or None
        That a process has for one task before it is killed; None: as long as it takes.
    """

    def __init__(
        self,
        begin: Callable[[], Callable[[Task], Result]],
        count: int,
        doing: str,
        *,
        tries: int | None = None,
        seconds: float | None = None,
    ) -> None:
        self._begin = begin
        self._count = count
        self._doing = doing
        self._tries = TRIES if tries is None else tries
        self._seconds = seconds
        self._threads = ThreadPoolExecutor(count, "homing-worker", initializer=_shield)
        self._own = threading.local()  # each thread's process
        self._starting = threading.Lock()
        self._processes: set[BaseProcess] = set()
        self._ended = False

    def __enter__(self) -> "Workers[Task, Result]":
        """Return the workers; none of them has been started yet."""
        if sys.platform != "win32":
            # Started by a thread of ours it would let interruptions through to that thread.
            from multiprocessing import resource_tracker

            resource_tracker.ensure_running()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the processes, whatever they are doing."""
        with self._starting:
            self._ended = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        left = list(self._processes)
        for process in left:
            process.terminate()
        for process in left:
            process.join(_PATIENCE)
            process.kill()
            process.join()
        self._threads.shutdown()

    def submit(self, task: Task) -> Future[Result]:
        """Have one task done; its errors as :meth:`in_order`, where the result is wanted."""
        return self._threads.submit(self._do, task)

    def in_order(self, tasks: Iterable[Task], *, ahead: int = AHEAD) -> Iterator[Result]:
        """Yield the results in the order of the tasks, so many a worker of which are begun ahead.

        Raises
        ------
        LostTaskError
            A task has cost several processes their lives.
        """
        for future in begun_ahead(map(self.submit, tasks), ahead * self._count):
            yield future.result()

    def as_done(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Result]]:
        """Yield each task with its result as soon as it is there; errors as :meth:`in_order`."""
        futures = {self.submit(task): task for task in tasks}
        for future in as_completed(futures):
            yield futures[future], future.result()

    def _do(self, task: Task) -> Result:
        """Have this thread's process do a task, another one if that dies."""
        for _ in range(self._tries):
            try:
                pipe = self._pipe()
                pipe.send(task)
                if not pipe.poll(self._seconds):
                    self._kill()
                result, error = pipe.recv()
            except (EOFError, OSError):
                self._forget()
                continue
            if error is not None:
                raise error
            return result  # type: ignore[no-any-return] # what the function returned, there
        raise LostTaskError(
            f"the processes that {self._doing} die, perhaps for want of memory; take fewer workers"
        )

    def _kill(self) -> None:
        """End this thread's process, which has taken too long."""
        self._own.process.kill()

    def _forget(self) -> None:
        """Let go of this thread's process, which has died."""
        process, self._own.pipe = getattr(self._own, "process", None), None
        if process is not None:
            process.join(_PATIENCE)
            with self._starting:
                self._processes.discard(process)

    def _pipe(self) -> Connection:
        """The pipe to this thread's process, which is started if there is none."""
        if getattr(self._own, "pipe", None) is None:
            self._own.pipe = self._start()
        pipe: Connection = self._own.pipe
        return pipe

    def _start(self) -> Connection:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(
            target=_serve, args=(theirs, self._begin, self._seconds is not None), daemon=True
        )
        with self._starting:
            if self._ended:
                raise EOFError
            process.start()
            self._processes.add(process)
        self._own.process = process
        theirs.close()  # so that the end of the process is the end of the pipe
        if self._seconds is not None:
            ours.recv()  # its start is not of a task's time
        return ours


def refuse_no_workers(count: int) -> None:
    """Refuse to have work done by nobody."""
    if count < 1:
        raise UsageError(f"there must be at least one worker, not {count}")


def _shield() -> None:
    """Keep interruptions from the calling thread, and from the processes that it starts."""
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


def _serve(pipe: Connection, begin: Callable[[], Callable[[Any], Any]], at_once: bool) -> None:
    """Do tasks until there are no more; runs in a process of its own.

    Begun at once, it says when it is ready.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where it could not be blocked
    signal.signal(signal.SIGTERM, _leave)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    function = begin() if at_once else None
    if at_once:
        pipe.send(None)
    while True:
        try:
            task = pipe.recv()
        except EOFError:
            return
        try:
            function = function or begin()
        except Exception as error:  # noqa: BLE001 - raised where the result is wanted
            pipe.send((None, _noted(error)))
        else:
            pipe.send(attempted(function, task))


def attempted(
    function: Callable[[Task], Result], task: Task
) -> tuple[Result | None, Exception | None]:
    """Do a task far from where its result is wanted: the result, or the error to be raised there.

    The error has the traceback as a note, since that itself does not travel.
    """
    try:
        return function(task), None
    except Exception as error:  # noqa: BLE001 - raised where the result is wanted
        return None, _noted(error)


def _noted(error: Exception) -> Exception:
    error.add_note(traceback.format_exc())
    return error


def _leave(number: int, frame: FrameType | None) -> None:
    """End, and tidy up on the way."""
    del number, frame
    sys.exit(1)


def _end_with_parent() -> None:
    """Leave no process behind where the one that reads the results is killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
