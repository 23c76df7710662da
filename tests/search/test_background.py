"""The vectors that ship: of the bundled descriptor alone, small, and of many kinds."""

import numpy as np
from safetensors import safe_open

from homing.descriptors import load_descriptor
from homing.search import background
from homing.search.background import load_background, nearest_background


def test_they_are_of_the_bundled_descriptor_and_of_no_other() -> None:
    fingerprint = load_descriptor("homing-s").fingerprint
    vectors = load_background(fingerprint, 256)
    assert 1000 <= len(vectors) <= 2500
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert not vectors.flags.writeable
    assert load_background("another", 192).shape == (0, 192)


def test_the_file_is_small_and_says_what_it_holds() -> None:
    assert background._FILE.stat().st_size <= 600_000
    with safe_open(background._FILE, framework="numpy") as file:
        assert "not pictures" in file.metadata()["source"]
        assert int(file.metadata()["photographs"]) + int(file.metadata()["generated"]) == len(
            file.get_tensor("vectors")
        )


def test_photographs_among_them_resemble_each_other_no_more_than_others_do() -> None:
    vectors = load_background(load_descriptor("homing-s").fingerprint, 256)[:1000]
    alike = vectors @ vectors.T
    np.fill_diagonal(alike, -1)
    assert alike.max() < 0.91
    assert 0.6 < np.median(alike.max(axis=1)) < 0.8


def test_the_nearest_are_returned_and_no_more_than_there_are() -> None:
    vectors = load_background(load_descriptor("homing-s").fingerprint, 256)
    nearest = nearest_background(vectors[:3], vectors, 5)
    assert nearest.shape == (3, 5)
    np.testing.assert_allclose(nearest.max(axis=1), 1, atol=1e-5)
    assert nearest_background(vectors[:3], vectors[:2], 5).shape == (3, 2)
