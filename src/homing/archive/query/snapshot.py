"""Snapshots: one version of an archive's table, ready to be searched by one of the engines."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from homing import options
from homing.archive.codebooks import CodebookFiles
from homing.archive.hits import Hit, Hits, RecordedPicture
from homing.archive.query.engines import check_engine, choose_engine, open_engine
from homing.archive.query.verdict import Verdict
from homing.archive.table.table import Table
from homing.archive.table.versions import translate_errors
from homing.codebooks import Codebook
from homing.options import SearchOptions
from homing.search.engines.combined import NEAR, NEAR_STAGES, Probes, Stage
from homing.search.engines.deadline import Deadline, Partial
from homing.search.ranking import rank, similarities_among
from homing.search.surroundings import NEIGHBOURS, Surroundings, surroundings

_log = logging.getLogger(__name__)

_VECTORS_AT_ONCE = 8192  # fetched and widened: bounds memory for any number of queries

# Around each vector that is fetched from a mapped file the system maps up to 64 KiB.
_LEAN_AT_ONCE = 1024

_T = TypeVar("_T")


@dataclass(frozen=True)
class VectorMatches:
    """Entries found for each of n queries, most similar first, as arrays.

    Attributes
    ----------
    ids : array (n, k), object
        Ids of the entries; None where fewer than k were found.
    similarity : array (n, k), float32
        Cosine to the stored vector, in [−1, 1]; −inf where nothing was found.
    code_distance : array (n, k), float32
        Distance to the entry's code.
    positions : array (n, k), int64
        Number of the entry in the snapshot; −1 where nothing was found.
    cells_searched : array (n,), int64
        Number of cells that each query visited, over all generations.
    partial : Partial or None
        Part of the archive that the answer leaves out, if a deadline was given; None if all of it
        was searched.
    among : array (n, m, m), float32, or None
        Cosine of the first m entries found to each other, if wanted.
    """

    ids: NDArray[np.object_]
    similarity: NDArray[np.float32]
    code_distance: NDArray[np.float32]
    positions: NDArray[np.int64]
    cells_searched: NDArray[np.int64]
    partial: Partial | None = None
    among: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        """Count the queries."""
        return len(self.positions)

    def surroundings(self, background: NDArray[np.float32]) -> Surroundings | None:
        """Return what surrounds the first entries found, from similarities (n, b) to others."""
        if self.among is None:
            return None
        return surroundings(self.similarity[:, : self.among.shape[1]], self.among, background)


@dataclass(frozen=True, eq=False)
class QueryHits:
    """Entries found for one query, best first, each once.

    Similarity and distance are those of the view that resembles the entry most.
    """

    positions: NDArray[np.int64]  # (m,), number of each entry in the snapshot
    similarity: NDArray[np.float32]  # (m,)
    code_distance: NDArray[np.float32]  # (m,)
    views: Sequence[str]  # m names of the best views
    view_count: int  # number of views of the query
    partial: Partial | None = None  # as in VectorMatches
    cells_searched: int | None = None  # as in Hits
    surroundings: Surroundings | None = None  # if wanted

    def with_earlier(self, earlier: "QueryHits", k: int, *, by_code: bool) -> "QueryHits":
        """Return the best `k` of these and of an earlier, less thorough search."""
        both = QueryHits(
            np.concatenate([self.positions, earlier.positions]),
            np.concatenate([self.similarity, earlier.similarity]),
            np.concatenate([self.code_distance, earlier.code_distance]),
            (*self.views, *earlier.views),
            self.view_count,
            self.partial,
            self.cells_searched,
            _joined(self.surroundings, earlier.surroundings),
        )
        return both.best(k, by_code=by_code)

    def best(self, k: int, *, by_code: bool) -> "QueryHits":
        """Return at most `k` of the hits, each entry once, by similarity or by code distance."""
        order = np.argsort(self.code_distance if by_code else -self.similarity, kind="stable")
        order = order[self.positions[order] >= 0]
        _, first = np.unique(self.positions[order], return_index=True)
        order = order[np.sort(first)][:k]
        return replace(
            self,
            positions=self.positions[order],
            similarity=self.similarity[order],
            code_distance=self.code_distance[order],
            views=tuple(self.views[place] for place in order),
            surroundings=None if self.surroundings is None else self.surroundings.take(order),
        )


def _joined(first: Surroundings | None, second: Surroundings | None) -> Surroundings | None:
    return None if first is None or second is None else Surroundings.joined([first, second])


class Snapshot:
    """One version of a table of entries, searched by one engine.

    `engine` is "memory", which holds codes and ids, or "lance", which reads them in place.
    """

    def __init__(
        self, table: Table, codebooks: Codebook | Sequence[Codebook], engine: str = "memory"
    ) -> None:
        self.version = table.version
        books = [codebooks] if isinstance(codebooks, Codebook) else codebooks
        self._lean = engine == "lance"
        self._engine, self._entries, self._vectors = open_engine(table, books, engine)

    def __len__(self) -> int:
        """Count the entries."""
        return len(self._engine)

    def probes(self, wanted: options.Probes = None) -> Probes:
        """Return the cells to visit in each generation; None: the automatic number."""
        if wanted is None:
            return self._engine.automatic_probes()
        return NEAR if wanted == "near" else wanted

    def stages(self, wanted: options.Probes) -> tuple[Stage, ...]:
        """Return the stages of a search that ends once it has found enough."""
        if wanted is None:
            return self._engine.stages()
        return NEAR_STAGES if wanted == "near" else (Stage(wanted),)

    def search(
        self,
        queries: NDArray[np.float32],
        *,
        k: int,
        probes: Probes,
        rerank: int,
        deadline: Deadline | None = None,
        among: bool = False,
    ) -> VectorMatches:
        """Find the `k` nearest entries of each query; `queries` is (n, D) of unit length.

        Of each generation `probes` cells are visited, and the `rerank` nearest codes are ordered
        again by exact similarity; 0 leaves the order of the codes. With a deadline, parts of the
        archive that are unreadable or late are left out, but vectors of entries found are waited
        for. With `among`, at least :data:`NEIGHBOURS` entries are found, and compared.
        """
        k = max(k, NEIGHBOURS) if among else k
        visited = self._engine.visited(queries, probes)
        positions, distances = self._engine.search(
            queries, candidates=max(k, rerank), visited=visited, deadline=deadline
        )
        if rerank == 0:
            positions, distances = positions[:, :k], distances[:, :k]
        similarity, order, crowd = self._compare(queries, positions, k if rerank else None, among)
        if order is not None:
            best = np.arange(len(order))[:, None], order
            positions, distances, similarity = positions[best], distances[best], similarity[best]
        partial = None if deadline is None else deadline.partial
        cells, ids = visited.sum(axis=1), self._entries.ids(positions)
        return VectorMatches(ids, similarity, distances, positions, cells, partial, crowd)

    def _compare(
        self, queries: NDArray[np.float32], positions: NDArray[np.int64], k: int | None, among: bool
    ) -> tuple[NDArray[np.float32], NDArray[np.int64] | None, NDArray[np.float32] | None]:
        """Return the similarities of candidates, the order of the `k` best, and their own ones."""
        count = positions.shape[1]
        found = np.empty(positions.shape, dtype=np.float32)
        order = None if k is None else np.empty((len(queries), min(k, count)), np.int64)
        width = min(NEIGHBOURS, count)
        crowd = np.empty((len(queries), width, width), np.float32) if among else None
        step = max(1, (_LEAN_AT_ONCE if self._lean else _VECTORS_AT_ONCE) // count)
        for first in range(0, len(queries), step):
            part = slice(first, first + step)
            found[part] = self._vectors.similarities(queries[part], positions[part])
            if order is not None:
                order[part] = rank(found[part], order.shape[1])
            if crowd is not None:
                first_ones = positions[part, :width]
                if order is not None:
                    first_ones = np.take_along_axis(positions[part], order[part, :width], axis=1)
                crowd[part] = similarities_among(self._vectors.take(first_ones))
            if self._lean:
                self._vectors.release_memory()
        return found, order, crowd

    def vectors(self, positions: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the vectors of some entries, of unit length."""
        vectors = self._vectors.take(positions).astype(np.float32)
        unit: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit

    def neighbours(
        self, positions: NDArray[np.int64], *, k: int, probes: Probes, among: bool = False
    ) -> VectorMatches:
        """Find the `k` nearest entries of each of these entries, usually including itself."""
        vectors, rerank = self.vectors(positions), SearchOptions.rerank
        return self.search(vectors, k=k, probes=probes, rerank=rerank, among=among)

    def ids_and_states(self, positions: Sequence[int]) -> list[tuple[str, str]]:
        """Return the id and state of each of some entries."""
        return self._entries.ids_and_states(np.asarray(positions, dtype=np.int64))

    def pictures(self, positions: NDArray[np.int64]) -> list[RecordedPicture]:
        """Return what is recorded of the pictures of some entries, in one read."""
        return self._entries.pictures(positions)

    def best_views(
        self,
        matches: VectorMatches,
        rows: slice,
        views: Sequence[str],
        *,
        k: int | None = None,
        by_code: bool = False,
        around: Surroundings | None = None,
    ) -> QueryHits:
        """Combine the matches of one query's views, which are `rows` of the matches.

        The best `k` hits, or as many as one view has, are ordered by similarity, or by the distance
        to the codes; among equal ones the first view counts. `around` is of all matches.
        """
        wide = matches.positions.shape[1]
        found = QueryHits(
            matches.positions[rows].ravel(),
            matches.similarity[rows].ravel(),
            matches.code_distance[rows].ravel(),
            [view for view in views for _ in range(wide)],
            len(views),
            matches.partial,
            int(matches.cells_searched[rows].max(initial=0)),
            surroundings=None if around is None else around.rows(rows, wide),
        )
        return found.best(k or wide, by_code=by_code)

    def hits(self, hits: QueryHits, verdicts: Sequence[Verdict] | None = None) -> Hits:
        """Return hits with the facts and metadata of their entries, and the verdict on each."""
        entries = self._entries.describe(hits.positions)
        several = self._engine.has_several_generations
        found = (
            Hit(
                id=entry.id,
                similarity=float(hits.similarity[place]),
                view=hits.views[place],
                cell=entry.cell,
                generation=entry.generation if several else None,
                code_distance=float(hits.code_distance[place]),
                state=entry.state,
                metadata=entry.metadata,
                **vars(Verdict() if verdicts is None else verdicts[place]),
            )
            for place, entry in enumerate(entries)
        )
        return Hits(found, hits.partial, hits.cells_searched, self._engine.cell_count)


class CurrentSnapshot:
    """The snapshot of a table's newest version, replaced once there is a newer one."""

    def __init__(self, table: Table, codebooks: CodebookFiles, engine: str) -> None:
        self._engine = check_engine(engine)
        self._table = table
        self._codebooks = codebooks
        self._snapshot: Snapshot | None = None

    def snapshot(self) -> Snapshot:
        """Return the newest version's snapshot; loads its codes if necessary."""
        self._table.refresh()
        if self._snapshot is None or self._snapshot.version != self._table.version:
            with translate_errors(self._table.path):
                books = self._codebooks.read(self._table)
                engine = choose_engine(self._engine, self._table, books)
                self._snapshot = Snapshot(self._table, books, engine)
            _log.debug(
                "%s: %d entries of version %d for the %s engine",
                self._table.path,
                len(self._snapshot),
                self._table.version,
                engine,
            )
        return self._snapshot

    def run(self, query: Callable[[Snapshot], _T]) -> _T:
        """Run a query on one snapshot, since positions mean nothing in the next one.

        If its files are removed meanwhile, the query starts again on a newer one.
        """
        return self._table.retry(lambda: query(self.snapshot()))
