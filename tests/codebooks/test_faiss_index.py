"""Faiss indexes as codebooks: cells as Faiss assigns them, and what is wrong is said."""

import warnings
from pathlib import Path

import faiss
import numpy as np
import pytest

import homing
from homing.codebooks import Codebook, FaissCodebook, codebook_from_faiss, load_codebook
from homing.codebooks.faiss_index import notes_on
from homing.errors import CodebookError
from tests.helpers.faiss_indexes import (
    DIMENSION,
    IP,
    KNOWN,
    L2,
    WITH_CELLS,
    WITH_CODES,
    behind,
    cells_by_faiss,
    trained_index,
)
from tests.helpers.vectors import clustered_unit_vectors, unit_vectors


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.sum(a * b, axis=1) / lengths


@pytest.mark.parametrize("metric", [L2, IP])
@pytest.mark.parametrize("form", WITH_CELLS)
def test_cells_are_those_that_faiss_adds_to(form: str, metric: int) -> None:
    if form.startswith("IMI") and metric == IP:
        return  # Faiss has no such index
    index = trained_index(form, metric)
    codebook = codebook_from_faiss(index)
    vectors = clustered_unit_vectors(500, 3)
    cells = codebook.cells(vectors)
    assert codebook.cell_count == behind(index).nlist
    np.testing.assert_array_equal(cells, cells_by_faiss(index, vectors))
    # One by one, and among others: the same.
    np.testing.assert_array_equal(codebook.cells(vectors[7:9]), cells[7:9])


@pytest.mark.parametrize("metric", [L2, IP])
def test_ties_go_as_faiss_has_them(metric: int) -> None:
    index = trained_index("IVF16,Flat", metric)
    centroids = index.quantizer.reconstruct_n(0, 16)
    centroids[9] = centroids[4]
    centroids[12] = centroids[4]
    index.quantizer.reset()
    index.quantizer.add(centroids)
    own = centroids[4:5] / np.linalg.norm(centroids[4])
    vectors = np.concatenate([own, own, clustered_unit_vectors(300, 2)])
    cells = codebook_from_faiss(index).cells(vectors)
    assert cells[0] == 4
    np.testing.assert_array_equal(cells, index.quantizer.search(vectors, 1)[1][:, 0])


@pytest.mark.parametrize("form", ["IVF16,SQ4", "IVF64(RQ2x3),SQ8", "IVF16_HNSW8,SQ8"])
def test_probes_are_those_of_faiss(form: str) -> None:
    for metric in (L2, IP):
        index = trained_index(f"PCA16,{form}", metric)
        vectors = clustered_unit_vectors(200, 4)
        inner = faiss.downcast_VectorTransform(index.chain.at(0)).apply(vectors)
        expected = behind(index).quantizer.search(inner, 5)[1]
        codebook = codebook_from_faiss(index)
        np.testing.assert_array_equal(codebook.nearest_cells(vectors, 5), expected)
        assert codebook.nearest_cells(vectors[:2], 99).shape == (2, codebook.cell_count)
        with pytest.raises(CodebookError, match="at least 1"):
            codebook.nearest_cells(vectors, 0)


@pytest.mark.parametrize(("form", "called"), KNOWN.items())
def test_known_codes_are_codes_and_all(form: str, called: str) -> None:
    index = trained_index(form)
    codebook = codebook_from_faiss(index, descriptor="ab" * 32, descriptor_name="tiny")
    assert isinstance(codebook, Codebook)
    assert (str(codebook.factory), codebook.descriptor_name) == (called, "tiny")
    vectors = clustered_unit_vectors(300, 3)
    inner = vectors
    if isinstance(index, faiss.IndexPreTransform):
        for number in range(index.chain.size()):
            inner = faiss.downcast_VectorTransform(index.chain.at(number)).apply(inner)
    theirs = behind(index).sa_encode(inner)
    cells, codes = codebook.encode_with_cells(vectors)
    np.testing.assert_array_equal(theirs[:, -codebook.code_size :], codes)
    if codebook.factory.cells:
        np.testing.assert_array_equal(theirs[:, 0], cells)


@pytest.mark.parametrize("form", ["IVF16,PQ4x8", "PQ4x8", "IVF16,Flat", "IVF16,SQ8", "LSH"])
def test_an_index_of_a_codebook_gives_the_same_codebook(form: str) -> None:
    codebook = homing.train_codebook(clustered_unit_vectors(1000, 1), form, descriptor="ab" * 32)
    assert codebook_from_faiss(codebook.index(), descriptor="ab" * 32) == codebook


def test_a_bundled_codebook_comes_back_equal() -> None:
    for name in ("homing-s-IVF1024-PQ8x8", "homing-s-OPQ16-IVF1024-PQ16x8"):
        codebook = homing.load_codebook(name)
        again = codebook_from_faiss(codebook.index(), descriptor=codebook.descriptor)
        assert again.fingerprint == codebook.fingerprint


@pytest.mark.parametrize("metric", [L2, IP])
@pytest.mark.parametrize("form", WITH_CODES)
def test_without_cells_the_target_is_the_code(form: str, metric: int) -> None:
    index = trained_index(form, metric)
    codebook = codebook_from_faiss(index)
    assert isinstance(codebook, FaissCodebook)
    assert codebook.aims_at_code
    vectors = clustered_unit_vectors(50, 3)
    target = codebook.target(vectors)
    inner = behind(index)
    if form.startswith("PCA"):
        assert cosines(target, vectors).mean() > 0.4  # of half of the components
    else:
        np.testing.assert_allclose(target, inner.sa_decode(inner.sa_encode(vectors)), atol=1e-6)
    assert set(codebook.cells(vectors).tolist()) == {0}
    assert codebook.nearest_cells(vectors, 3).shape == (50, 1)


def test_the_target_in_cells_is_the_centroid() -> None:
    index = trained_index("PCAR16,IVF16,SQ4")
    codebook = codebook_from_faiss(index)
    vectors = clustered_unit_vectors(50, 3)
    centroids = behind(index).quantizer.reconstruct_n(0, 16)
    transform = faiss.downcast_VectorTransform(index.chain.at(0))
    there = codebook.target(vectors, np.full(50, 5))
    np.testing.assert_allclose(transform.apply(there), centroids[[5] * 50], atol=1e-5)
    own = codebook.cells(vectors)
    np.testing.assert_allclose(transform.apply(codebook.target(vectors)), centroids[own], atol=1e-5)


def test_signs_behind_a_transform_that_is_not_linear() -> None:
    index = trained_index("ITQ16,LSH")
    codebook = codebook_from_faiss(index)
    assert isinstance(codebook, FaissCodebook)
    assert "not linear" in codebook.reason
    assert codebook.partition.signs
    vectors = clustered_unit_vectors(50, 3)
    assert cosines(codebook.target(vectors), vectors).min() > 0


@pytest.mark.parametrize("form", ["IVF16,RaBitQfs", "IVF16_HNSW8,SQ8", "RR16,IVF16,SQ8", "PQ4x4"])
def test_files_of_faiss_and_of_homing(form: str, tmp_path: Path) -> None:
    index = trained_index(form)
    index.add(clustered_unit_vectors(200, 5))
    faiss.write_index(index, str(tmp_path / "index.faiss"))
    codebook = load_codebook(tmp_path / "index.faiss")
    assert codebook == codebook_from_faiss(index)  # with entries or without
    path = codebook.save(tmp_path / "cells.safetensors")
    again = homing.load_codebook(path)
    assert again == codebook
    assert (again.form, again.reason) == (codebook.form, codebook.reason)
    vectors = clustered_unit_vectors(50, 3)
    np.testing.assert_array_equal(again.cells(vectors), codebook.cells(vectors))
    codebook.save(path)  # as it is already
    with pytest.raises(CodebookError, match="another codebook"):
        codebook_from_faiss(index, descriptor="ab" * 32).save(path)


def test_lists_on_disk_are_not_needed(tmp_path: Path) -> None:
    index = trained_index("IVF16,SQ4")
    lists = faiss.OnDiskInvertedLists(16, index.code_size, str(tmp_path / "lists.ivfdata"))
    index.replace_invlists(lists)
    index.add(clustered_unit_vectors(200, 5))
    faiss.write_index(index, str(tmp_path / "index.faiss"))
    expected = codebook_from_faiss(index)
    del index, lists
    (tmp_path / "lists.ivfdata").unlink()
    assert load_codebook(tmp_path / "index.faiss") == expected


def test_an_archive_needs_codes(tmp_path: Path, network_file: Path) -> None:
    known = trained_index("IVF16,PQ4x8", vectors=unit_vectors(1000, 1))
    faiss.write_index(known, str(tmp_path / "known.faiss"))
    archive = homing.create(
        tmp_path / "archive", descriptor=str(network_file), codebook=tmp_path / "known.faiss"
    )
    assert str(archive.codebook.factory) == "IVF16,PQ4x8"
    cells = codebook_from_faiss(trained_index("IVF16,SQ4", vectors=unit_vectors(1000, 1)))
    with pytest.raises(CodebookError, match=r"cells alone .its scalar quantizer is not SQ8"):
        homing.create(tmp_path / "other", descriptor=str(network_file), codebook=cells)
    with pytest.raises(CodebookError, match="cells alone"):
        archive.adopt(cells)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: faiss.index_factory(DIMENSION, "IVF16,Flat"), "not trained"),
        (lambda: faiss.IndexFlatL2(DIMENSION), "neither cells"),
        (lambda: faiss.IndexHNSWFlat(DIMENSION, 8), "neither cells"),
        (lambda: faiss.IndexShards(DIMENSION), "kind IndexShards are not known"),
        (lambda: faiss.IndexBinaryFlat(DIMENSION), "no index of numbers"),
        (lambda: "index.faiss", "no index of numbers"),
    ],
)
def test_indexes_that_cannot_be_used(make, message: str) -> None:
    with pytest.raises(CodebookError, match=message):
        codebook_from_faiss(make())


def test_centroids_that_are_missing() -> None:
    index = trained_index("IVF16,Flat")
    index.quantizer.reset()
    with pytest.raises(CodebookError, match="0 centroids for 16 cells"):
        codebook_from_faiss(index)


def test_another_metric_is_refused() -> None:
    quantizer = faiss.IndexFlat(DIMENSION, faiss.METRIC_L1)
    index = faiss.IndexIVFFlat(quantizer, DIMENSION, 4, faiss.METRIC_L1)
    index.train(clustered_unit_vectors(200, 1))
    with pytest.raises(CodebookError, match="neither by L2 nor by inner product"):
        codebook_from_faiss(index)


def test_vectors_of_other_lengths_are_told() -> None:
    long = 12 * clustered_unit_vectors(1000, 1)
    with pytest.warns(UserWarning, match="not of unit length"):
        codebook_from_faiss(trained_index("IVF16,SQ4", vectors=long))
    with pytest.warns(UserWarning, match="not of unit length"):
        codebook_from_faiss(trained_index("PCAR16,IVF16,SQ4", vectors=long / 500))
    for form, metric in (("IVF16,SQ4", IP), ("L2norm,IVF16,SQ4", L2)):
        assert notes_on(codebook_from_faiss(trained_index(form, metric, long))) == ()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        codebook_from_faiss(trained_index("IVF16,SQ4"))


def test_residuals_that_are_off_are_told() -> None:
    index = trained_index("IVF16,PQ4x8")
    index.by_residual = False
    assert "by_residual is off" in codebook_from_faiss(index).reason


def test_another_dimension_is_refused() -> None:
    codebook = codebook_from_faiss(trained_index("IVF16,SQ4"))
    with pytest.raises(CodebookError, match="is for 32 dimensions, but descriptor 'other' has 64"):
        codebook.check_descriptor("other", "ab" * 32, 64)


def test_files_that_are_no_index(tmp_path: Path) -> None:
    index = trained_index("IVF16,SQ4")
    index.add(clustered_unit_vectors(200, 5))
    path = tmp_path / "index.faiss"
    faiss.write_index(index, str(path))
    whole = path.read_bytes()
    for length in (1, 3, 4, 30, 200, 2000):
        path.write_bytes(whole[:length])
        with pytest.raises(CodebookError, match=r"index\.faiss"):
            load_codebook(path)
    faiss.write_index_binary(faiss.IndexBinaryFlat(DIMENSION), str(path))
    with pytest.raises(CodebookError, match="binary"):
        load_codebook(path)
    path.write_bytes(b"I am a diary, and no index.")
    with pytest.raises(CodebookError, match="damaged or no index"):
        load_codebook(path)
    faiss.write_index(faiss.IndexFlatL2(DIMENSION), str(path))
    with pytest.raises(CodebookError, match=r"index\.faiss: .*neither cells"):
        load_codebook(path)


@pytest.mark.slow
@pytest.mark.parametrize("metric", [L2, IP])
@pytest.mark.parametrize("form", WITH_CELLS)
def test_cells_of_many_vectors(form: str, metric: int) -> None:
    if form.startswith("IMI") and metric == IP:
        return
    index = trained_index(form, metric)
    vectors = clustered_unit_vectors(100_000, 3)
    cells = codebook_from_faiss(index).cells(vectors)
    np.testing.assert_array_equal(cells, cells_by_faiss(index, vectors))
