"""Partitions: steps forwards and back, and several linear steps as one."""

import numpy as np
import pytest

from homing.codebooks import train_codebook
from homing.codebooks.partition import Linear, Normalised, Partition, joined
from tests.helpers.vectors import clustered_unit_vectors, unit_vectors


def matrix(rows: int, columns: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((rows, columns)).astype(np.float32)


def orthonormal(rows: int, columns: int, seed: int) -> np.ndarray:
    return np.linalg.qr(matrix(columns, columns, seed))[0][:rows].astype(np.float32)


def test_steps_are_done_in_order_and_undone() -> None:
    steps = (Linear(matrix(8, 8, 0), matrix(1, 8, 1)[0]), Linear(orthonormal(8, 8, 2)))
    partition = Partition(steps)
    vectors = unit_vectors(20, 0, 8)
    expected = (vectors @ steps[0].matrix.T + steps[0].bias) @ steps[1].matrix.T
    np.testing.assert_allclose(partition.apply(vectors), expected, atol=1e-5)
    np.testing.assert_allclose(partition.undo(partition.apply(vectors)), vectors, atol=1e-4)
    assert not partition.keeps_lengths
    assert Partition(steps[1:]).keeps_lengths
    assert Partition().keeps_lengths


def test_a_reduction_is_undone_as_far_as_it_goes() -> None:
    for step in (Linear(orthonormal(3, 8, 0)), Linear(matrix(3, 8, 0), matrix(1, 3, 1)[0])):
        vectors = unit_vectors(5, 0, 8)
        back = step.undo(step.apply(vectors))
        np.testing.assert_allclose(step.apply(back), step.apply(vectors), atol=1e-4)


def test_normalised_leaves_zero() -> None:
    found = Normalised().apply(np.array([[3, 4], [0, 0]], np.float32))
    np.testing.assert_allclose(found, [[0.6, 0.8], [0, 0]], atol=1e-7)
    assert not Partition((Normalised(),)).keeps_lengths


def test_linear_steps_are_joined_and_others_are_not() -> None:
    first, second = Linear(matrix(6, 8, 0), matrix(1, 6, 1)[0]), Linear(matrix(4, 6, 2))
    vectors = unit_vectors(20, 0, 8)
    one = joined((first, second))
    assert one is not None
    expected = Partition((first, second)).apply(vectors)
    np.testing.assert_allclose(one.apply(vectors), expected, atol=1e-5)
    assert joined(()) is None
    assert joined((first, Normalised())) is None
    bare = joined((second, Linear(orthonormal(4, 4, 3))))
    assert bare is not None
    assert bare.bias is None


@pytest.mark.parametrize("form", ["IVF16,Flat", "OPQ4,IVF16,PQ4x8", "PCA20,LSH", "PQ4x8"])
def test_a_codebooks_partition_is_what_it_does(form: str) -> None:
    codebook = train_codebook(clustered_unit_vectors(600, 1), form)
    vectors = clustered_unit_vectors(100, 2)
    partition = codebook.partition
    np.testing.assert_array_equal(partition.apply(vectors), codebook.inner(vectors))
    assert partition.signs == (form == "PCA20,LSH")
    assert (partition.centroids is None) == ("IVF" not in form)
    assert codebook.aims_at_code == ("PQ" in form)
    if partition.centroids is not None:
        scores = partition.apply(vectors) @ partition.centroids.T
        scores -= np.square(partition.centroids).sum(axis=1) / 2
        np.testing.assert_array_equal(scores.argmax(axis=1), codebook.cells(vectors))
