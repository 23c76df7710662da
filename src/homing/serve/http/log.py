"""A log of one JSON object a line; it never holds a picture, a key, or the name of a file sent."""

import datetime
import json
import logging
import sys
import traceback
from typing import Any, TextIO


class Log:
    """Writes events.

    Parameters
    ----------
    stream : text stream or None
        Standard error if None.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    def write(self, event: str, *, level: str = "info", **values: Any) -> None:
        """Write an event, with what is known of it."""
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"at": now, "level": level, "event": event, **values}, default=str)
        stream = self._stream or sys.stderr
        stream.write(line + "\n")
        stream.flush()

    def problem(self, event: str, error: BaseException, **values: Any) -> None:
        """Write a failure of ours, with where it came from."""
        trace = "".join(traceback.format_exception(error))
        self.write(
            event, level="error", error=f"{type(error).__name__}: {error}", trace=trace, **values
        )


class _Heard(logging.Handler):
    """Passes on what a library logs."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.INFO)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record as an event."""
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            self._log.problem("server", error)
        else:
            level = record.levelname.lower()
            self._log.write("server", level=level, message=record.getMessage())


def hear_uvicorn(log: Log) -> None:
    """Let the server's own messages go into the log; of its process, which is the service's."""
    heard = logging.getLogger("uvicorn.error")
    heard.handlers[:] = [_Heard(log)]
    heard.setLevel(logging.INFO)
    heard.propagate = False
