"""Operations of both clients: each method once, as requests and what is made of answers."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from os import PathLike
from typing import Any, Literal, TypedDict, TypeVar, Unpack
from urllib.parse import quote

from homing.archive.hits import Hit, SearchResult
from homing.archive.results import Outcome
from homing.client.answers import (
    Entry,
    Evidence,
    Job,
    RecordedDecision,
    decision_of,
    evidence_of,
    from_json,
    read_answer,
    understanding,
)
from homing.client.transport import (
    Call,
    Item,
    Listing,
    ListingCall,
    Pause,
    Picture,
    Request,
    Steps,
    parts,
)
from homing.errors import ArchiveError
from homing.options import UPRIGHT, Activation, SearchOptions
from homing.progress import OnProgress, Progress

_T = TypeVar("_T")

_POLL = 0.5  # seconds between two requests for a release's progress
_PAGE = 500  # entries or decisions


class SearchKeywords(TypedDict, total=False):
    """Options of a search; :class:`homing.options.SearchOptions` has their defaults."""

    k: int
    probes: int | Literal["near", "auto"] | None
    rerank: int
    views: str
    rate: float
    confirm: bool


class Operations:
    """The methods of both clients."""

    @Call
    def search(self, picture: Picture, **options: Unpack[SearchKeywords]) -> Steps[tuple[Hit, ...]]:
        """Find the entries most similar to a picture, best first.

        Parameters
        ----------
        picture : path or bytes
            A file, or an encoded file's bytes.
        k, probes, rerank, views, rate, confirm
            As for :meth:`homing.Archive.search`.

        Returns
        -------
        tuple of Hit

        Raises
        ------
        PictureError
            The picture cannot be read.
        """
        answer = yield from _one_picture("/v1/search", picture, options)
        return from_json(SearchResult, answer).hits

    @Call
    def search_vector(
        self, vector: Sequence[float], **options: Unpack[SearchKeywords]
    ) -> Steps[tuple[Hit, ...]]:
        """Find the entries most similar to a descriptor of the archive's network, best first.

        Parameters
        ----------
        vector : sequence of float
            It is scaled to unit length.
        k, probes, rerank, rate
            As for :meth:`homing.Archive.search`.

        Returns
        -------
        tuple of Hit
        """
        body = {"vector": [float(value) for value in vector]}
        answer = yield from _json(Request("POST", "/v1/search", options, body=body))
        return from_json(SearchResult, answer).hits

    @ListingCall
    def search_each(
        self, pictures: Sequence[str | PathLike[str]], **options: Unpack[SearchKeywords]
    ) -> Listing[SearchResult]:
        """Search for several pictures; yield a result for each, in their order.

        One that cannot be read has the `reason`, and the others are searched for.

        Parameters
        ----------
        pictures : sequence of paths
        k, probes, rerank, views, rate, confirm
            As for :meth:`homing.Archive.search`.
        """
        for part in parts(pictures):
            sent = tuple(("pictures", picture) for picture in part)
            body = yield Request("POST", "/v1/search/batch", options, pictures=sent)
            for line in body.splitlines():
                yield Item(from_json(SearchResult, {"seconds": 0.0, **read_answer(line)}))

    @Call
    def cells(
        self,
        picture: Picture,
        probes: int = 1,
        *,
        views: str = UPRIGHT,
        generation: int | None = None,
    ) -> Steps[tuple[int, ...]]:
        """Return the cells in which copies of a picture would be, nearest first.

        Parameters
        ----------
        picture : path or bytes
        probes, views, generation
            As for :meth:`homing.Archive.cells`.

        Returns
        -------
        tuple of int
        """
        query = {"probes": probes, "views": views, "generation": generation}
        answer = yield from _one_picture("/v1/cells", picture, query)
        with understanding():
            return tuple(answer["cells"])

    @Call
    def explain(
        self,
        picture: Picture,
        *,
        id: str | None = None,  # noqa: A002 - the column's name
        views: str = "all",
        rate: float = SearchOptions.rate,
    ) -> Steps[Evidence]:
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
        Evidence

        Raises
        ------
        PictureError
            The picture cannot be read.
        EntryNotFoundError
            The entry does not exist, or is not among the hits.
        """
        query = {"id": id, "views": views, "rate": rate}
        answer = yield from _one_picture("/v1/explain", picture, query)
        return evidence_of(answer)

    @ListingCall
    def entries(self, *, prefix: str | None = None, state: str | None = None) -> Listing[Entry]:
        """Yield the entries in the order of their ids.

        Parameters
        ----------
        prefix : str or None
            Beginning of the ids.
        state : {"released", "added"} or None
        """
        query = {"prefix": prefix, "state": state}
        yield from _paged("entries", query, partial(from_json, Entry))

    @Call
    def entry(self, id: str) -> Steps[Entry]:  # noqa: A002 - the column's name
        """Return all that is recorded of an entry; `EntryNotFoundError` if it does not exist."""
        return from_json(Entry, (yield from _json(Request("GET", f"/v1/entries/{_quoted(id)}"))))

    @Call
    def file(self, id: str) -> Steps[bytes]:  # noqa: A002 - the column's name
        """Return the picture of an entry; `EntryNotFoundError` if it is not available."""
        return (yield Request("GET", f"/v1/files/{_quoted(id)}"))

    @Call
    def annotate(self, id: str, metadata: Mapping[str, Any]) -> Steps[Entry]:  # noqa: A002
        """Set fields of an entry's metadata, such as a caption, and return the entry.

        Parameters
        ----------
        id : str
            The entry; `EntryNotFoundError` if it does not exist.
        metadata : mapping
            What JSON can hold; None removes a field, and all fields not named stay.
        """
        body = {"metadata": dict(metadata)}
        request = Request("PATCH", f"/v1/entries/{_quoted(id)}", body=body)
        return from_json(Entry, (yield from _json(request)))

    @Call
    def remove(self, id: str) -> Steps[None]:  # noqa: A002 - the column's name
        """Remove an entry from the record; `EntryNotFoundError` if it does not exist."""
        yield Request("DELETE", f"/v1/entries/{_quoted(id)}")

    @Call
    def decide(self, picture: Picture, id: str, verdict: str) -> Steps[RecordedDecision]:  # noqa: A002
        """Decide that a picture is a copy of an entry, or is not.

        Parameters
        ----------
        picture : path or bytes
        id : str
            The entry.
        verdict : {"copy", "not"}

        Returns
        -------
        RecordedDecision
            By the holder of the key.

        Raises
        ------
        PictureError
            The picture cannot be read, or shows nothing.
        EntryNotFoundError
            The entry does not exist.
        """
        fields = (("id", id), ("decision", verdict))
        pictures = (("picture", picture),)
        request = Request("POST", "/v1/decisions", fields=fields, pictures=pictures)
        return decision_of((yield from _json(request)))

    @ListingCall
    def decisions(self, id: str | None = None) -> Listing[RecordedDecision]:  # noqa: A002
        """Yield the decisions, or those on one id, in the order of their numbers."""
        yield from _paged("decisions", {"id": id}, decision_of)

    @Call
    def undo_decision(self, number: int) -> Steps[None]:
        """Undo a decision; `EntryNotFoundError` if there is none of that number."""
        yield Request("DELETE", f"/v1/decisions/{number}")

    @Call
    def statistics(self) -> Steps[dict[str, Any]]:
        """Return figures of the archive, as :meth:`homing.Archive.stats`, and of the service.

        The latter are under "server".
        """
        return (yield from _json(Request("GET", "/v1/statistics")))

    @Call
    def submit(
        self,
        pictures: Sequence[str | PathLike[str]],
        *,
        psnr: float = Activation.psnr,
        method: str | None = None,
        format: str | None = None,  # noqa: A002 - the word of the command line
        prefix: str = "",
        webhook: str | None = None,
    ) -> Steps[Job]:
        """Send pictures to be released, and return at once; :meth:`job` reports the progress.

        Parameters
        ----------
        pictures : sequence of paths
            Files; their names become ids. As many as the service takes at once.
        psnr, method, format
            As for :meth:`homing.Archive.release`.
        prefix : str
            Goes before each name in the ids, with a ``/``.
        webhook : str or None
            ``https://`` address that is notified of the end, for :func:`read_webhook`.

        Returns
        -------
        Job
        """
        settings = {"psnr": psnr, "method": method, "format": format, "prefix": prefix}
        given = {**settings, "webhook": webhook}
        fields = tuple((key, str(value)) for key, value in given.items() if value not in (None, ""))
        sent = tuple(("pictures", picture) for picture in pictures)
        request = Request("POST", "/v1/releases", fields=fields, pictures=sent)
        return from_json(Job, (yield from _json(request)))

    @Call
    def job(self, token: str) -> Steps[Job]:
        """Return a release and its progress; `EntryNotFoundError` if it does not exist."""
        return from_json(Job, (yield from _json(Request("GET", f"/v1/releases/{_quoted(token)}"))))

    @Call
    def webhook_secret(self) -> Steps[str]:
        """Return what verifies the messages to this key's webhooks, for `read_webhook`."""
        return str((yield from _json(Request("GET", "/v1/webhooks/secret")))["secret"])

    @Call
    def release(
        self,
        pictures: Sequence[str | PathLike[str]],
        *,
        psnr: float = Activation.psnr,
        method: str | None = None,
        format: str | None = None,  # noqa: A002 - the word of the command line
        prefix: str = "",
        progress: OnProgress | None = None,
    ) -> Steps[tuple[Outcome, ...]]:
        """Release pictures, and wait until it is done.

        Parameters
        ----------
        pictures : sequence of paths
            Files; their names become ids.
        psnr, method, format
            As for :meth:`homing.Archive.release`.
        prefix : str
            Goes before each name in the ids, with a ``/``.
        progress : callable or None
            Called with a :class:`homing.Progress` of each outcome as it comes.

        Returns
        -------
        tuple of Outcome
            One a picture, in their order; failed ones have their reasons.
        """
        settings: dict[str, Any] = {"psnr": psnr, "method": method, "format": format}
        outcomes: list[Outcome] = []
        for part in parts(pictures):
            job = yield from Operations.submit(self, part, prefix=prefix, **settings)
            done = 0
            while True:
                for outcome in job.outcomes[done:]:
                    outcomes.append(outcome)
                    if progress is not None:
                        progress(Progress(len(outcomes), len(pictures), outcome))
                done = len(job.outcomes)
                if job.state == "failed":
                    raise ArchiveError(f"the release {job.job} cannot go on: {job.reason}")
                if job.state == "done":
                    break
                yield Pause(_POLL)
                job = yield from Operations.job(self, job.job)
        return tuple(outcomes)


def _quoted(id: str) -> str:  # noqa: A002 - the column's name
    """Return an id as the end of an address: `a/../b` must not lead to the entry `b`."""
    if {"", ".", ".."}.isdisjoint(id.split("/")):
        return quote(id)
    return quote(id, safe="").replace(".", "%2E")


def _json(request: Request) -> Steps[dict[str, Any]]:
    """Send a request and return the object of its answer."""
    return read_answer((yield request))


def _one_picture(path: str, picture: Picture, query: Mapping[str, Any]) -> Steps[dict[str, Any]]:
    """Send one picture and return the object of the answer."""
    return (yield from _json(Request("POST", path, query, pictures=(("picture", picture),))))


def _paged(
    name: str, query: Mapping[str, Any], make: Callable[[dict[str, Any]], _T]
) -> Listing[_T]:
    """Yield what all pages hold under a name."""
    after = None
    while True:
        limits = {"after": after, "limit": _PAGE}
        page = yield from _json(Request("GET", f"/v1/{name}", {**query, **limits}))
        with understanding():
            found = [make(values) for values in page[name]]
        yield from map(Item, found)
        after = page["next"]
        if after is None:
            return
