"""Client of a service: :class:`Client` searches and releases as an archive does, over HTTP."""

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
from homing.archive.hits import Decision, Hit
from homing.archive.results import Outcome
from homing.errors import ArchiveError, HomingError, PictureError, UsageError
from homing.options import Activation

Picture = str | PathLike[str] | bytes

_T = TypeVar("_T")

_POLL = 0.5  # seconds between two requests for a release's progress
_TRIES = 6  # of a request for which the service is too busy
_MOST_PICTURES, _MOST_BYTES = 100, 256 * 2**20  # of one upload


class Client:
    """A service, as ``homing serve`` runs it.

    Parameters
    ----------
    url : str
        Address of the service, ``http://host:port``.
    key : str or None
        From ``homing keys add``; not needed where the service has no keys.
    timeout : float
        Seconds that an answer may take.

    Raises
    ------
    UsageError
        Raised by every method if an option is invalid, or the key does not allow the request.
    ArchiveError
        Raised by every method if the service cannot be reached, or cannot answer.

    Examples
    --------
    ::

        client = Client("http://127.0.0.1:8000", key="homing_...")
        for hit in client.search("suspect.jpg", k=5):
            print(hit.id, hit.similarity, hit.is_copy)
        client.release(["a.jpg", "b.jpg"], psnr=44, prefix="news")
    """

    def __init__(self, url: str, key: str | None = None, *, timeout: float = 120.0) -> None:
        if not url.startswith(("http://", "https://")):
            raise UsageError(f"{url!r} is no address of a service: give http://HOST:PORT")
        self._url = url.rstrip("/")
        self._headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        # A service that is too busy has done nothing, so that any request may be repeated.
        retries = urllib3.Retry(
            _TRIES,
            connect=0,
            read=0,
            redirect=0,
            status_forcelist=(429, 503),
            allowed_methods=None,
            backoff_factor=0.2,
            raise_on_status=False,
        )
        self._pool = urllib3.PoolManager(timeout=timeout, retries=retries)

    def search(self, picture: Picture, **options: Any) -> tuple[Hit, ...]:
        """Find the entries most similar to a picture, best first.

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
        """
        answer = self._json(
            "POST", "/v1/search", options, fields={"picture": _named_bytes(picture)}
        )
        return tuple(_result(Hit, hit) for hit in answer["hits"])

    def search_vector(self, vector: Sequence[float], **options: Any) -> tuple[Hit, ...]:
        """Find the entries most similar to a descriptor of the archive's network, best first.

        Parameters
        ----------
        vector : sequence of float
            It is scaled to unit length.
        k, probes, rerank, rate
            As for :meth:`homing.Archive.search`.
        """
        body = json.dumps({"vector": [float(value) for value in vector]})
        headers = {"Content-Type": "application/json"}
        answer = self._json("POST", "/v1/search", options, body=body, headers=headers)
        return tuple(_result(Hit, hit) for hit in answer["hits"])

    def cells(self, picture: Picture, probes: int = 1, **options: Any) -> tuple[int, ...]:
        """Return the cells in which copies of a picture would be, nearest first.

        Parameters
        ----------
        picture : path or bytes
        probes, views, generation
            As for :meth:`homing.Archive.cells`.
        """
        fields = {"picture": _named_bytes(picture)}
        answer = self._json("POST", "/v1/cells", {"probes": probes, **options}, fields=fields)
        return tuple(answer["cells"])

    def explain(
        self,
        picture: Picture,
        *,
        id: str | None = None,  # noqa: A002 - the column's name
        **options: Any,
    ) -> dict[str, Any]:
        """Return the evidence for a picture being a copy of an entry.

        Parameters
        ----------
        picture : path or bytes
        id : str or None
            The entry; None: the best hit.
        views, rate
            As for :meth:`homing.Archive.explain`.

        Returns
        -------
        dict
            As ``homing explain --json`` prints it, and under "figures" pictures as data: addresses.

        Raises
        ------
        PictureError
            The picture cannot be read.
        EntryNotFoundError
            The entry does not exist, or is not among the hits.
        """
        fields = {"picture": _named_bytes(picture)}
        return self._json("POST", "/v1/explain", {"id": id, **options}, fields=fields)

    def entries(
        self, *, prefix: str | None = None, state: str | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield the entries in the order of their ids, as ``homing show --json`` prints them.

        Parameters
        ----------
        prefix : str or None
            Beginning of the ids.
        state : {"released", "added"} or None
        """
        after: str | None = None
        while True:
            query = {"prefix": prefix, "state": state, "after": after, "limit": 500}
            page = self._json("GET", "/v1/entries", query)
            yield from page["entries"]
            after = page["next"]
            if after is None:
                return

    def entry(self, id: str) -> dict[str, Any]:  # noqa: A002 - the column's name
        """Return all that is recorded of an entry; `EntryNotFoundError` if it does not exist."""
        return self._json("GET", f"/v1/entries/{quote(id)}")

    def file(self, id: str) -> bytes:  # noqa: A002 - the column's name
        """Return the picture of an entry; `EntryNotFoundError` if it is not available."""
        return self._request("GET", f"/v1/files/{quote(id)}")

    def remove(self, id: str) -> None:  # noqa: A002 - the column's name
        """Remove an entry from the record; `EntryNotFoundError` if it does not exist."""
        self._request("DELETE", f"/v1/entries/{quote(id)}")

    def decide(self, picture: Picture, id: str, verdict: str) -> dict[str, Any]:  # noqa: A002
        """Decide that a picture is a copy of an entry, or is not.

        Parameters
        ----------
        picture : path or bytes
        id : str
            The entry.
        verdict : {"copy", "not"}

        Returns
        -------
        dict
            The decision, as ``homing decisions --json`` prints it; by the holder of the key.

        Raises
        ------
        PictureError
            The picture cannot be read, or shows nothing.
        EntryNotFoundError
            The entry does not exist.
        """
        fields = {"picture": _named_bytes(picture), "id": id, "decision": verdict}
        return self._json("POST", "/v1/decisions", fields=fields)

    def decisions(self, id: str | None = None) -> Iterator[dict[str, Any]]:  # noqa: A002
        """Yield the decisions, or those on one id, in the order of their numbers."""
        after: int | None = 0
        while after is not None:
            page = self._json("GET", "/v1/decisions", {"id": id, "after": after, "limit": 500})
            yield from page["decisions"]
            after = page["next"]

    def undo_decision(self, number: int) -> None:
        """Undo a decision; `EntryNotFoundError` if there is none of that number."""
        self._request("DELETE", f"/v1/decisions/{number}")

    def statistics(self) -> dict[str, Any]:
        """Return figures of the archive, and of the service under "server"."""
        return self._json("GET", "/v1/statistics")

    def release(
        self,
        pictures: Sequence[str | PathLike[str]],
        *,
        psnr: float = Activation.psnr,
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
            One a picture, in their order; failed ones have their reasons.
        """
        settings = {"psnr": psnr, "method": method, "format": format, "prefix": prefix}
        given = [(key, str(value)) for key, value in settings.items() if value not in (None, "")]
        outcomes: list[Outcome] = []
        for files in _parts([_named_bytes(picture) for picture in pictures]):
            fields: list[Any] = [*given, *(("pictures", file) for file in files)]
            job = self._json("POST", "/v1/releases", fields=fields)
            for outcome in self._follow(job["job"]):
                outcomes.append(outcome)
                if on_outcome is not None:
                    on_outcome(outcome)
        return tuple(outcomes)

    def _follow(self, token: str) -> Iterator[Outcome]:
        """Yield the outcomes of a release as they come, to its end."""
        done = 0
        while True:
            job = self._json("GET", f"/v1/releases/{quote(token)}")
            for outcome in job["outcomes"][done:]:
                yield _result(Outcome, outcome)
            done = len(job["outcomes"])
            if job["state"] == "failed":
                raise ArchiveError(f"the release {token} cannot go on: {job['reason']}")
            if job["state"] == "done":
                return
            time.sleep(_POLL)

    def _json(
        self, method: str, path: str, query: dict[str, Any] | None = None, **options: Any
    ) -> dict[str, Any]:
        """Return the object of an answer; options of the query that are None are left out."""
        values = {
            key: str(value).lower() if isinstance(value, bool) else value
            for key, value in (query or {}).items()
            if value is not None
        }
        target = f"{path}?{urlencode(values)}" if values else path
        answer: dict[str, Any] = json.loads(self._request(method, target, **options))
        return answer

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


def _named_bytes(picture: Picture) -> tuple[str, bytes]:
    """Return name and bytes of a picture, for a form."""
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
        if part and (len(part) >= _MOST_PICTURES or size + len(file[1]) > _MOST_BYTES):
            yield part
            part, size = [], 0
        part.append(file)
        size += len(file[1])
    if part:
        yield part


def _result(kind: type[_T], values: dict[str, Any]) -> _T:
    """Make a result from its keys; unknown ones, of a newer service, are left out."""
    names = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    known = {key: value for key, value in values.items() if key in names}
    for name in ("notes", "also_kept", "edits", "region"):
        if known.get(name) is not None:
            known[name] = tuple(known[name])
    if known.get("decision") is not None:
        known["decision"] = Decision.from_dict(known["decision"])
    return kind(**known)


def _error(status: int, body: bytes) -> HomingError:
    """Return the error that an answer reports."""
    try:
        answer = json.loads(body)
        text, kind = str(answer["error"]), str(answer.get("kind"))
    except (ValueError, KeyError, TypeError):
        text, kind = f"it answered with status {status}", ""
    if kind in errors.__all__:
        error: HomingError = getattr(errors, kind)(text)
        return error
    if status == 404:
        return errors.EntryNotFoundError(text)
    return UsageError(text) if status < 500 and status != 429 else ArchiveError(text)
