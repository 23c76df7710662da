"""What the routes call: one archive with its model in memory, and the parts around it."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path, PurePath
from types import TracebackType
from typing import Any, TypeVar

import numpy as np

from homing.archive import Archive, Row, SearchResult, open_archive
from homing.archive.query.answers import MOST_CONFIRMED
from homing.archive.query.explain import cell_of
from homing.archive.query.queries import DescribedQuery
from homing.archive.results import Hit
from homing.errors import EntryNotFoundError, PictureError, UsageError
from homing.images import SHOWS_NOTHING
from homing.options import UPRIGHT, SearchOptions
from homing.serve.access.guard import Guard
from homing.serve.access.keys import KeyRing
from homing.serve.http.log import Log
from homing.serve.http.metrics import Metrics
from homing.serve.http.uploads import Upload
from homing.serve.jobs.uploads import Publishing
from homing.serve.kept_searches import Kept
from homing.serve.models import without_confirming
from homing.serve.settings import Settings
from homing.serve.tasks.decode import Compare, Confirm, Decoders, Look, Shrink
from homing.serve.tasks.query_batches import Answered, Batcher

_T = TypeVar("_T")

_THUMBNAIL = 320  # pixels
_NOT_AT_HAND = "the service does not have its file, or has another one in its place"


class Service(AbstractContextManager["Service"]):
    """An archive as served; a context manager, within which it can be asked.

    Attributes
    ----------
    settings : Settings
    archive : Archive
        For reading, by :meth:`reading` alone: an archive is not for two threads at once.
    guard : Guard
    metrics : Metrics
    log : Log
    keys : KeyRing
    kept : Kept
    decoders : Decoders
    batcher : Batcher
    publishing : Publishing
        Pictures going in.
    """

    def __init__(self, settings: Settings, metrics: Metrics, log: Log) -> None:
        self.metrics = metrics
        self.log = log
        self.settings = settings
        self.keys = KeyRing(settings.folder)
        self.guard = Guard(settings, self.keys)
        self.kept = Kept(settings.folder / "kept", settings.kept)
        self.archive = open_archive(
            settings.archive, device=settings.device, engine=settings.engine
        )
        self._reading = threading.Lock()
        self._searched = self._another_archive()
        self.decoders = Decoders(settings.workers, settings.memory, settings.seconds)
        self.batcher = Batcher(
            self.archive.descriptor,
            self._searched.answer,
            most=settings.batch,
            wait=settings.wait,
            on_batch=metrics.batch,
        )
        # As many pictures in memory at once as can be worked on, and some that come next.
        self._in_memory = asyncio.Semaphore(2 * settings.workers)
        self.publishing = Publishing(settings, self.decoders, self._in_memory, log)
        self._open = ExitStack()

    def __enter__(self) -> "Service":
        """Start the parts."""
        self._searched.warm()
        self.metrics.watch("homing_queries_waiting", "Queries waiting.", self.batcher.__len__)
        jobs = self.publishing.jobs
        self.metrics.watch("homing_releases_waiting", "Releases waiting.", jobs.__len__)
        self._open.enter_context(self.decoders)
        self._open.enter_context(self.batcher)
        self._open.enter_context(self.publishing)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End them."""
        self._open.__exit__(kind, error, trace)

    def _another_archive(self) -> Archive:
        """Open the archive once more, for another thread; the descriptor is the same."""
        return open_archive(
            self.settings.archive,
            descriptor=self.archive.descriptor,
            device=self.settings.device,
            engine=self.settings.engine,
        )

    @property
    def name(self) -> str:
        """What clients know the archive by: the last part of its place."""
        return PurePath(self.settings.archive.rstrip("/")).name

    @property
    def descriptor_name(self) -> str:
        """What clients know its descriptor by; one's own is recorded by its path."""
        return PurePath(self.archive.settings.descriptor).name

    async def reading(self, question: Callable[[Archive], _T]) -> _T:
        """Ask the archive something that takes no network."""

        def ask() -> _T:
            with self._reading:
                return question(self.archive)

        return await asyncio.to_thread(ask)

    async def search(self, upload: Upload, asked: SearchOptions) -> SearchResult:
        """Search for a picture.

        Raises
        ------
        PictureError
            It cannot be read.
        """
        start = time.perf_counter()
        answered = await self._answered(upload, asked)
        hits = answered.hits
        if asked.confirm and hits:
            hits = await self._confirmed(upload, hits, asked)
        note = None if answered.looked.views else SHOWS_NOTHING
        return SearchResult(upload.name, time.perf_counter() - start, hits, note=note)

    async def search_vector(self, vector: Sequence[float], asked: SearchOptions) -> SearchResult:
        """Search with a descriptor; it is brought to unit length.

        Raises
        ------
        UsageError
            It is of another length than the archive's, zero, or to be confirmed.
        """
        start = time.perf_counter()
        values = np.asarray(vector, np.float64)
        dimension = self.archive.settings.dimension
        largest = float(np.abs(values).max(initial=0))
        if values.shape != (dimension,) or not 0 < largest < np.inf:
            raise UsageError(
                f"expected {dimension} finite numbers that are not all zero, not {len(values)}"
            )
        if asked.confirm or asked.views != UPRIGHT:
            raise UsageError("a vector has no picture to be confirmed or turned; send the picture")
        values /= largest  # first, so that no square is beyond what a number can hold
        unit = (values / np.linalg.norm(values)).astype(np.float32)
        looked = DescribedQuery((UPRIGHT,), unit[None])
        answered = await asyncio.wrap_future(self.batcher.ask_vector(looked, asked))
        return SearchResult("the vector", time.perf_counter() - start, answered.hits)

    async def search_each(
        self, uploads: Sequence[Upload], asked: SearchOptions
    ) -> AsyncIterator[SearchResult]:
        """Search for several pictures; results come in their order, a bad one gives its reason."""

        async def one(upload: Upload) -> SearchResult:
            try:
                return await self.search(upload, asked)
            except PictureError as error:
                return SearchResult(upload.name, reason=str(error))

        waiting: list[asyncio.Task[SearchResult]] = []
        try:
            for upload in uploads:
                waiting.append(asyncio.create_task(one(upload)))
                if len(waiting) > 2 * self.settings.batch:
                    yield await waiting.pop(0)
            while waiting:
                yield await waiting.pop(0)
        finally:
            for task in waiting:
                task.cancel()

    async def explain(
        self,
        upload: Upload,
        *,
        id: str | None = None,  # noqa: A002 - the column's name
        views: str = "all",
        rate: float = SearchOptions.rate,
    ) -> dict[str, Any]:
        """Show why a picture is, or is not, taken for a copy of the best hit, or of an entry.

        Returns
        -------
        dict
            What :meth:`homing.serve.tasks.decode.Compare.do` returns.

        Raises
        ------
        PictureError
            It cannot be read.
        EntryNotFoundError
            There is no such entry, or it is not among what was found.
        """
        k = 1 if id is None else 1000
        settings = self.settings
        asked = SearchOptions(
            k=k, views=views, rate=rate, files=settings.files, limits=settings.limits
        )
        answered = await self._answered(upload, asked)
        hit = next((hit for hit in answered.hits if id in (None, hit.id)), None)
        if id is not None and hit is None:
            await self.entry(id)  # says so if there is none
            raise EntryNotFoundError(
                f"the entry {id!r} is not among the {k} most alike; the two are no copies"
            )
        place = None if hit is None else await self.place(hit.id)
        cell = cell_of(answered.looked, hit, self.archive.codebooks)
        async with self._in_memory:
            task = Compare(
                upload.name,
                await upload.read(),
                answered.looked,
                hit,
                cell,
                place,
                settings.limits,
            )
            return await self.decoders.run(task)

    async def entry(self, id: str) -> Row:  # noqa: A002 - the column's name
        """Return the row of an id.

        Raises
        ------
        EntryNotFoundError
        """
        try:
            return await self.reading(lambda archive: archive.entry(id))
        except EntryNotFoundError as error:  # whose message is for those who run the service
            raise EntryNotFoundError(f"there is no entry {id[:200]!r}; look at the id") from error

    async def place(self, id: str) -> Path | str:  # noqa: A002 - the column's name
        """File of an entry, by its checksum the one recorded; or why there is none at hand.

        Where it was looked for is nothing that clients are told.
        """
        folders = self.settings.files
        place = await self.reading(lambda archive: archive.sources(folders).find(id))
        return place if isinstance(place, Path) else _NOT_AT_HAND

    async def thumbnail(self, source: Path | bytes) -> bytes:
        """Make a small JPEG of a picture, up to 320 pixels a side."""
        async with self._in_memory:
            return await self.decoders.run(Shrink(source, _THUMBNAIL, self.settings.limits))

    async def _answered(self, upload: Upload, asked: SearchOptions) -> Answered:
        """Describe a picture and look for it; nothing is confirmed."""
        async with self._in_memory:
            data = await upload.read()
            size = self.archive.descriptor.input_size
            views = await self.decoders.run(Look(data, size, asked.views, asked.limits))
        plain = without_confirming(asked)
        return await asyncio.wrap_future(self.batcher.ask(views, plain))

    async def _confirmed(
        self, upload: Upload, hits: tuple[Hit, ...], asked: SearchOptions
    ) -> tuple[Hit, ...]:
        best = [hit.id for hit in hits[:MOST_CONFIRMED]]
        places = await self.reading(lambda archive: archive.sources(asked.folders).places(best))
        async with self._in_memory:
            data = await upload.read()
            return await self.decoders.run(Confirm(data, hits, places, asked.limits))

    async def statistics(self) -> dict[str, Any]:
        """Figures of the archive, and of the service under "server"."""
        figures = await self.reading(lambda archive: archive.stats())
        figures |= {"archive": self.name, "descriptor": self.descriptor_name}
        waiting = {"queries": len(self.batcher), "releases": len(self.publishing.jobs)}
        return figures | {"server": {**self.metrics.figures(), "waiting": waiting}}
