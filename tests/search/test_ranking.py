"""Exact similarities, and rankings by them."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from homing.search.ranking import rank, similarities


def units(generator: np.random.Generator, *shape: int) -> np.ndarray:
    vectors = generator.standard_normal(shape)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


@settings(max_examples=60, deadline=None)
@given(
    queries=st.integers(0, 6),
    candidates=st.integers(1, 9),
    dimension=st.integers(1, 40),
    seed=st.integers(0, 2**20),
)
def test_similarities_are_cosines(queries: int, candidates: int, dimension: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    vectors = units(generator, queries, dimension).astype(np.float32)
    stored = units(generator, queries, candidates, dimension).astype(np.float16)
    positions = generator.integers(-1, 50, (queries, candidates))
    found = similarities(vectors, stored, positions)
    assert found.shape == (queries, candidates)
    assert found.dtype == np.float32
    expected = (stored.astype(np.float64) * vectors[:, None].astype(np.float64)).sum(2)
    present = positions >= 0
    np.testing.assert_allclose(found[present], expected.clip(-1, 1)[present], atol=1e-5)
    assert (found[~present] == -np.inf).all()
    assert (np.abs(found[present]) <= 1).all()


def test_a_vector_and_itself() -> None:
    vectors = units(np.random.default_rng(0), 200, 256)
    found = similarities(
        vectors.astype(np.float32), vectors[:, None].astype(np.float16), np.zeros((200, 1), int)
    )
    assert found.max() <= 1  # half precision would exceed 1
    assert found.min() > 0.998


def test_equal_vectors_are_equally_similar_wherever_they_stand() -> None:
    generator = np.random.default_rng(4)
    for dimension in (7, 192, 256):
        queries = units(generator, 20, dimension).astype(np.float32)
        one = units(generator, 20, 1, dimension).astype(np.float16)
        stored = np.repeat(one, 67, axis=1)
        found = similarities(queries, stored, np.zeros((20, 67), int))
        assert (found == found[:, :1]).all()
        assert (rank(found, 10) == np.arange(10)).all()  # so that ties keep their order


@settings(max_examples=80, deadline=None)
@given(
    similarity=npst.arrays(
        np.float32,
        npst.array_shapes(min_dims=2, max_dims=2, max_side=12),
        elements=st.sampled_from([-np.inf, -1.0, -0.25, 0.0, 0.5, 0.5000001, 1.0]),
    ),
    k=st.integers(1, 15),
)
def test_rank_is_a_stable_sort_downwards(similarity: np.ndarray, k: int) -> None:
    order = rank(similarity, k)
    assert order.shape == (len(similarity), min(k, similarity.shape[1]))
    for row, places in zip(similarity, order, strict=True):
        expected = sorted(range(len(row)), key=lambda place: (-row[place], place))
        assert places.tolist() == expected[:k]


def test_absent_candidates_come_last() -> None:
    similarity = np.array([[-np.inf, 0.2, -np.inf, 0.9, -1.0]], np.float32)
    assert rank(similarity, 5).tolist() == [[3, 1, 4, 0, 2]]
