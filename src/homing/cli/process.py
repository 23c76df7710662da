"""Settings of our own process, which a library must not touch."""

import io
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType


class Terminated(KeyboardInterrupt):
    """Somebody asked the process to end (SIGTERM); it ends as if interrupted."""


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM unwind the work, as Ctrl-C does, so that nothing is left lying about."""
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
    """Let another Ctrl-C kill the process, which has no more to do than to wait for its threads.

    Python would show a traceback of its own waiting.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def prepare_streams() -> None:
    """Make the standard streams ones that everything can be written to.

    A stream that was closed (``>&-``) leads nowhere: left closed, the next file opened would take
    its place, and what is printed would go into that file. A name that the terminal's encoding
    lacks is shown with its escape.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            with suppress(OSError):
                os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def share_processors() -> None:
    """Let the network's threads sleep soon while they wait, unless the user says otherwise.

    By default OpenMP's threads spin for long at every barrier. Where other work wants the
    processors (our own decoding threads, or another program) the one waited for is then kept from
    running: seven times slower was seen beside one busy process. To sleep at once (the policy
    "passive") costs a tenth on a quiet machine; some microseconds of spinning cost nothing in
    either case. Must be called before torch is imported.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "10000")
