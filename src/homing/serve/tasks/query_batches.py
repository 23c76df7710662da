"""Batches of queries: several clients' queries described in one network pass and found together."""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field

from homing.archive.hits import Hits
from homing.archive.query.queries import DescribedQuery, describe_views
from homing.descriptors import Descriptor
from homing.descriptors.workers import network_pool
from homing.options import SearchOptions
from homing.search.views import View
from homing.serve.access.slots import CLIENT
from homing.serve.tasks.fair_queue import FairQueue

FindHits = Callable[[Sequence[DescribedQuery], SearchOptions], Sequence[Hits]]


@dataclass(frozen=True)
class BatchAnswer:
    """A query as it was described, and its hits."""

    query: DescribedQuery
    hits: Hits


@dataclass(frozen=True, eq=False)
class _PendingQuery:
    options: SearchOptions
    views: Sequence[View]
    query: DescribedQuery | None  # of a query that came as a vector
    future: "Future[BatchAnswer]" = field(default_factory=Future)


class QueryBatcher(AbstractContextManager["QueryBatcher"]):
    """Collects queries for a moment, and answers them together.

    `find` returns the hits of several queries with the same options; several threads call it. A
    batch holds at most `most` views, and its first query waits `wait` seconds for others.
    `on_batch` is called with the number of queries of each batch.
    """

    def __init__(
        self,
        descriptor: Descriptor,
        find: FindHits,
        *,
        most: int,
        wait: float,
        on_batch: Callable[[int], None] | None = None,
    ) -> None:
        self._descriptor = descriptor
        self._find = find
        self._most = most
        self._wait = wait
        self._on_batch = on_batch
        self._queue: FairQueue[_PendingQuery] = FairQueue()
        self._collecting = threading.Lock()
        self._open = ExitStack()

    def __enter__(self) -> "QueryBatcher":
        """Start the threads that run the network."""
        pool, count = self._open.enter_context(network_pool())
        for _ in range(count):
            pool.submit(self._work)
        return self

    def __exit__(self, *error: object) -> None:
        """Answer the pending queries, and end."""
        self._queue.close()
        self._open.close()

    def submit(
        self,
        options: SearchOptions,
        *,
        views: Sequence[View] = (),
        query: DescribedQuery | None = None,
    ) -> "Future[BatchAnswer]":
        """Search for a picture by its views, or for a query that is described already.

        Clients have their queries answered in rotation.
        """
        pending = _PendingQuery(options, views, query)
        self._queue.put(CLIENT.get(), pending)
        return pending.future

    def __len__(self) -> int:
        return len(self._queue)

    def _work(self) -> None:
        while batch := self._collect():
            try:
                self._answer(batch)
            except Exception as error:  # noqa: BLE001 - raised where the answers are awaited
                for pending in batch:
                    if not pending.future.done():
                        pending.future.set_exception(error)

    def _collect(self) -> list[_PendingQuery]:
        """Take the queries of a batch, one thread at a time; none at the end."""
        batch: list[_PendingQuery] = []
        views, until = 0, 0.0
        with self._collecting:
            while views < self._most:
                try:
                    left = max(0.0, until - time.monotonic()) if batch else None
                    pending = self._queue.get(timeout=left)
                except queue.Empty:
                    break
                if pending is None:
                    break
                until = until or time.monotonic() + self._wait
                batch.append(pending)
                views += len(pending.views)
        return batch

    def _answer(self, batch: Sequence[_PendingQuery]) -> None:
        if self._on_batch is not None:
            self._on_batch(len(batch))
        pictures = [pending.views for pending in batch if pending.query is None]
        count = sum(len(views) for views in pictures)
        # The smallest of a few sizes: a pass costs the same filled or not.
        size = min(self._most, 1 << max(0, count - 1).bit_length())
        described = iter(describe_views(self._descriptor, pictures, batch=size, pad=True))
        queries = [pending.query or next(described) for pending in batch]
        for options in dict.fromkeys(pending.options for pending in batch):
            alike = [n for n, pending in enumerate(batch) if pending.options == options]
            found = self._find([queries[n] for n in alike], options)
            for n, hits in zip(alike, found, strict=True):
                batch[n].future.set_result(BatchAnswer(queries[n], hits))
