"""Archives as Faiss indexes: plain Faiss gives homing's answers."""

import json
from pathlib import Path

import faiss
import numpy as np
import pytest

import homing
from homing.archive.exports.faiss_file import IDS
from tests.helpers.archive import write
from tests.helpers.vectors import unit_vectors

FORMS = (
    "IVF8,PQ8x8",
    "IVF8,Flat",
    "IVF8,SQ8",
    "IVF8_HNSW4,PQ8x8",
    "IVF8,PQ8x4fsr",
    "IVF8,RaBitQ",
    pytest.param("OPQ8,IVF8,PQ8x8", marks=pytest.mark.slow),
    "PQ8",
    "PCA64,LSH",
    "LSH",
)


def filled(path: Path, network_file: Path, form: str, count: int = 300) -> homing.Archive:
    book = homing.train_codebook(
        unit_vectors(600, 1), form, descriptor=homing.load_descriptor(network_file).fingerprint
    )
    archive = homing.create(path, descriptor=network_file, codebook=book)
    names = [f"{n:05}\n„{n}“" for n in range(count)]
    vectors, half = unit_vectors(count, 3), count // 2
    if names:
        write(archive._table, book, names[:half], vectors[:half])
        write(archive._table, book, names[half:], vectors[half:], state="released")  # in two cells
    return archive


def plain_answers(file: Path, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Search with nothing but Faiss and json."""
    index = faiss.read_index(str(file))
    names = json.loads(file.with_name(file.name + IDS).read_text(encoding="utf-8"))
    assert len(names) == index.ntotal
    distances, numbers = index.search(queries, min(2 * k, index.ntotal))
    found = np.array(names, object)[numbers]
    firsts = [np.sort(np.unique(row, return_index=True)[1])[:k] for row in found]
    kept = [
        np.stack([row[f] for row, f in zip(a, firsts, strict=True)]) for a in (found, distances)
    ]
    return kept[0], kept[1]


@pytest.mark.parametrize("form", FORMS)
def test_plain_faiss_gives_homings_answers(form: str, tmp_path: Path, network_file: Path) -> None:
    archive = filled(tmp_path / "archive", network_file, form)
    archive.remove([next(archive.entries()).id])
    assert archive.export(tmp_path / "out.faiss") == 299
    queries = unit_vectors(40, 9)
    names, distances = plain_answers(tmp_path / "out.faiss", queries, 10)
    expected = archive.search_vectors(queries, k=10, rerank=0)
    np.testing.assert_array_equal(names, expected.ids)
    np.testing.assert_allclose(distances, expected.code_distance, atol=1e-5)
    assert homing.load_codebook(tmp_path / "out.faiss").cell_count == archive.codebook.cell_count


def test_several_codebooks_are_a_file_each(tmp_path: Path, network_file: Path) -> None:
    archive = filled(tmp_path / "archive", network_file, "IVF8,PQ8x8")
    archive.adopt(
        homing.train_codebook(
            unit_vectors(600, 2), "IVF4,Flat", descriptor=archive.descriptor.fingerprint
        )
    )
    write(archive._table, archive.codebook, ["new"], unit_vectors(1, 7), generation=2)
    with pytest.raises(homing.UsageError, match="2 codebooks"):
        archive.export(tmp_path / "out.faiss")
    with pytest.raises(homing.UsageError, match="no generation 3"):
        archive.export(tmp_path / "out.faiss", generation=3)
    assert archive.export(tmp_path / "one.faiss", generation=1) == 300
    assert archive.export(tmp_path / "two.faiss", generation=2) == 1
    names, distances = plain_answers(tmp_path / "two.faiss", unit_vectors(1, 7), 1)
    assert names[0, 0] == "new"
    assert distances[0, 0] < 1e-5


def test_nothing_is_overwritten(tmp_path: Path, network_file: Path, homing_cli) -> None:
    archive = filled(tmp_path / "archive", network_file, "IVF8,PQ8x8", 10)
    ran = homing_cli("export", archive.path, tmp_path / "out.faiss", "--json")
    assert ran.objects == [{"file": str(tmp_path / "out.faiss"), "rows": 10}]
    for kept in ("out.faiss", "out.faiss.ids.json"):
        other = {"out.faiss", "out.faiss.ids.json"} - {kept}
        before = (tmp_path / kept).read_bytes()
        ran = homing_cli("export", archive.path, tmp_path / "out.faiss")
        assert (ran.status, "exists already" in ran.err) == (2, True)
        assert (tmp_path / kept).read_bytes() == before
        assert sorted(p.name for p in tmp_path.glob("out*")) == sorted({kept} | other)
    with pytest.raises(homing.UsageError, match="nothing can be written"):
        archive.export(tmp_path / "none" / "out.faiss")
    with pytest.raises(homing.UsageError):
        archive.export("s3://bucket/out.faiss")


def test_an_empty_archive(tmp_path: Path, network_file: Path) -> None:
    archive = filled(tmp_path / "archive", network_file, "IVF8,PQ8x8", 0)
    assert archive.export(tmp_path / "out.faiss") == 0
    assert json.loads((tmp_path / "out.faiss.ids.json").read_text()) == []
