"""Exact search: every query against every entry, without a quantizer."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from homing.bench.statistics.measures import Places

Vectors = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]
_PADDING = -2  # of lists of right entries; Faiss returns -1
_BLOCK_BYTES = 100 << 20  # of similarities at a time


@dataclass(frozen=True, eq=False)
class ExactHits:
    """Results of exact search for queries that have a right answer; arrays (n,)."""

    nearest: Rows  # row of the most similar entry, any among equals
    similarity: Vectors  # of the nearest entry
    right: Vectors  # similarity of the best right entry
    places: Places  # of the best right entry; near duplicates are right
    strict: Places  # of the picture itself; near duplicates are wrong


def pad_rows(right: Sequence[Rows]) -> Rows:
    """Put lists of right entries, the picture itself first, into one array, (n, w)."""
    width = max((len(rows) for rows in right), default=1)
    found = np.full((len(right), width), _PADDING, np.int64)
    for query, rows in enumerate(right):
        found[query, : len(rows)] = rows
    return found


def search_exact(
    queries: Vectors,
    base: Vectors,
    right: Sequence[Rows],
    progress: Callable[[int], None] | None = None,
) -> ExactHits:
    """Search for queries, (n, d), whose right entries of the base, (m, d), are known.

    `right` has for each query at least one row, the picture itself first. `progress` is called with
    the number of queries done since the last call.
    """
    padded = pad_rows(right)
    parts = []
    for first, block in similarity_blocks(queries, base):
        parts.append(_search_block(block, padded[first : first + len(block)]))
        if progress is not None:
            progress(len(block))
    if not parts:
        none, nothing = np.empty(0, np.int64), np.empty(0, np.float32)
        return ExactHits(none, nothing, nothing, *[Places(none, none, none)] * 2)
    columns = [np.concatenate(each) for each in zip(*parts, strict=True)]
    top, best, found, *places = columns
    return ExactHits(top, best, found, Places(*places[:3]), Places(*places[3:]))


def _search_block(
    block: Vectors, rows: Rows
) -> tuple[Rows, Vectors, Vectors, Rows, Rows, Rows, Rows, Rows, Rows]:
    found = np.take_along_axis(block, np.maximum(rows, 0), axis=1)
    found[rows < 0] = -np.inf
    top = block.argmax(axis=1)
    best = np.take_along_axis(block, top[:, None], axis=1)[:, 0]
    return (
        top, best, found.max(axis=1), *_places(block, found), *_places(block, found[:, :1])
    )  # fmt: skip


def _places(block: Vectors, found: Vectors) -> tuple[Rows, Rows, Rows]:
    wanted = found.max(axis=1, keepdims=True)
    greater = np.count_nonzero(block > wanted, axis=1)
    equal = np.count_nonzero(block == wanted, axis=1)
    return greater, equal, np.count_nonzero(found == wanted, axis=1)


def nearest_entries(
    queries: Vectors, base: Vectors, k: int, generator: np.random.Generator
) -> tuple[Rows, Vectors]:
    """Find the `k` most similar entries of each query: rows and similarities, (n, min(k, m)).

    Equal entries are chosen at random, so that no place in the base is favoured.
    """
    shuffled = generator.permutation(len(base))
    k = min(k, len(base))
    rows = np.empty((len(queries), k), np.int64)
    similarities = np.empty((len(queries), k), np.float32)
    if not k:
        return rows, similarities
    for first, block in similarity_blocks(queries, base[shuffled]):
        some = np.argpartition(block, len(base) - k, axis=1)[:, len(base) - k :]
        values = np.take_along_axis(block, some, axis=1)
        order = np.argsort(-values, axis=1, kind="stable")
        here = slice(first, first + len(block))
        rows[here] = shuffled[np.take_along_axis(some, order, axis=1)]
        similarities[here] = np.take_along_axis(values, order, axis=1)
    return rows, similarities


def similarity_blocks(queries: Vectors, base: Vectors) -> Iterator[tuple[int, Vectors]]:
    """Yield the number of a first query, and the inner products of some queries with all entries.

    The caller may change a block.
    """
    size = max(1, _BLOCK_BYTES // (4 * max(1, len(base))))
    for first in range(0, len(queries), size):
        yield first, queries[first : first + size] @ base.T
