"""Settings of the command's process: signals, streams, threads. A library must not touch them."""

import io
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType


class Terminated(KeyboardInterrupt):
    """SIGTERM: the process ends as if interrupted."""


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM unwind the work, as Ctrl-C does, so that temporary files are removed."""
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    ):
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise Terminated

    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def die_at_next_interruption() -> None:
    """Let a second Ctrl-C kill the process, which only waits for its threads.

    Python would otherwise show a traceback of the wait.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def prepare_streams() -> None:
    """Make every text printable on the standard streams.

    A closed stream (``>&-``) is opened to nowhere. Otherwise the next file opened would get its
    number, and printed text would go into that file. Characters that the terminal's encoding lacks
    are escaped.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            with suppress(OSError):
                os.open(os.devnull, os.O_RDWR)  # gets the lowest free number: this one
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def share_processors() -> None:
    """Let the network's threads sleep soon while they wait, unless the user says otherwise.

    OpenMP's threads spin for long at every barrier by default. Beside other work (our decoding
    threads, another program) they keep the awaited thread from running: a network ran seven times
    slower beside one busy process. Sleeping at once (the policy "passive") costs a tenth on a quiet
    machine; a few microseconds of spinning cost nothing in either case. Must run before torch is
    imported.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "10000")
