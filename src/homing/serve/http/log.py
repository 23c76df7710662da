"""The log, without pictures, keys, or the names of uploaded files: JSON lines, or plain ones."""

import datetime
import json
import logging
import os
import re
import sys
import traceback
from typing import Any, TextIO

_RUNNING = re.compile(r"Uvicorn running on (\S+)")


class Log:
    """Writes events to a text stream, standard error if it is None: as JSON, or `plain` lines."""

    def __init__(self, stream: TextIO | None = None, *, plain: bool = False) -> None:
        self._stream = stream
        self._plain = plain

    def write(self, event: str, *, level: str = "info", **values: Any) -> None:
        """Write an event and its values."""
        now = datetime.datetime.now(datetime.UTC)
        if self._plain:
            line = _plain_line(now, event, level, values)
        else:
            about = {"at": now.isoformat(timespec="milliseconds"), "level": level, "event": event}
            line = json.dumps(about | values, default=str)
        if not line:
            return
        stream = self._stream or sys.stderr
        stream.write(line + "\n")
        stream.flush()

    def write_error(self, event: str, error: BaseException, **values: Any) -> None:
        """Write an error of the service with its traceback."""
        trace = "".join(traceback.format_exception(error))
        text = f"{type(error).__name__}: {error}"
        self.write(event, level="error", error=text, trace=trace, **values)


def _plain_line(now: datetime.datetime, event: str, level: str, values: dict[str, Any]) -> str:
    """Return an event as people read it in a terminal; nothing if it is of no use to them."""
    if event == "request":
        at, seconds = now.astimezone().strftime("%H:%M:%S"), values["seconds"]
        return f"{at}  {values['status']}  {seconds:6.2f} s  {values['method']} {values['route']}"
    message = values.get("message", "")
    if running := _RUNNING.match(message):
        return f"The archive is served at {running[1]} (open it in a browser). Ctrl-C ends it."
    if level == "info":
        return ""
    text = f"{level}: {message or event}"
    if "error" in values:
        text += f": {values['error']}"
    if os.environ.get("HOMING_DEBUG") and "trace" in values:
        text += f"\n{values['trace']}"
    return text


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
