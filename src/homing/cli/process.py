"""Settings of the command's process: signals, streams, threads. A library must not touch them."""

import io
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

_ADDRESSES = "4 GiB, of which they use a part"  # measured: 3 GB are enough, 2 GB are not

_ENDING = [signal.SIGTERM, *([] if sys.platform == "win32" else [signal.SIGHUP])]


class Terminated(KeyboardInterrupt):
    """A signal of `_ENDING`, its argument: the process ends as if interrupted."""


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM and SIGHUP unwind the work, as Ctrl-C does, so that temporary files are removed.

    A signal that is ignored stays so: under nohup a closed terminal ends nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        del frame
        raise Terminated(number)

    ours = [number for number in _ENDING if signal.getsignal(number) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def ask_to_stop(on_first: Callable[[], None]) -> Iterator[Callable[[], bool]]:
    """Let a first Ctrl-C ask the work to stop, and a second one interrupt it.

    Yields a function that returns whether it was asked. `on_first` says so at once, and raises
    nothing.
    """
    asked = False

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        del number, frame
        asked = True
        signal.signal(signal.SIGINT, signal.default_int_handler)
        on_first()

    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield lambda: False
        return
    signal.signal(signal.SIGINT, ask)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def die_at_next_interruption() -> None:
    """Let a second Ctrl-C kill the process, which only waits for its threads.

    Python would otherwise show a traceback of the wait.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def memory_reason(error: BaseException) -> str | None:
    """Say that there is too little memory, if that is what an error means; otherwise None."""
    lacking = isinstance(error, MemoryError) or (
        isinstance(error, ImportError) and "failed to map segment" in str(error)
    )
    if not lacking:
        return None
    reason = f"there is too little memory ({str(error) or 'MemoryError'})"
    if sys.platform == "win32":
        return reason
    import resource

    most, _ = resource.getrlimit(resource.RLIMIT_AS)
    if most == resource.RLIM_INFINITY:
        return reason
    return (
        f"{reason}: this process may have {most >> 20} MiB of addresses (ulimit -v), and most "
        f"commands take {_ADDRESSES}; raise that limit"
    )


def missing_library_reason(error: BaseException) -> str | None:
    """Say which library cannot be loaded, if that is what an error means; otherwise None."""
    if not isinstance(error, ImportError):
        return None
    text = str(error)
    if "cv2" in (error.name or "") or re.search(r"cv2|libGL|libgthread|opencv", text, re.I):
        return (
            f"OpenCV cannot be loaded ({text}); install it anew: 'pip uninstall opencv-python "
            "opencv-python-headless', then 'pip install opencv-python-headless'"
        )
    if error.name is None or error.name.partition(".")[0] == "homing":
        return None
    return f"the library {error.name!r} cannot be loaded ({text}); install homing anew with pip"


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
