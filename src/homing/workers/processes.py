"""Processes of this machine that do tasks, any of which may be killed at any instant.

Each process has its own pipe, shares no lock with another, and does one task at a time. When one
dies, a new one retries its current task and the others go on. Processes are spawned, because
neither the network's threads nor Lance's survive a fork.

They ignore the signals of a terminal (Ctrl-C, its end), which come to all of them: the process that
reads the results handles these and ends them. They also end when that process is killed.
"""

import logging
import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import Any, Generic, TypeVar

from homing.errors import UsageError
from homing.workers.ahead import submitted_ahead

_log = logging.getLogger(__name__)

Task = TypeVar("Task")
Result = TypeVar("Result")

TRIES = 3  # workers that may die over one task
AHEAD = 3  # tasks per worker that may be started, or done, before their turn

_FROM_TERMINAL = {signal.SIGINT} if sys.platform == "win32" else {signal.SIGINT, signal.SIGHUP}
_PATIENCE = 5.0  # seconds that a process gets to clean up


class LostTaskError(UsageError):
    """Too many processes have died over one task."""


class Workers(Generic[Task, Result]):
    """Processes that do tasks; a context manager that ends all of them.

    Each process calls `begin`, a function of module level or a partial of one, at its first task,
    or at its start if `seconds` limits the time of a task; it returns the function that does a
    task. At most `count` processes are started, as tasks come. `doing` completes the error message
    "the processes that ... die", raised when `tries` processes (None: :data:`TRIES`) have died over
    one task. A process that takes longer than `seconds` over a task is killed.

    A script that uses this class must be importable, as for all spawned processes: its code stands
    under ``if __name__ == "__main__":``.
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
        """Return the workers; no process has been started yet."""
        if sys.platform != "win32":
            # Started by one of the threads, it would let interrupts through to that thread.
            from multiprocessing import resource_tracker

            before = signal.pthread_sigmask(signal.SIG_BLOCK, _FROM_TERMINAL)
            try:
                resource_tracker.ensure_running()  # it ignores interrupts, but not the end
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return self

    def __exit__(self, *_: object) -> None:
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
        """Submit one task; the future raises its errors, or `LostTaskError`."""
        return self._threads.submit(self._do, task)

    def in_order(self, tasks: Iterable[Task], *, ahead: int = AHEAD) -> Iterator[Result]:
        """Yield results in task order; start at most `ahead` tasks per worker in advance."""
        for future in submitted_ahead(map(self.submit, tasks), ahead * self._count):
            yield future.result()

    def as_done(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Result]]:
        """Yield each task with its result, in the order in which they are done."""
        futures = {self.submit(task): task for task in tasks}
        for future in as_completed(futures):
            yield futures[future], future.result()

    def _do(self, task: Task) -> Result:
        """Have this thread's process do a task, and a new one retry it if that dies."""
        for _ in range(self._tries):
            try:
                pipe = self._pipe()
                pipe.send(task)
                if not pipe.poll(self._seconds):
                    self._own.process.kill()
                result, error = pipe.recv()
            except (EOFError, OSError):
                self._forget()
                if not self._ended:
                    _log.warning(
                        "of the processes that %s one has died; a new one takes its task",
                        self._doing,
                    )
                continue
            if error is not None:
                raise error
            return result  # type: ignore[no-any-return] # what the function returned, there
        if self._seconds is not None:  # a task that comes next need not wait for a new process
            with suppress(EOFError, OSError):
                self._pipe()
        raise LostTaskError(
            f"the processes that {self._doing} die, perhaps for lack of memory; use fewer workers"
        )

    def _forget(self) -> None:
        """Drop this thread's process, which has died."""
        process, self._own.pipe = getattr(self._own, "process", None), None
        if process is not None:
            process.join(_PATIENCE)
            with self._starting:
                self._processes.discard(process)

    def _pipe(self) -> Connection:
        """Return the pipe to this thread's process; start one if it has none that lives.

        A process that died between two tasks, or once at its start, costs no task a try.
        """
        if getattr(self._own, "pipe", None) is not None and not self._own.process.is_alive():
            self._forget()
        if getattr(self._own, "pipe", None) is None:
            try:
                self._own.pipe = self._start()
            except EOFError:
                self._forget()
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
            ours.recv()  # its start does not count as a task's time
        return ours


def refuse_no_workers(count: int) -> None:
    """Refuse a number of workers below one."""
    if count < 1:
        raise UsageError(f"there must be at least one worker, not {count}")


def _shield() -> None:
    """Block a terminal's signals in the calling thread and in the processes that it starts."""
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_BLOCK, _FROM_TERMINAL)


def _serve(pipe: Connection, begin: Callable[[], Callable[[Any], Any]], at_once: bool) -> None:
    """Do tasks until there are no more; runs in a worker process.

    With `at_once` the worker begins before its first task and sends a message when it is ready.
    Otherwise it begins at the first task, so that a failure to begin is that task's error and is
    not mistaken for a lost worker.
    """
    for number in _FROM_TERMINAL:
        signal.signal(number, signal.SIG_IGN)  # where it could not be blocked
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
        except Exception as error:  # noqa: BLE001 - raised where the result is read
            pipe.send((None, _with_traceback(error)))
        else:
            pipe.send(attempt(function, task))


def attempt(
    function: Callable[[Task], Result], task: Task
) -> tuple[Result | None, Exception | None]:
    """Do a task in a worker; return the result, or the error to raise where it is read.

    The error carries its traceback as a note, since a traceback itself cannot be pickled.
    """
    try:
        return function(task), None
    except Exception as error:  # noqa: BLE001 - raised where the result is read
        return None, _with_traceback(error)


def _with_traceback(error: Exception) -> Exception:
    error.add_note(traceback.format_exc())
    return error


def _leave(number: int, frame: FrameType | None) -> None:
    """Exit, so that the process cleans up."""
    del number, frame
    sys.exit(1)


def _end_with_parent() -> None:
    """End this process when the one that reads the results is killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
