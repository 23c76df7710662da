"""An archive as searched: one version of its record, through one of the engines."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from homing.archive.codebooks import CodebookFiles
from homing.archive.query.engines import check_engine, choose, opened
from homing.archive.results import Hit, Hits
from homing.archive.table.table import Table
from homing.archive.table.versions import translate_errors
from homing.codebooks import Codebook
from homing.options import SearchOptions
from homing.search import Deadline, Partial, Probes, rank, similarities

_VECTORS_AT_ONCE = 8192  # fetched and widened: memory stays flat however many queries come

# Around each vector that is fetched from a mapped file the system maps up to 64 KiB.
_LEAN_AT_ONCE = 1024


@dataclass(frozen=True)
class VectorMatches:
    """Entries found for each of n queries, most similar first, as arrays.

    Attributes
    ----------
    ids : array (n, k), object
        Ids of the entries; None where fewer than k were found.
    similarity : array (n, k), float32
        Cosine to the stored vector; −inf where nothing was found.
    code_distance : array (n, k), float32
        Distance to the entry's code.
    positions : array (n, k), int64
        Number of the entry in the snapshot; −1 where nothing was found.
    partial : Partial or None
        What the answers leave out, where a deadline was given; None if all entries were asked.
    """

    ids: NDArray[np.object_]
    similarity: NDArray[np.float32]
    code_distance: NDArray[np.float32]
    positions: NDArray[np.int64]
    partial: Partial | None = None

    def __len__(self) -> int:
        """Count the queries."""
        return len(self.positions)


@dataclass(frozen=True, eq=False)
class QueryHits:
    """Entries found for one query, best first, each once.

    Attributes
    ----------
    positions : array (m,), int64
        Number of each entry in the snapshot.
    similarity, code_distance : array (m,), float32
        As in :class:`VectorMatches`, for the view that resembles the entry most.
    views : tuple of m str
        Which view that is.
    looked : int
        How many views there were.
    partial : Partial or None
        As in :class:`VectorMatches`.
    """

    positions: NDArray[np.int64]
    similarity: NDArray[np.float32]
    code_distance: NDArray[np.float32]
    views: tuple[str, ...]
    looked: int
    partial: Partial | None = None

    def with_earlier(self, earlier: "QueryHits", k: int, *, by_code: bool) -> "QueryHits":
        """Add what an earlier, less thorough look has found; the best `k` of both."""
        positions = np.concatenate([self.positions, earlier.positions])
        similarity = np.concatenate([self.similarity, earlier.similarity])
        distance = np.concatenate([self.code_distance, earlier.code_distance])
        order = np.argsort(distance if by_code else -similarity, kind="stable")
        _, first = np.unique(positions[order], return_index=True)
        order = order[np.sort(first)][:k]
        views = self.views + earlier.views
        return QueryHits(
            positions[order],
            similarity[order],
            distance[order],
            tuple(views[place] for place in order),
            self.looked,
            self.partial,
        )


class Snapshot:
    """One version of a record, ready to be searched.

    Parameters
    ----------
    table : Table
    codebooks : Codebook or sequence of these
        Of its generations.
    engine : {"memory", "lance"}
        Whether codes and ids are held in memory, or read where they lie.
    """

    def __init__(
        self, table: Table, codebooks: Codebook | Sequence[Codebook], engine: str = "memory"
    ) -> None:
        self.version = table.version
        books = [codebooks] if isinstance(codebooks, Codebook) else codebooks
        self._lean = engine == "lance"
        self._engine, self._entries, self._vectors = opened(table, books, engine)

    def __len__(self) -> int:
        """Count the entries."""
        return len(self._engine)

    def automatic_probes(self) -> Probes:
        """Cells to visit in each generation when nobody says."""
        return self._engine.visited(None)

    def probe_stages(self) -> tuple[Probes, ...]:
        """Cells to visit in each generation until there is a hit to be sure of."""
        return self._engine.stages()

    def search(
        self,
        queries: NDArray[np.float32],
        *,
        k: int,
        probes: int | Probes,
        rerank: int,
        deadline: Deadline | None = None,
    ) -> VectorMatches:
        """Find the `k` nearest entries of each query.

        Parameters
        ----------
        queries : array (n, D), float32
            Unit descriptors.
        k : int
            How many entries.
        probes : int or tuple of int
            How many cells to visit in each generation.
        rerank : int
            How many of the nearest codes of each generation are ordered again by exact
            similarity; 0 keeps the order of the codes (the similarity is exact all the same).
        deadline : Deadline or None
            If given, parts of the archive that cannot be read or do not answer in time are left
            out, which `partial` says. The vectors of what was found are waited for.
        """
        positions, distances = self._engine.search(
            queries,
            candidates=max(k, rerank),
            probes=self._engine.visited(probes) if isinstance(probes, int) else probes,
            deadline=deadline,
        )
        if rerank == 0:
            positions, distances = positions[:, :k], distances[:, :k]
        similarity = self._similarities(queries, positions)
        if rerank:
            order = rank(similarity, k)
            positions = np.take_along_axis(positions, order, axis=1)
            distances = np.take_along_axis(distances, order, axis=1)
            similarity = np.take_along_axis(similarity, order, axis=1)
        partial = None if deadline is None else deadline.partial
        return VectorMatches(
            self._entries.ids(positions), similarity, distances, positions, partial
        )

    def _similarities(
        self, queries: NDArray[np.float32], positions: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        found = np.empty(positions.shape, dtype=np.float32)
        step = max(1, (_LEAN_AT_ONCE if self._lean else _VECTORS_AT_ONCE) // positions.shape[1])
        for first in range(0, len(queries), step):
            part = slice(first, first + step)
            vectors = self._vectors.take(positions[part])
            found[part] = similarities(queries[part], vectors, positions[part])
            if self._lean:
                self._vectors.release_memory()
        return found

    def neighbours(
        self, positions: NDArray[np.int64], *, k: int, probes: int | Probes
    ) -> VectorMatches:
        """Find the `k` nearest entries of each of these entries, itself mostly among them."""
        vectors = self._vectors.take(positions).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return self.search(vectors, k=k, probes=probes, rerank=SearchOptions.rerank)

    def named(self, positions: Sequence[int]) -> list[tuple[str, str]]:
        """Id and state of entries."""
        return self._entries.named(np.asarray(positions, dtype=np.int64))

    def best(
        self, matches: VectorMatches, rows: slice, views: Sequence[str], *, by_code: bool = False
    ) -> QueryHits:
        """Put together what the views of one query have found.

        Parameters
        ----------
        matches : VectorMatches
            Of all views of all queries, most similar first.
        rows : slice
            Those of the query's views.
        views : sequence of str
            What these are; among equally similar ones the first counts.
        by_code : bool
            Order by the distance to the codes.
        """
        positions = matches.positions[rows]
        similarity, distance = matches.similarity[rows], matches.code_distance[rows]
        order = np.argsort(distance if by_code else -similarity, axis=None, kind="stable")
        order = order[positions.ravel()[order] >= 0]
        _, first = np.unique(positions.ravel()[order], return_index=True)
        order = order[np.sort(first)][: positions.shape[1]]
        return QueryHits(
            positions.ravel()[order],
            similarity.ravel()[order],
            distance.ravel()[order],
            tuple(views[view] for view in order // positions.shape[1]),
            len(views),
            matches.partial,
        )

    def hits(
        self,
        found: QueryHits,
        rates: NDArray[np.float64] | None = None,
        *,
        rate: float = 0.0,
        least: float = 0.0,
    ) -> Hits:
        """Write out what was found, with what the manifest said of each entry.

        Parameters
        ----------
        found : QueryHits
        rates : array (m,) or None
            False-alarm rate of each.
        rate : float
            Up to which an entry is taken for what the query is a copy of.
        least : float
            Lower rates are told as this one.
        """
        told = self._entries.described(found.positions)
        hits = (
            Hit(
                id=entry.id,
                similarity=float(found.similarity[place]),
                view=found.views[place],
                cell=entry.cell,
                generation=entry.generation if self._engine.several else None,
                code_distance=float(found.code_distance[place]),
                state=entry.state,
                false_alarm_rate=None if rates is None else max(least, float(rates[place])),
                rate_is_bound=None if rates is None else bool(rates[place] < least),
                is_copy=None if rates is None else bool(rates[place] <= rate),
                metadata=entry.metadata,
            )
            for place, entry in enumerate(told)
        )
        return Hits(hits, found.partial)


_T = TypeVar("_T")


class Current:
    """Keeps the snapshot of the newest version, and takes another where there is a newer one.

    Parameters
    ----------
    table : Table
    codebooks : CodebookFiles
        Of its generations.
    engine : {"auto", "memory", "lance"}
        What searches.

    Raises
    ------
    UsageError
        There is no such engine.
    """

    def __init__(self, table: Table, codebooks: CodebookFiles, engine: str) -> None:
        self._engine = check_engine(engine)
        self._table = table
        self._codebooks = codebooks
        self._snapshot: Snapshot | None = None

    def snapshot(self) -> Snapshot:
        """Move on to the newest version; its codes are loaded if they are not yet."""
        self._table.refresh()
        if self._snapshot is None or self._snapshot.version != self._table.version:
            with translate_errors(self._table.path):
                books = self._codebooks.read(self._table)
                engine = choose(self._engine, self._table, books)
                self._snapshot = Snapshot(self._table, books, engine)
        return self._snapshot

    def asked(self, question: Callable[[Snapshot], _T]) -> _T:
        """Ask one snapshot, since positions mean nothing in the next one.

        Where its files are removed meanwhile, a newer one is asked from the beginning.
        """
        return self._table.retry(lambda: question(self.snapshot()))
