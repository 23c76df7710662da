"""Cells near a vector."""

import numpy as np
import pytest

import homing
from homing.codebooks.exact import squared_norms
from homing.codebooks.near_cells import count_near, spacing_of


def scene(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, 12)).astype(np.float32)


@pytest.mark.parametrize("most", [1, 3, 40, 1000])
def test_those_within_the_margin_are_counted(most):
    vectors, centroids = scene(500, 0), scene(40, 1)
    distances = np.square(vectors[:, None].astype(np.float64) - centroids).sum(axis=2)
    expected = (distances <= distances.min(axis=1, keepdims=True) + 3).sum(axis=1)
    found = count_near(vectors, centroids, squared_norms(centroids), 3.0, most)
    np.testing.assert_array_equal(found, np.minimum(expected, most))


def test_a_centroid_is_near_itself_alone_and_the_middle_of_two_near_both():
    centroids = scene(40, 1)
    norms, margin = squared_norms(centroids), 0.3 * spacing_of(centroids)
    alone = count_near(centroids, centroids, norms, margin, 40)
    assert (alone == 1).mean() > 0.9
    gaps = np.square(centroids[1:] - centroids[0]).sum(axis=1)
    middle = (centroids[:1] + centroids[1:][gaps.argmin()]) / 2
    assert count_near(middle, centroids, norms, margin, 40)[0] >= 2


def test_spacing_grows_with_the_square_of_the_scale():
    centroids = scene(300, 1)
    assert spacing_of(centroids) > 0
    assert spacing_of(3 * centroids) == pytest.approx(9 * spacing_of(centroids), rel=1e-5)
    assert spacing_of(centroids[:1]) == 0


def test_vectors_are_counted_alone_as_together():
    vectors, centroids = scene(3000, 2), scene(1000, 3)
    norms = squared_norms(centroids)
    together = count_near(vectors, centroids, norms, 1.5, 16)
    alone = [count_near(v[None], centroids, norms, 1.5, 16)[0] for v in vectors[:200]]
    assert (together[:200] == alone).mean() > 0.99  # but for the rounding of the last bits
    assert 1 < together.mean() < 16


def test_a_codebook_counts_in_its_own_space_and_one_without_cells_has_one():
    codebook = homing.load_codebook("homing-s-OPQ16-IVF1024-PQ16x8")
    vectors = np.random.default_rng(0).standard_normal((50, 256)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    assert codebook.count_near_cells(vectors, 0.5, 16).max() > 1
    assert (codebook.count_near_cells(vectors, 0.5, 1) == 1).all()
    decoded = codebook.decode(np.arange(1024), np.zeros((1024, 16), np.uint8))
    assert (codebook.count_near_cells(decoded, 0.5, 16) >= 1).all()
    for several in (1, 3):
        nearest = codebook.nearest_cells(vectors, several)
        assert nearest.shape == (50, several)
        assert nearest[:, 0].tolist() == codebook.cells(vectors).tolist()
    flat = homing.train_codebook(scene(2000, 4), "PQ4x8")
    assert flat.nearest_cells(scene(9, 5), 3).tolist() == [[0]] * 9
    assert (flat.count_near_cells(scene(9, 5), 0.5, 16) == 1).all()
