"""The service behind the routes: one archive with its model in memory, and the parts around it."""

import asyncio
import dataclasses
import hashlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path, PurePath
from typing import Any, TypeVar

import numpy as np
from fastapi import Request

from homing.archive import Archive, Row, SearchResult, open_archive
from homing.archive.decisions.kept import KeptDecision
from homing.archive.decisions.query import DecidedQuery
from homing.archive.decisions.relevant import RelevantDecisions
from homing.archive.hits import Hits, RecordedPicture
from homing.archive.query.cells import cells_of, codebook_of
from homing.archive.query.confirm import HitPicture
from homing.archive.query.confirmer import hit_pictures, panel_options
from homing.archive.query.explain import cell_of
from homing.archive.query.queries import DescribedQuery
from homing.errors import ArchiveError, EntryNotFoundError, PictureError, UsageError
from homing.images import SHOWS_NOTHING
from homing.images.preview import read_as_preview
from homing.options import PREVIEW_SIDE, UPRIGHT, SearchOptions
from homing.search.views import query_views
from homing.serve.access.guard import Guard
from homing.serve.access.keys import KeyRing
from homing.serve.access.slots import Slots
from homing.serve.http.log import Log
from homing.serve.http.metrics import Metrics
from homing.serve.http.uploads import Upload
from homing.serve.jobs.releases import Releases
from homing.serve.models.queries import CellsQuery
from homing.serve.settings import Settings
from homing.serve.shared_archive import SharedArchive
from homing.serve.tasks.decode import (
    Decoders,
    apply_decisions,
    compare,
    confirm_query,
    confirm_within,
    make_thumbnail,
)
from homing.serve.tasks.query_batches import BatchAnswer, QueryBatcher
from homing.serve.tasks.turns import Turns
from homing.serve.token_folders import SavedSearches

_T = TypeVar("_T")

_THUMBNAIL = 320  # pixels
_FURTHEST = 1000  # hits among which an entry to compare is looked for
_MOMENT = 1.0  # seconds
_NO_PREVIEW = "its preview is missing or damaged"
_NO_FILE = "the service does not have its file, or has another one in its place"


class Service(AbstractContextManager["Service"]):
    """An archive as it is served, while the context lasts."""

    def __init__(self, settings: Settings, metrics: Metrics, log: Log) -> None:
        self.metrics = metrics
        self.log = log
        self.settings = settings
        self.guard = Guard(settings, KeyRing(settings.folder))
        self.slots = Slots(settings.requests, 2 * settings.most_bytes)
        self.saved_searches = SavedSearches.of(settings.folder, settings.saved_searches)
        connect = partial(
            open_archive, settings.archive, device=settings.device, engine=settings.engine
        )
        # Opened three times, so that neither waits for another: the batcher searches in the second,
        # and the third reads all rows for their manifests.
        self.archive = SharedArchive(connect())
        self._searched = SharedArchive(connect(descriptor=self.archive.descriptor))
        self.manifests = SharedArchive(connect(descriptor=self.archive.descriptor))
        # One more than a client may use.
        self.decoders = Decoders(settings.workers + 1, settings.memory, settings.seconds)
        self._turns = Turns(settings.workers + 1)
        self.batcher = QueryBatcher(
            self.archive.descriptor,
            self._find_hits,
            most=settings.batch,
            wait=settings.wait,
            on_batch=metrics.count_batch,
        )
        self.releases = Releases(settings, self.decoders, self._turns, log)
        self._checking, self._checked, self._well = asyncio.Lock(), float("-inf"), False
        self._open = ExitStack()

    def __enter__(self) -> "Service":
        self._searched.call(Archive.warm)
        self.metrics.add_gauge("homing_queries_waiting", "Queries waiting.", self.batcher.__len__)
        jobs = self.releases.jobs
        self.metrics.add_gauge("homing_releases_waiting", "Releases waiting.", jobs.__len__)
        for part in (self.decoders, self.batcher, self.releases):
            self._open.enter_context(part)
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    @property
    def name(self) -> str:
        """The archive's name for clients: the last part of its place."""
        return PurePath(self.settings.archive.rstrip("/")).name

    @property
    def descriptor_name(self) -> str:
        """The descriptor's name for clients, without a path."""
        return PurePath(self.archive.settings.descriptor).name

    async def call_archive(self, function: Callable[[Archive], _T]) -> _T:
        """Call a function that needs no network with the archive, in a thread."""
        return await self.archive.call_in_thread(function)

    async def is_well(self) -> bool:
        """Return whether the archive can be read, or could be a moment ago.

        Anybody may ask, so that it is not looked up for each.
        """
        async with self._checking:
            if time.monotonic() - self._checked > _MOMENT:
                try:
                    await self.call_archive(lambda archive: archive.versions())
                    self._well = True
                except ArchiveError:
                    self._well = False
                self._checked = time.monotonic()
            return self._well

    def _find_hits(
        self, queries: Sequence[DescribedQuery], options: SearchOptions
    ) -> Sequence[Hits]:
        return self._searched.call(lambda archive: archive.answer_unconfirmed(queries, options))

    async def search(self, upload: Upload, options: SearchOptions) -> SearchResult:
        """Search for a picture; `PictureError` if it cannot be read."""
        start = time.perf_counter()
        found = await self._find(upload, options)
        hits = found.hits
        if options.confirm and hits:
            hits = await self._confirm(upload, found.query, hits, options)
        seconds = time.perf_counter() - start
        return SearchResult.of(upload.name, seconds, hits, found.query.note)

    async def cells(self, upload: Upload, query: CellsQuery) -> tuple[int, ...]:
        """Return the cells of a picture; `UsageError` if there is no such generation."""
        number = query.generation
        codebook = await self.call_archive(lambda archive: codebook_of(archive.codebooks, number))
        options = SearchOptions(k=1, views=query.views, limits=self.settings.limits)
        described = (await self._find(upload, options)).query
        return cells_of(codebook, described.vectors, query.probes)

    async def search_vector(self, vector: Sequence[float], options: SearchOptions) -> SearchResult:
        """Search with a descriptor, which is scaled to unit length.

        `UsageError` if it is zero or of another length than the archive's, or if the options need a
        picture.
        """
        start = time.perf_counter()
        values = np.asarray(vector, np.float64)
        dimension = self.archive.settings.dimension
        largest = float(np.abs(values).max(initial=0))
        if values.shape != (dimension,) or not 0 < largest < np.inf:
            raise UsageError(
                f"expected {dimension} finite numbers that are not all zero, not {len(values)}"
            )
        if options.views != UPRIGHT:
            raise UsageError("a vector has no picture to be turned; send the picture")
        options = dataclasses.replace(options, confirm=False)  # there is no picture to compare
        values /= largest  # first, so that no square overflows
        unit = (values / np.linalg.norm(values)).astype(np.float32)
        query = DescribedQuery((UPRIGHT,), unit[None])
        found = await asyncio.wrap_future(self.batcher.submit(options, query=query))
        return SearchResult.of("the vector", time.perf_counter() - start, found.hits)

    async def search_each(
        self, uploads: Sequence[Upload], options: SearchOptions
    ) -> AsyncIterator[SearchResult]:
        """Search for several pictures; results come in order, with the reason for an unread one."""

        async def search(upload: Upload) -> SearchResult:
            try:
                return await self.search(upload, options)
            except PictureError as error:
                return SearchResult(upload.name, reason=str(error))

        waiting: list[asyncio.Task[SearchResult]] = []
        try:
            for upload in uploads:
                waiting.append(asyncio.create_task(search(upload)))
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
        """Return the evidence for a picture being a copy of the best hit, or of an entry.

        The object is that of `tasks.decode.compare`. `PictureError` if the picture cannot be read,
        `EntryNotFoundError` if the entry does not exist or is not among the hits.
        """
        files, limits = self.settings.files, self.settings.limits
        options = SearchOptions(views=views, rate=rate, files=files, limits=limits)
        found = await self._find(upload, options)
        hits = found.hits
        if hits:
            hits = await self._confirm(upload, found.query, hits, options)
        if id is not None:
            hits = _only(id, hits) or await self._hit_of(id, upload, options)
        picture = (await self._pictures([hits], options))[hits[0].id] if hits else ""
        codebooks = await self.call_archive(lambda archive: archive.codebooks)
        cell = cell_of(found.query, hits[0] if hits else None, codebooks)
        async with self._turns.take():
            data = await upload.read()
            task = partial(compare, upload.name, data, found.query, hits, picture, cell, limits)
            return await self.decoders.run(task)

    async def _hit_of(self, id: str, upload: Upload, options: SearchOptions) -> Hits:  # noqa: A002
        """Return an entry as a hit of a query, compared with it."""
        row = await self.entry(id)  # raises if it does not exist
        found = await self._find(upload, dataclasses.replace(options, k=_FURTHEST, confirm=False))
        hits = [hit for hit in found.hits if hit.id == id]
        if not hits:
            raise EntryNotFoundError(
                f"the entry {id!r} is not among the {_FURTHEST} most alike; the two are no copies"
            )
        recorded = RecordedPicture(
            row.preview, row.source_sha256, row.file_sha256, row.width, row.height
        )
        alone = found.hits.replaced(hits, {id: recorded})
        return _only(id, await self._confirm(upload, found.query, alone, options))

    async def decide(
        self,
        upload: Upload,
        id: str,  # noqa: A002 - the column's name
        *,
        copy: bool,
        by: str,
    ) -> KeptDecision:
        """Keep a decision on a picture and an entry, whose rows and errors are as for `entry`."""
        await self.entry(id)
        limits = self.settings.limits
        found = await self._find(upload, SearchOptions(k=1, limits=limits))
        if not found.query.views:
            raise PictureError(SHOWS_NOTHING)
        async with self._turns.take():
            data = await upload.read()
            task = partial(read_as_preview, data, PREVIEW_SIDE, limits=limits)
            preview = await self.decoders.run(task)

        def keep(archive: Archive) -> KeptDecision:
            digest, vector = hashlib.sha256(data).digest(), found.query.vectors[0]
            query = DecidedQuery(upload.name, digest, vector, preview)
            return archive.keep_decision(query, id, copy=copy, by=by)

        return await self.call_archive(keep)

    async def entry(self, id: str) -> Row:  # noqa: A002 - the column's name
        """Return the row of an id, or raise `EntryNotFoundError`."""
        try:
            return await self.call_archive(lambda archive: archive.entry(id))
        except EntryNotFoundError as error:  # whose message is for those who run the service
            raise EntryNotFoundError(f"there is no entry {id[:200]!r}; check the id") from error

    async def picture_file(self, id: str) -> Path | str:  # noqa: A002 - the column's name
        """Return an entry's file if its checksum is the one recorded, or why there is none.

        The reason names no path, since clients see it.
        """
        folders = self.settings.files
        place = await self.call_archive(lambda archive: archive.sources(folders).find(id))
        return place if isinstance(place, Path) else _NO_FILE

    async def thumbnail(self, source: Path | bytes) -> bytes:
        """Return a small JPEG of a picture, up to 320 pixels a side."""
        async with self._turns.take():
            task = partial(make_thumbnail, source, _THUMBNAIL, self.settings.limits)
            return await self.decoders.run(task)

    async def _find(self, upload: Upload, options: SearchOptions) -> BatchAnswer:
        """Describe a picture and search for it, without confirming the hits."""
        async with self._turns.take():
            data = await upload.read()
            size = self.archive.descriptor.input_size
            task = partial(query_views, data, size, options.views, limits=options.limits)
            views = await self.decoders.run(task)
        return await asyncio.wrap_future(self.batcher.submit(options, views=views))

    async def _confirm(
        self, upload: Upload, query: DescribedQuery, hits: Hits, options: SearchOptions
    ) -> Hits:
        """Return the hits of a query, compared with it, and with what people decided."""
        compared = await self._compare(upload, hits, options)
        data = await upload.read()

        def relevant(archive: Archive) -> RelevantDecisions:
            return archive.relevant_decisions(compared, query, hashlib.sha256(data).digest())

        decisions = await self.call_archive(relevant)
        if not decisions:
            return compared
        async with self._turns.take():
            task = partial(apply_decisions, data, compared, decisions, options.limits)
            return await self.decoders.run(task)

    async def _compare(self, upload: Upload, hits: Hits, options: SearchOptions) -> Hits:
        """Compare a query with its hits, and the pictures within it if it is put together."""
        pictures = await self._pictures([hits], options)
        size, limits = self.archive.descriptor.input_size, options.limits
        async with self._turns.take():
            data = await upload.read()
            confirmed, within = await self.decoders.run(
                partial(confirm_query, data, hits, pictures, size, limits)
            )
        of_panel = panel_options(options)
        while within.boxes:
            found = await asyncio.gather(
                *(
                    asyncio.wrap_future(self.batcher.submit(of_panel, views=views))
                    for views in within.views
                )
            )
            answers = [each.hits for each in found]
            theirs = await self._pictures(answers, options)
            async with self._turns.take():
                data = await upload.read()
                confirmed, within = await self.decoders.run(
                    partial(confirm_within, data, confirmed, within, answers, theirs, size, limits)
                )
        return confirmed

    async def _pictures(
        self, answers: Sequence[Hits], options: SearchOptions
    ) -> dict[str, HitPicture]:
        """Return the pictures of the hits recorded of several queries, by id."""

        def pictures(archive: Archive) -> dict[str, HitPicture]:
            sources = partial(archive.sources, options.folders)
            return hit_pictures(answers, archive.preview_store, sources)

        found = await self.call_archive(pictures)
        return {id_: _NO_PREVIEW if isinstance(each, str) else each for id_, each in found.items()}

    async def statistics(self) -> dict[str, Any]:
        """Return figures of the archive, and of the service under "server"."""
        figures = await self.call_archive(lambda archive: archive.stats())
        figures |= {"archive": self.name, "descriptor": self.descriptor_name}
        waiting = {"queries": len(self.batcher), "releases": len(self.releases.jobs)}
        return figures | {"server": {**self.metrics.figures(), "waiting": waiting}}


def _only(id: str, hits: Hits) -> Hits:  # noqa: A002 - the column's name
    """Return the hit of one entry alone; none if it is not among those that were compared."""
    return hits.replaced(hit for hit in hits if hit.id == id and id in hits.recorded)


def service_of(request: Request) -> Service:
    """Return the service that a request is for."""
    service: Service = request.app.state.service
    return service
