"""Download of published weights: once into a cache, resumed after a break, verified at every load.

Nothing is downloaded unless a user loads a descriptor by name that is not in the package.
"""

import hashlib
import json
import logging
import os
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urlsplit

from homing.errors import DescriptorError
from homing.files.durable import staged_beside
from homing.files.locks import hold_lock
from homing.files.small_json import parse
from homing.progress import OnProgress, Progress

if TYPE_CHECKING:
    import urllib3

_log = logging.getLogger(__name__)

"""Called with the bytes received and the bytes in all (None: the server did not say)."""

_CHUNK = 1 << 18
_ATTEMPTS = 5  # without a byte of progress
_PAUSE = 0.5  # seconds before the second attempt, doubled for each further one
_OK, _PARTIAL, _UNSATISFIABLE = 200, 206, 416


class _ConnectionLost(Exception):  # noqa: N818 - it never leaves this module
    """The connection failed; another attempt may resume where this one ended."""


def cache_folder() -> Path:
    """Return the folder of fetched weights, which need not exist.

    It is ``$HOMING_CACHE``, or ``homing`` in the platform's place for caches.
    """
    if given := os.environ.get("HOMING_CACHE"):
        return Path(given).expanduser()
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return (Path(local) if local else Path.home() / "AppData" / "Local") / "homing" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "homing"
    given = os.environ.get("XDG_CACHE_HOME")
    return (Path(given) if given else Path.home() / ".cache") / "homing"


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def read_record(path: Path) -> dict[str, str | int] | None:
    """Read the record of a fetched file, ``.json`` beside it: ``sha256``, ``size_bytes``, ``url``.

    None if there is no record; a damaged one raises.
    """
    beside = _beside(path, ".json")
    try:
        record = parse(beside.read_text(encoding="utf-8"))
        return {"sha256": str(record["sha256"]), "size_bytes": int(record["size_bytes"]),
                "url": str(record["url"])}  # fmt: skip
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, OverflowError) as error:
        raise DescriptorError(
            f"{beside}: the record of a checksum is damaged; remove it and {path.name}, "
            "then load the descriptor again."
        ) from error


def write_record(path: Path, data: bytes, url: str) -> None:
    """Record the checksum of a fetched file, unless it is recorded already."""
    if read_record(path) is not None:
        return
    digest = hashlib.sha256(data).hexdigest()
    record = {"sha256": digest, "size_bytes": len(data), "url": url}
    try:
        _replace(_beside(path, ".json"), json.dumps(record, indent=2) + "\n")
    except OSError as error:
        raise DescriptorError(f"{path.parent}: cannot record a checksum ({error}).") from error


def _replace(path: Path, text: str) -> None:
    """Write a file, whole or not at all; unsynced, since a cache can be fetched again."""
    with staged_beside(path) as staged:
        staged.write_text(text, encoding="utf-8")
        staged.replace(path)


def verify(path: Path, data: bytes, expected: str | None) -> None:
    """Raise if a file's SHA-256 is not the one expected, or else the one recorded.

    Without either nothing is compared.
    """
    if expected is None:
        record = read_record(path)
        expected = None if record is None else str(record["sha256"])
    found = hashlib.sha256(data).hexdigest()
    if expected is not None and found != expected:
        raise DescriptorError(
            f"{path}: the file has changed. SHA-256 recorded: {expected}; found: {found}. "
            "Remove it to fetch it again; if it was meant to change, remove "
            f"{path.name}.json too."
        )


def fetch(
    url: str, path: Path, *, progress: OnProgress | None = None, pause: float = _PAUSE
) -> None:
    """Fetch a file over HTTP or HTTPS; it gets its name only when it is complete.

    Received bytes stay in ``.part`` beside it, and a later call resumes there if the server still
    has the same file. Of several processes that want the same file one fetches it and the others
    wait; an existing file is left as it is. `pause` is the time in seconds before the second
    attempt, doubled for each further one that brought nothing.
    """
    part = _beside(path, ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with hold_lock(_beside(path, ".lock")):
            if path.exists():  # another process fetched it while this one waited
                return
            part.touch()
            _fetch_with_retries(url, part, progress, pause)
            part.replace(path)
            _beside(part, ".json").unlink(missing_ok=True)
    except OSError as error:
        raise DescriptorError(f"{path}: cannot be written ({error}).") from error


def _fetch_with_retries(url: str, part: Path, progress: OnProgress | None, pause: float) -> None:
    """Repeat requests until the file is complete, as long as some bring bytes."""
    failures, moving = 0, False
    while True:
        before = part.stat().st_size
        try:
            return _resume(url, part, progress)
        except _ConnectionLost as error:
            came = part.stat().st_size != before  # fewer bytes: it starts again
            failures, moving = (0 if came else failures + 1), moving or came
            # If nothing has ever come there is likely no network: say so without delay.
            if not moving or failures >= _ATTEMPTS:
                raise DescriptorError(f"{url}: {error}.") from error
            _log.info("%s: %s; trying again", url, error)
            time.sleep(pause * 2 ** max(failures - 1, 0))


def _client(url: str) -> "urllib3.PoolManager":
    import urllib3

    parts = urlsplit(url)
    proxy = urllib.request.getproxies().get(parts.scheme)
    # urllib3 does not know of proxies; newsrooms have them.
    if proxy and not urllib.request.proxy_bypass(parts.hostname or ""):
        return urllib3.ProxyManager(proxy)
    return urllib3.PoolManager()


def _resume(url: str, part: Path, progress: OnProgress | None) -> None:
    """Request the missing bytes once; return when the file is complete."""
    import urllib3

    there, validator = part.stat().st_size, _read_validator(part)
    headers = {}
    if there and validator:
        # With If-Range a server whose file has changed sends all of it, not a foreign tail.
        headers = {"Range": f"bytes={there}-", "If-Range": validator}
    with _client(url) as client:
        try:
            response = client.request(
                "GET",
                url,
                headers=headers,
                preload_content=False,
                decode_content=False,
                timeout=urllib3.Timeout(connect=10, read=30),
                retries=urllib3.Retry(connect=0, read=0, redirect=5, status=0, other=0),
            )
            with response, part.open("r+b") as file:
                _receive(response, file, part, progress)
        except urllib3.exceptions.HTTPError as error:
            raise _ConnectionLost(f"the connection failed ({error})") from error


def _receive(
    response: "urllib3.BaseHTTPResponse",
    file: BinaryIO,
    part: Path,
    progress: OnProgress | None,
) -> None:
    if response.status == _UNSATISFIABLE:
        file.truncate(0)
        raise _ConnectionLost("the server has less than was fetched before")
    if response.status not in {_OK, _PARTIAL}:
        raise DescriptorError(f"{response.url}: the server answered {response.status}.")
    there = _first_offset(response)
    found = response.headers.get("ETag") or response.headers.get("Last-Modified")
    if there == 0:
        file.truncate(0)
        _replace(_beside(part, ".json"), json.dumps({"validator": found}))
    file.seek(there)
    length = response.headers.get("Content-Length")
    total = None if length is None else there + int(length)
    while chunk := response.read(_CHUNK):
        file.write(chunk)
        there += len(chunk)
        if progress is not None:
            progress(Progress(there, total))
    if total is not None and there != total:
        raise _ConnectionLost(f"{there} of {total} bytes came")
    file.truncate(there)
    file.flush()
    os.fsync(file.fileno())


def _first_offset(response: "urllib3.BaseHTTPResponse") -> int:
    """Return the offset of the first byte that comes."""
    if response.status == _OK:
        return 0
    try:
        return int(response.headers["Content-Range"].removeprefix("bytes ").partition("-")[0])
    except (KeyError, ValueError) as error:
        raise DescriptorError(
            f"{response.url}: the server sent a part without saying which."
        ) from error


def _read_validator(part: Path) -> str | None:
    try:
        value = parse(_beside(part, ".json").read_text(encoding="utf-8"))["validator"]
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return value if isinstance(value, str) and not value.startswith("W/") else None
