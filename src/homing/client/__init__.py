"""Clients of a service: they search and release as an archive does, over HTTP.

:class:`Client` waits for each answer, :class:`AsyncClient` is awaited; their methods are the same.
"""

from homing.archive.hits import Decision, Hit, SearchResult
from homing.archive.results import Outcome
from homing.client.answers import (
    Alignment,
    EndedRelease,
    Entry,
    Evidence,
    Job,
    RecordedDecision,
    WebhookState,
)
from homing.client.operations import Operations
from homing.client.transport import Awaited, Waiting
from homing.client.webhook import read_webhook

__all__ = [
    "Alignment",
    "AsyncClient",
    "Client",
    "Decision",
    "EndedRelease",
    "Entry",
    "Evidence",
    "Hit",
    "Job",
    "Outcome",
    "RecordedDecision",
    "SearchResult",
    "WebhookState",
    "read_webhook",
]


class Client(Operations, Waiting):
    """A service, as ``homing serve`` runs it. Several threads may share a client.

    Parameters
    ----------
    url : str
        Address of the service, ``http://host:port``.
    key : str or None
        From ``homing keys add``; not needed where the service has no keys.
    timeout : float
        Seconds without a byte of an answer. A service that is busy is asked again for some minutes.
    connections : int
        Connections that are kept open.

    Raises
    ------
    UsageError
        Raised by every method if an option is invalid, or the key does not allow the request.
    ArchiveError
        Raised by every method if the service cannot be reached, or cannot answer.

    Examples
    --------
    ::

        with Client("http://127.0.0.1:8000", key="homing_...") as client:
            for hit in client.search("suspect.jpg", k=5):
                print(hit.id, hit.similarity, hit.is_copy)
            client.release(["a.jpg", "b.jpg"], psnr=44, prefix="news")
    """

    def __enter__(self) -> "Client":
        """Return the client."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close its connections."""
        self.close()


class AsyncClient(Operations, Awaited):
    """The same for asyncio: methods are awaited, and those that yield are for ``async for``.

    Requests are sent in threads of the client's own, as many at once as `connections`. One whose
    task is cancelled is not waited for, but finished.

    Parameters and errors are those of :class:`Client`.

    Examples
    --------
    ::

        async with AsyncClient("http://127.0.0.1:8000", key="homing_...") as client:
            answers = await asyncio.gather(*(client.search(path) for path in paths))
            async for entry in client.entries(prefix="news"):
                print(entry.id, entry.psnr)
    """

    async def __aenter__(self) -> "AsyncClient":
        """Return the client."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close its connections."""
        self.close()
