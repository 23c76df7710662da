"""Cosines of stored vectors, read where they lie."""

import numpy as np
import pytest

from homing.search.products import HALF, Rows, widen


def in_runs(vectors: np.ndarray, lengths: list[int]) -> tuple[Rows, list[np.ndarray]]:
    """Lay vectors out in several pieces of memory, at uneven places."""
    starts = np.cumsum([0, *lengths[:-1]])
    pieces = []
    addresses = []
    for number, (start, length) in enumerate(zip(starts, lengths, strict=True)):
        piece = np.zeros(number + vectors.shape[1] * length, np.float16)
        piece[number:] = vectors[start : start + length].ravel()
        pieces.append(piece)
        addresses.append(piece.ctypes.data + HALF * (number - vectors.shape[1] * start))
    return Rows(starts, np.array(addresses), len(vectors), vectors.shape[1]), pieces


@pytest.mark.parametrize("lengths", [[50], [20, 1, 29]])
@pytest.mark.parametrize("dimension", [3, 192, 256])
def test_cosines_of_rows(lengths: list[int], dimension: int) -> None:
    generator = np.random.default_rng(dimension)
    vectors = generator.standard_normal((50, dimension))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)
    queries = vectors[generator.permutation(50)[:7]].astype(np.float32)
    rows, held = in_runs(vectors, lengths)
    positions = generator.integers(-1, 50, (7, 33))
    positions[0] = np.arange(33)
    found = rows.cosines(queries, positions)
    expected = np.einsum("ncd,nd->nc", vectors[positions].astype(np.float64), queries)
    present = positions >= 0
    np.testing.assert_allclose(found[present], expected.clip(-1, 1)[present], atol=1e-6)
    assert (found[~present] == -np.inf).all()
    same = np.repeat(positions[:, :1], 20, axis=1)  # the last bits do not depend on the place
    assert (rows.cosines(queries, same) == found[:, :1]).all()
    assert len(held) == len(lengths)


def test_no_rows_beyond_the_last_are_read() -> None:
    rows, _ = in_runs(np.ones((4, 8), np.float16), [4])
    with pytest.raises(IndexError, match="no position 4 among 4"):
        rows.cosines(np.ones((1, 8), np.float32), np.array([[0, 4]]))


def test_nothing_to_compare() -> None:
    rows, _ = in_runs(np.ones((4, 8), np.float16), [4])
    assert rows.cosines(np.ones((0, 8), np.float32), np.zeros((0, 5), np.int64)).shape == (0, 5)


def test_halves_are_widened_exactly() -> None:
    halves = np.arange(2**16, dtype=np.uint16).view(np.float16)
    halves = halves[np.isfinite(halves)]
    widened = widen(halves)
    assert widened.dtype == np.float32
    assert np.array_equal(widened.view(np.int32), halves.astype(np.float32).view(np.int32))
