"""A service asked from Python: :class:`Client` answers as an archive does, over HTTP.

::

    client = Client("http://127.0.0.1:8000", key="homing_...")
    for hit in client.search("suspect.jpg", k=5):
        print(hit.id, hit.similarity, hit.is_copy)
    client.release(["a.jpg", "b.jpg"], psnr=44, prefix="news")
"""

import dataclasses
import json
import time
from collections.abc import Callable, Iterator, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import urllib3

from homing import errors
from homing.archive.results import Hit, Outcome
from homing.errors import ArchiveError, HomingError, PictureError, UsageError

Picture = str | PathLike[str] | bytes

_T = TypeVar("_T")

_PAUSE = 0.5  # seconds between two looks at a release
_TRIES = 6  # of a request that the service is too busy for
_AT_ONCE, _BYTES = 100, 256 * 2**20  # of one upload


class Client:
    """A service, as ``homing serve`` runs it.

    Parameters
    ----------
    url : str
        Where it is, ``http://host:port``.
    key : str or None
        From ``homing keys add``; not needed where the service asks for none.
    timeout : float
        Seconds that an answer may take.
    """

    def __init__(self, url: str, key: str | None = None, *, timeout: float = 120.0) -> None:
        if not url.startswith(("http://", "https://")):
            raise UsageError(f"{url!r} is no address of a service: give http://HOST:PORT")
        self._url = url.rstrip("/")
        self._headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        # Nothing was done where a service says that it is too busy, so it may be asked again.
        again = urllib3.Retry(
            _TRIES,
            connect=0,
            read=0,
            redirect=0,
            status_forcelist=(429, 503),
            allowed_methods=None,
            backoff_factor=0.2,
            raise_on_status=False,
        )
        self._pool = urllib3.PoolManager(timeout=timeout, retries=again)

    def search(self, picture: Picture, **options: Any) -> tuple[Hit, ...]:
        """Find the entries most similar to a picture.

        Parameters
        ----------
        picture : path or bytes
            A file, or an encoded file's bytes.
        k, probes, rerank, views, rate, confirm
            As for :meth:`homing.Archive.search`.

        Raises
        ------
        PictureError
            The picture cannot be read.
        UsageError
            What is asked makes no sense, or the key does not allow it.
        ArchiveError
            The service cannot be reached, or cannot answer.
        """
        sent = {"picture": _file(picture)}
        answer = self._json("POST", _with("/search", options), fields=sent)
        return tuple(_made(Hit, hit) for hit in answer["hits"])

    def search_vector(self, vector: Sequence[float], **options: Any) -> tuple[Hit, ...]:
        """Find the entries most similar to a descriptor that is at hand; else as :meth:`search`."""
        body = json.dumps({"vector": [float(value) for value in vector]})
        headers = {"Content-Type": "application/json"}
        answer = self._json("POST", _with("/search", options), body=body, headers=headers)
        return tuple(_made(Hit, hit) for hit in answer["hits"])

    def explain(
        self,
        picture: Picture,
        *,
        id: str | None = None,  # noqa: A002 - the column's name
        **options: Any,
    ) -> dict[str, Any]:
        """Show why a picture is, or is not, taken for a copy.

        Parameters
        ----------
        picture : path or bytes
        id : str or None
            Compare with this entry rather than with the best hit.
        views, rate
            As for :meth:`homing.Archive.explain`.

        Returns
        -------
        dict
            What ``homing explain --json`` prints, and under "figures" pictures as data: addresses.
        """
        target = _with("/explain", {"id": id, **options})
        answer: dict[str, Any] = self._json("POST", target, fields={"picture": _file(picture)})
        return answer

    def entries(
        self,
        *,
        prefix: str | None = None,
        state: str | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Yield the entries in the order of their ids, as ``homing show --json`` prints them.

        Parameters
        ----------
        prefix : str or None
            Of the ids.
        state : {"released", "added"} or None
        """
        after: str | None = None
        while True:
            asked = {"prefix": prefix, "state": state, "after": after, "limit": 500}
            page = self._json("GET", _with("/entries", asked))
            yield from page["entries"]
            after = page["next"]
            if after is None:
                return

    def entry(self, id: str) -> dict[str, Any]:  # noqa: A002 - the column's name
        """Return what is recorded of an entry; `EntryNotFoundError` if there is none."""
        answer: dict[str, Any] = self._json("GET", f"/entries/{quote(id)}")
        return answer

    def file(self, id: str) -> bytes:  # noqa: A002 - the column's name
        """Return the picture of an entry; `EntryNotFoundError` if it is not at hand."""
        return self._request("GET", f"/files/{quote(id)}")

    def remove(self, id: str) -> None:  # noqa: A002 - the column's name
        """Remove an entry from the record; `EntryNotFoundError` if there is none."""
        self._request("DELETE", f"/entries/{quote(id)}")

    def statistics(self) -> dict[str, Any]:
        """Figures of the archive and of the service."""
        answer: dict[str, Any] = self._json("GET", "/statistics")
        return answer

    def release(
        self,
        pictures: Sequence[str | PathLike[str]],
        *,
        psnr: float = 42.0,
        method: str | None = None,
        format: str | None = None,  # noqa: A002 - the word of the command line
        prefix: str = "",
        on_outcome: Callable[[Outcome], None] | None = None,
    ) -> tuple[Outcome, ...]:
        """Release pictures, and wait until it is done.

        Parameters
        ----------
        pictures : sequence of paths
            Files; their names become ids.
        psnr, method, format
            As for :meth:`homing.Archive.release`.
        prefix : str
            Goes before each name in the ids, with a ``/``.
        on_outcome : callable or None
            Called with each outcome as it comes.

        Returns
        -------
        tuple of Outcome
            One a picture, in their order; bad pictures are among them with their reasons.
        """
        settings = {"psnr": psnr, "method": method, "format": format, "prefix": prefix}
        given = [(key, str(value)) for key, value in settings.items() if value not in (None, "")]
        outcomes: list[Outcome] = []
        for files in _parts([_file(picture) for picture in pictures]):
            fields: list[Any] = [*given, *(("pictures", file) for file in files)]
            job = self._json("POST", "/release", fields=fields)
            for outcome in self._followed(job["job"]):
                outcomes.append(outcome)
                if on_outcome is not None:
                    on_outcome(outcome)
        return tuple(outcomes)

    def _followed(self, token: str) -> Iterator[Outcome]:
        """Outcomes of a release as they come, to its end."""
        told = 0
        while True:
            job = self._json("GET", f"/releases/{quote(token)}")
            for outcome in job["outcomes"][told:]:
                yield _made(Outcome, outcome)
            told = len(job["outcomes"])
            if job["state"] == "failed":
                raise ArchiveError(f"the release {token} cannot go on: {job['reason']}")
            if job["state"] == "done":
                return
            time.sleep(_PAUSE)

    def _json(self, method: str, target: str, **options: Any) -> Any:
        return json.loads(self._request(method, target, **options))

    def _request(self, method: str, target: str, **options: Any) -> bytes:
        headers = {**self._headers, **options.pop("headers", {})}
        try:
            answer = self._pool.request(method, self._url + target, headers=headers, **options)
        except urllib3.exceptions.HTTPError as error:
            raise ArchiveError(
                f"the service at {self._url} cannot be reached: {error}; is it running?"
            ) from error
        if answer.status >= 300:
            raise _error(answer.status, answer.data)
        return answer.data


def _with(path: str, options: dict[str, Any]) -> str:
    """Path with a query; what is None is left out."""
    told = {
        key: str(value).lower() if isinstance(value, bool) else value
        for key, value in options.items()
        if value is not None
    }
    return f"{path}?{urlencode(told)}" if told else path


def _file(picture: Picture) -> tuple[str, bytes]:
    """Name and bytes of a picture, as a form has them."""
    if isinstance(picture, bytes):
        return "the picture", picture
    path = Path(fspath(picture))
    try:
        return path.name, path.read_bytes()
    except OSError as error:
        raise PictureError(f"{path}: the file cannot be read: {error.strerror}") from error


def _parts(files: Sequence[tuple[str, bytes]]) -> Iterator[list[tuple[str, bytes]]]:
    """Split an upload into several of a bounded size."""
    part: list[tuple[str, bytes]] = []
    size = 0
    for file in files:
        if part and (len(part) >= _AT_ONCE or size + len(file[1]) > _BYTES):
            yield part
            part, size = [], 0
        part.append(file)
        size += len(file[1])
    if part:
        yield part


def _made(kind: type[_T], values: dict[str, Any]) -> _T:
    """Make a result of its keys; those of a newer service are left out."""
    known = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    taken = {key: value for key, value in values.items() if key in known}
    for name in ("notes", "also_kept"):
        if name in taken:
            taken[name] = tuple(taken[name])
    return kind(**taken)


def _error(status: int, body: bytes) -> HomingError:
    """Error of ours that an answer tells of."""
    try:
        told = json.loads(body)
        text, kind = str(told["error"]), str(told.get("kind"))
    except (ValueError, KeyError, TypeError):
        text, kind = f"it answered with status {status}", ""
    if kind in errors.__all__:
        made: HomingError = getattr(errors, kind)(text)
        return made
    if status == 404:
        return errors.EntryNotFoundError(text)
    return UsageError(text) if status < 500 and status != 429 else ArchiveError(text)
