"""Codebooks: cells, codes, reconstructions, targets, and checks of arguments."""

import copy
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homing.codebooks import Codebook, train_codebook
from homing.errors import CodebookError

Trained = Callable[[str], Codebook]
FORMS = (
    "IVF16,Flat",
    "IVF16,PQ4x8",
    "OPQ4,IVF16,PQ4x8",
    "OPQ4,PQ4x8",
    "PCA20,LSH",
    "IVF16,SQ8",
    "IVF16,PQ8x4fs",
    "OPQ8,IVF16,PQ8x4fsr",
    "RR32,IVF16,RaBitQ",
)


@settings(max_examples=60, deadline=None)
@given(form=st.sampled_from(FORMS), start=st.integers(0, 600), count=st.integers(1, 80))
def test_results_do_not_depend_on_the_batch(
    trained: Trained, vectors: np.ndarray, form: str, start: int, count: int
) -> None:
    codebook = trained(form)
    part = slice(start, start + count)
    cells, codes = codebook.encode_with_cells(vectors)
    np.testing.assert_array_equal(codebook.cells(vectors[part]), cells[part])
    np.testing.assert_array_equal(codebook.encode(vectors[part]), codes[part])
    np.testing.assert_array_equal(codebook.target(vectors[part]), codebook.target(vectors)[part])
    np.testing.assert_array_equal(
        codebook.decode(cells[part], codes[part]), codebook.decode(cells, codes)[part]
    )


def test_shapes_and_types(codebook: Codebook, vectors: np.ndarray) -> None:
    cells, codes = codebook.encode_with_cells(vectors)
    assert (cells.dtype, cells.shape) == (np.int32, (len(vectors),))
    assert (codes.dtype, codes.shape) == (np.uint8, (len(vectors), codebook.code_size))
    assert cells.min() >= 0
    assert cells.max() < codebook.cell_count
    np.testing.assert_array_equal(codebook.encode(vectors, cells), codes)
    for result in (codebook.decode(cells, codes), codebook.target(vectors)):
        assert (result.dtype, result.shape) == (np.float32, vectors.shape)
        assert result.flags.writeable
    for empty in (codebook.cells(vectors[:0]), codebook.target(vectors[:0])):
        assert len(empty) == 0


def test_decoding_agrees_with_faiss(codebook: Codebook, vectors: np.ndarray) -> None:
    index = codebook.index()
    theirs = index.sa_encode(vectors)
    cells, codes = codebook.encode_with_cells(vectors)
    np.testing.assert_array_equal(theirs[:, -codebook.code_size :], codes)
    if codebook.factory.cells:
        np.testing.assert_array_equal(theirs[:, 0], cells)
    difference = np.abs(index.sa_decode(theirs) - codebook.decode(cells, codes)).max()
    turned = "rotation" in codebook.arrays  # here the order of Faiss's sums matters
    assert difference <= (1e-6 if turned else 0)


@pytest.mark.parametrize("form", ["IVF16,Flat", "PQ4x8", "OPQ4,PQ4x8", "PCA20,LSH", "LSH"])
def test_encoding_what_was_decoded_changes_nothing(
    trained: Trained, vectors: np.ndarray, form: str
) -> None:
    codebook = trained(form)
    cells, codes = codebook.encode_with_cells(vectors)
    again = codebook.encode(codebook.decode(cells, codes), cells)
    np.testing.assert_array_equal(again, codes)


@pytest.mark.parametrize("form", ["IVF16,PQ4x8", "OPQ4,IVF16,PQ4x8"])
def test_residual_codes_decode_within_their_cell(
    trained: Trained, vectors: np.ndarray, form: str
) -> None:
    codebook = trained(form)
    cells, codes = codebook.encode_with_cells(vectors)
    decoded = codebook.decode(cells, codes)
    np.testing.assert_array_equal(codebook.encode(decoded, cells), codes)


@pytest.mark.parametrize(
    "form", ["IVF16,PQ4x8", "OPQ4,IVF16,PQ4x8", "PQ4x8", "OPQ4,PQ4x8", "OPQ8,IVF16,PQ8x4fsr"]
)
def test_target_of_a_product_quantizer_is_the_reconstruction(
    trained: Trained, vectors: np.ndarray, form: str
) -> None:
    codebook = trained(form)
    target = codebook.target(vectors)
    np.testing.assert_array_equal(target, codebook.decode(*codebook.encode_with_cells(vectors)))
    assert np.square(target - vectors).sum(axis=1).mean() < 0.5  # in the vectors' own space


@pytest.mark.parametrize("form", ["IVF16,Flat", "IVF16,SQ8", "IVF16,PQ8x4fs", "IVF16,RaBitQ"])
def test_target_of_fine_codes_is_the_centroid(
    trained: Trained, vectors: np.ndarray, form: str
) -> None:
    codebook = trained(form)
    np.testing.assert_array_equal(
        codebook.target(vectors), codebook.arrays["coarse"][codebook.cells(vectors)]
    )


@pytest.mark.parametrize("form", ["PCA20,LSH", "LSH"])
def test_target_of_signs_moves_every_projection_off_its_border(
    trained: Trained, vectors: np.ndarray, form: str
) -> None:
    codebook = trained(form)
    target = codebook.target(vectors)
    np.testing.assert_allclose(np.linalg.norm(target, axis=1), 1, atol=1e-6)
    matrix = codebook.arrays.get("rotation", np.eye(32, dtype=np.float32))
    before = vectors @ matrix.T + codebook.arrays.get("rotation_bias", np.float32(0))
    after = before + 0.1 * target @ matrix.T
    signs = np.where(before >= 0, 1, -1)
    assert ((after - before) * signs > 0).all()


def test_cells_are_the_nearest_centroids(trained: Trained, vectors: np.ndarray) -> None:
    codebook = trained("IVF16,PQ4x8")
    distances = ((vectors[:, None] - codebook.arrays["coarse"]) ** 2).sum(axis=2)
    np.testing.assert_array_equal(codebook.cells(vectors), distances.argmin(axis=1))


def test_fingerprint_covers_everything_that_affects_results(trained: Trained) -> None:
    codebook = trained("IVF16,PQ4x8")
    arrays = dict(codebook.arrays)
    seen = {codebook.fingerprint}
    for name, array in arrays.items():
        changed = array.copy()
        changed.flat[-1] = np.nextafter(changed.flat[-1], np.float32(9))
        seen.add(Codebook(codebook.factory, 32, arrays | {name: changed}, "ab" * 32).fingerprint)
    seen.add(Codebook(codebook.factory, 32, arrays, "cd" * 32).fingerprint)
    seen.add(Codebook(codebook.factory, 32, arrays).fingerprint)
    assert len(seen) == len(arrays) + 3
    renamed = Codebook(codebook.factory, 32, arrays, "ab" * 32, "another name")
    assert renamed == codebook
    assert hash(renamed) == hash(codebook)


def test_lengths_distinguish_codebooks_without_arrays() -> None:
    short = train_codebook(np.eye(8, dtype=np.float32), "LSH")
    long = train_codebook(np.eye(16, dtype=np.float32), "LSH")
    assert not short.arrays
    assert short != long


def test_a_codebook_is_frozen(codebook: Codebook) -> None:
    with pytest.raises(AttributeError):
        codebook.dimension = 3  # type: ignore[misc]
    for array in codebook.arrays.values():
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


def test_a_codebook_keeps_its_own_copy(trained: Trained) -> None:
    codebook = trained("IVF16,Flat")
    arrays = {name: array.copy() for name, array in codebook.arrays.items()}
    made = Codebook(codebook.factory, 32, arrays, codebook.descriptor)
    arrays["coarse"][:] = 0
    assert made == codebook


def test_a_codebook_can_be_sent_to_another_process(codebook: Codebook) -> None:
    assert copy.deepcopy(codebook) == codebook


@pytest.mark.parametrize(
    "bad",
    [
        np.full((2, 32), np.nan),
        np.full((2, 32), np.inf),
        np.full((2, 32), 1e300),
        np.zeros((2, 31)),
        np.zeros(32),
        np.zeros((2, 32), complex),
        np.full((2, 32), "a"),
    ],
    ids=["nan", "infinite", "huge", "length", "one-dimensional", "complex", "text"],
)
def test_bad_vectors_are_refused(codebook: Codebook, bad: np.ndarray) -> None:
    for method in (codebook.cells, codebook.encode, codebook.target, codebook.encode_with_cells):
        with pytest.raises(CodebookError):
            method(bad)


def test_the_row_of_a_bad_vector_is_named(trained: Trained, vectors: np.ndarray) -> None:
    bad = vectors[:5].copy()
    bad[3, 2] = np.nan
    with pytest.raises(CodebookError, match=r"1 of 5 vectors .*the first is row 3"):
        trained("PQ4x8").encode(bad)


def test_cells_and_codes_that_cannot_be_are_refused(trained: Trained, vectors: np.ndarray) -> None:
    codebook = trained("IVF16,PQ4x8")
    cells, codes = codebook.encode_with_cells(vectors[:3])
    for wrong in ([0, 0, 16], [-1, 0, 0], [0, 0], [0.0, 0.0, 0.0], [[0], [0], [0]]):
        with pytest.raises(CodebookError):
            codebook.decode(wrong, codes)
        with pytest.raises(CodebookError):
            codebook.index(wrong, codes)
        with pytest.raises(CodebookError):
            codebook.encode(vectors[:3], wrong)
    for wrong in (codes[:, :3], codes.astype(np.int32), codes[0]):
        with pytest.raises(CodebookError):
            codebook.index(cells, wrong)
    with pytest.raises(CodebookError, match="without codes"):
        codebook.index(cells)
    with pytest.raises(CodebookError, match="pass those of the codes"):
        codebook.index(None, codes)


def test_arrays_of_another_codebook_are_refused(trained: Trained) -> None:
    codebook = trained("IVF16,PQ4x8")
    arrays = dict(codebook.arrays)
    with pytest.raises(CodebookError, match="made of arrays"):
        Codebook(codebook.factory, 32, {"coarse": arrays["coarse"]})
    with pytest.raises(CodebookError, match="NaN"):
        Codebook(codebook.factory, 32, arrays | {"coarse": arrays["coarse"] * np.nan})
