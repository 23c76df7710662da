"""The log: one JSON object a line, without pictures, keys, or the names of uploaded files."""

import datetime
import json
import logging
import sys
import traceback
from typing import Any, TextIO


class Log:
    """Writes events to a text stream; to standard error if it is None."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    def write(self, event: str, *, level: str = "info", **values: Any) -> None:
        """Write an event and its values."""
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"at": now, "level": level, "event": event, **values}, default=str)
        stream = self._stream or sys.stderr
        stream.write(line + "\n")
        stream.flush()

    def write_error(self, event: str, error: BaseException, **values: Any) -> None:
        """Write an error of the service with its traceback."""
        trace = "".join(traceback.format_exception(error))
        text = f"{type(error).__name__}: {error}"
        self.write(event, level="error", error=text, trace=trace, **values)


class _LogHandler(logging.Handler):
    """Passes a library's log records on."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.INFO)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            self._log.write_error("server", error)
        else:
            level = record.levelname.lower()
            self._log.write("server", level=level, message=record.getMessage())


def capture_uvicorn_log(log: Log) -> None:
    """Write uvicorn's messages to the log, and leave out those on damaged forms.

    For this whole process.
    """
    logging.getLogger("python_multipart").addHandler(logging.NullHandler())
    logger = logging.getLogger("uvicorn.error")
    logger.handlers[:] = [_LogHandler(log)]
    logger.setLevel(logging.INFO)
    logger.propagate = False
