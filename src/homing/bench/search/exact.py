"""Exact search: every query against every entry, with no quantizer between."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from homing.bench.statistics.measures import Places

Vectors = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]
_BLOCK_BYTES = 100 << 20  # of similarities at a time


@dataclass(frozen=True, eq=False)
class Answers:
    """What exact search says to queries that have a right answer.

    Attributes
    ----------
    nearest : ndarray, shape (n,), int64
        The most similar entry, any of them among equals.
    similarity : ndarray, shape (n,), float32
        Its similarity.
    right : ndarray, shape (n,), float32
        Similarity of the best right entry.
    places : Places
        Of the best right entry, twins being right.
    strict : Places
        Of the picture itself, twins being wrong.
    """

    nearest: Rows
    similarity: Vectors
    right: Vectors
    places: Places
    strict: Places


def answer(
    queries: Vectors,
    base: Vectors,
    right: Sequence[Rows],
    progress: Callable[[int], None] | None = None,
) -> Answers:
    """Search for queries whose right entries are known.

    Parameters
    ----------
    queries : ndarray, shape (n, d), float32
    base : ndarray, shape (m, d), float32
        Unit vectors, as the queries.
    right : sequence of ndarray of int64
        For each query the rows that are right, the picture itself first; at least one.
    progress : callable, optional
        Called with the number of queries done since the last call.

    Returns
    -------
    Answers
    """
    width = max((len(rows) for rows in right), default=1)
    padded = np.full((len(right), width), -1, np.int64)
    for query, rows in enumerate(right):
        padded[query, : len(rows)] = rows
    parts = []
    for first, block in similarity_blocks(queries, base):
        parts.append(_answer_block(block, padded[first : first + len(block)]))
        if progress is not None:
            progress(len(block))
    if not parts:
        none, nothing = np.empty(0, np.int64), np.empty(0, np.float32)
        return Answers(none, nothing, nothing, *[Places(none, none, none)] * 2)
    columns = [np.concatenate(each) for each in zip(*parts, strict=True)]
    top, best, found, *places = columns
    return Answers(top, best, found, Places(*places[:3]), Places(*places[3:]))


def _answer_block(
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


def nearest(
    queries: Vectors, base: Vectors, k: int, generator: np.random.Generator
) -> tuple[Rows, Vectors]:
    """Find the `k` most similar entries of each query.

    Which of equal entries come in is drawn, so that no place in the base is favoured.

    Parameters
    ----------
    queries : ndarray, shape (n, d), float32
    base : ndarray, shape (m, d), float32
    k : int
        If the base is smaller, all of it is returned.
    generator : numpy.random.Generator

    Returns
    -------
    rows : ndarray, shape (n, min(k, m)), int64
        Most similar first.
    similarities : ndarray, shape (n, min(k, m)), float32
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
    """Yield inner products of some queries with all entries, and the first query's number.

    Parameters
    ----------
    queries : ndarray, shape (n, d), float32
    base : ndarray, shape (m, d), float32

    Yields
    ------
    first : int
    block : ndarray, shape (some, m), float32
        The caller's own.
    """
    size = max(1, _BLOCK_BYTES // (4 * max(1, len(base))))
    for first in range(0, len(queries), size):
        yield first, queries[first : first + size] @ base.T
