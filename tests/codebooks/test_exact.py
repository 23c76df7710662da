"""Nearest rows and linear maps that do not depend on the other vectors."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from homing.codebooks.exact import linear, nearest, nearest_several, squared_norms

VALUES = st.floats(-4, 4, width=32).map(lambda value: round(value * 4) / 4)  # ties are common


def _matrix(rows: st.SearchStrategy[int], width: int) -> st.SearchStrategy[np.ndarray]:
    shape = rows.map(lambda count: (count, width))
    return shape.flatmap(lambda s: hnp.arrays(np.float32, s, elements=VALUES))


@given(_matrix(st.integers(1, 20), 5), _matrix(st.integers(1, 12), 5))
def test_nearest_is_the_first_of_the_exactly_nearest(x: np.ndarray, table: np.ndarray) -> None:
    # Quarters below 4 have exact squares and sums in double precision, so ties are real ones.
    distances = ((x[:, None].astype(np.float64) - table) ** 2).sum(axis=2)
    np.testing.assert_array_equal(nearest(x, table, squared_norms(table)), distances.argmin(axis=1))


@given(_matrix(st.integers(1, 20), 5), _matrix(st.integers(1, 12), 5), st.integers(1, 12))
def test_the_nearest_several_come_in_their_order(x: np.ndarray, table: np.ndarray, k: int) -> None:
    distances = ((x[:, None].astype(np.float64) - table) ** 2).sum(axis=2)
    several, norms = min(k, len(table)), squared_norms(table)
    expected = distances.argsort(axis=1, kind="stable")[:, :several]
    found = nearest_several(x, table, norms, several)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(found[:, 0], nearest(x, table, norms))
    np.testing.assert_array_equal(found[-1:], nearest_several(x[-1:], table, norms, several))


def test_nearest_decides_what_single_precision_cannot() -> None:
    generator = np.random.default_rng(0)
    x = generator.standard_normal((200, 64)).astype(np.float32)
    centre = 30 * generator.standard_normal(64).astype(np.float32)
    table = (centre + 1e-5 * generator.standard_normal((50, 64))).astype(np.float32)
    distances = ((x[:, None].astype(np.float64) - table) ** 2).sum(axis=2)
    scores = (table**2).sum(axis=1) - 2 * x @ table.T
    assert (scores.argmin(axis=1) != distances.argmin(axis=1)).any()  # the product alone errs
    np.testing.assert_array_equal(nearest(x, table, squared_norms(table)), distances.argmin(axis=1))


@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_a_row_does_not_depend_on_its_companions(seed: int, count: int) -> None:
    generator = np.random.default_rng(seed)
    x = generator.standard_normal((count, 48)).astype(np.float32)
    table = generator.standard_normal((33, 48)).astype(np.float32)
    table[7] = table[3]  # a real tie
    bias = generator.standard_normal(33).astype(np.float32)
    norms = squared_norms(table)
    one_by_one = [x[i : i + 1] for i in range(count)]
    together = nearest(x, table, norms)
    np.testing.assert_array_equal(
        together, np.concatenate([nearest(row, table, norms) for row in one_by_one])
    )
    assert not (together == 7).any()
    np.testing.assert_array_equal(
        linear(x, table, bias), np.concatenate([linear(row, table, bias) for row in one_by_one])
    )


def test_linear_is_correctly_rounded() -> None:
    generator = np.random.default_rng(1)
    x = generator.standard_normal((300, 40)).astype(np.float32)
    matrix = generator.standard_normal((30, 40)).astype(np.float32)
    # Sums that end near the middle of two float32 values, where a last bit decides.
    matrix[0] = 0
    matrix[0, :2] = 1
    x[:, 0] = 1
    x[:, 1] = np.float32(2.0**-24)
    wide = np.array([[np.longdouble(a) @ np.longdouble(b) for b in matrix] for a in x])
    np.testing.assert_array_equal(linear(x, matrix), wide.astype(np.float32))
