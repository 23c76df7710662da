"""Queries of several clients described in one pass of the network and looked for together."""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from types import TracebackType

from homing.archive.query.queries import DescribedQuery, describe_views
from homing.archive.results import Hit
from homing.descriptors import Descriptor
from homing.descriptors.workers import network_pool
from homing.options import SearchOptions
from homing.search.views import View

Answer = Callable[[Sequence[DescribedQuery], SearchOptions], Sequence[tuple[Hit, ...]]]


@dataclass(frozen=True)
class Answered:
    """A query as described, and its hits."""

    looked: DescribedQuery
    hits: tuple[Hit, ...]


@dataclass(frozen=True, eq=False)
class _Query:
    asked: SearchOptions
    views: Sequence[View] = ()
    looked: DescribedQuery | None = None  # of a query that came as a vector
    future: "Future[Answered]" = field(default_factory=Future)


class Batcher(AbstractContextManager["Batcher"]):
    """Collects queries for a moment, and answers them together.

    Parameters
    ----------
    descriptor : Descriptor
    answer : callable
        Finds the hits of several queries that were asked alike.
    most : int
        Views that one pass takes.
    wait : float
        Seconds that the first query of a batch waits for others.
    on_batch : callable or None
        Called with the number of queries of each batch.
    """

    def __init__(
        self,
        descriptor: Descriptor,
        answer: Answer,
        *,
        most: int,
        wait: float,
        on_batch: Callable[[int], None] | None = None,
    ) -> None:
        self._descriptor = descriptor
        self._answer = answer
        self._most = most
        self._wait = wait
        self._on_batch = on_batch
        self._queue: queue.SimpleQueue[_Query | None] = queue.SimpleQueue()
        self._collecting = threading.Lock()
        self._answering = threading.Lock()
        self._open = ExitStack()

    def __enter__(self) -> "Batcher":
        """Start the threads that run the network."""
        pool, count = self._open.enter_context(network_pool())
        for _ in range(count):
            pool.submit(self._work)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Answer what has been asked, and end."""
        self._queue.put(None)
        self._open.close()

    def ask(self, views: Sequence[View], asked: SearchOptions) -> "Future[Answered]":
        """Look for a picture, of which the views are given."""
        return self._put(_Query(asked, views=views))

    def ask_vector(self, looked: DescribedQuery, asked: SearchOptions) -> "Future[Answered]":
        """Look for a query that is described already."""
        return self._put(_Query(asked, looked=looked))

    def __len__(self) -> int:
        """Count the queries that wait."""
        return self._queue.qsize()

    def _put(self, query: _Query) -> "Future[Answered]":
        self._queue.put(query)
        return query.future

    def _work(self) -> None:
        while batch := self._collect():
            try:
                self._do(batch)
            except Exception as error:  # noqa: BLE001 - raised where the answers are awaited
                for query in batch:
                    if not query.future.done():
                        query.future.set_exception(error)

    def _collect(self) -> list[_Query]:
        """Take the queries of a batch, one thread at a time; none at the end."""
        batch: list[_Query] = []
        views, until = 0, 0.0
        with self._collecting:
            while views < self._most:
                try:
                    left = max(0.0, until - time.monotonic()) if batch else None
                    query = self._queue.get(timeout=left)
                except queue.Empty:
                    break
                if query is None:
                    self._queue.put(None)  # for the next thread
                    break
                until = until or time.monotonic() + self._wait
                batch.append(query)
                views += len(query.views)
        return batch

    def _do(self, batch: Sequence[_Query]) -> None:
        if self._on_batch is not None:
            self._on_batch(len(batch))
        to_see = [query for query in batch if query.looked is None]
        count = sum(len(query.views) for query in to_see)
        # The smallest of a few sizes: a pass costs what it holds, filled or not.
        size = min(self._most, 1 << max(0, count - 1).bit_length())
        seen = iter(
            describe_views(
                self._descriptor, [query.views for query in to_see], batch=size, pad=True
            )
        )
        looked = [query.looked or next(seen) for query in batch]
        for asked in dict.fromkeys(query.asked for query in batch):
            alike = [n for n, query in enumerate(batch) if query.asked == asked]
            with self._answering:
                found = self._answer([looked[n] for n in alike], asked)
            for n, hits in zip(alike, found, strict=True):
                batch[n].future.set_result(Answered(looked[n], hits))
