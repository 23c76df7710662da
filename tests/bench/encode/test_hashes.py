"""Perceptual hashes, as bits and as vectors for exact search."""

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from homing.bench.encode.hashes import HASHES, hash_of, hash_vectors


def photograph():
    import skimage.data

    return Image.fromarray(skimage.data.astronaut())


@pytest.mark.parametrize("name", sorted(HASHES))
def test_products_of_hash_vectors_are_hamming_distances_exactly(name):
    bits = HASHES[name]
    codes = np.random.default_rng(0).integers(0, 256, (20, bits // 8), dtype=np.uint8)
    vectors = hash_vectors(codes)
    assert vectors.dtype == np.float32
    flags = np.unpackbits(codes, axis=1)
    hamming = (flags[:, None] != flags).sum(axis=2)
    assert (vectors @ vectors.T == 1 - 2 * hamming / bits).all()


@pytest.mark.parametrize("name", sorted(HASHES))
def test_a_hash_stays_near_under_a_mild_edit_and_far_from_another_picture(name, make_noise):
    image = photograph()
    mild = ImageEnhance.Brightness(image.resize((300, 300))).enhance(0.9)
    codes = np.stack([hash_of(name, each) for each in (image, mild, make_noise(0))])
    assert codes.shape == (3, HASHES[name] // 8)
    similar = hash_vectors(codes) @ hash_vectors(codes).T
    assert similar[0, 1] > 0.85
    assert similar[0, 2] < 0.5


def test_hashes_are_those_of_their_packages():
    import imagehash
    import pdqhash

    image = photograph()
    for name, function in (("pHash", imagehash.phash), ("dHash", imagehash.dhash)):
        assert hash_of(name, image).tobytes().hex() == str(function(image))
    bits, _ = pdqhash.compute(np.asarray(image))
    assert (np.unpackbits(hash_of("PDQ", image)) == bits).all()
