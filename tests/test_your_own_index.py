"""The page on indexes of one's own: its examples run unchanged, in its order."""

import json
import re
import shlex
from pathlib import Path

import faiss
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import homing
from homing.demo.generated import generated_picture
from tests.helpers.vectors import unit_vectors

PAGE = Path(__file__).parents[1] / "docs" / "guides" / "your-own-index.md"


def blocks(language: str, heading: str) -> list[str]:
    """Return the code of a section."""
    (section,) = re.findall(
        rf"^## {heading}\n(.*?)(?=^## |\Z)", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.M
    )
    return re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)


def run_commands(homing_cli, heading: str) -> None:
    for block in blocks("sh", heading):
        for line in block.splitlines():
            program, *arguments = shlex.split(line)
            assert program == "homing"
            ran = homing_cli(*arguments)
            assert ran.status == 0, ran.err


def run_python(heading: str) -> dict[str, object]:
    (values,) = run_each_python(heading)
    return values


def run_each_python(heading: str) -> list[dict[str, object]]:
    found = []
    for block in blocks("python", heading):
        values: dict[str, object] = {}
        exec(compile(block, str(PAGE), "exec"), values)
        found.append(values)
    return found


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    picture = generated_picture(np.random.default_rng([7, 0]))
    picture.thumbnail((160, 160))
    picture.save("photos/0.png")
    picture.save("suspect.jpg", quality=60)
    return Path("photos")


@pytest.fixture
def archive(photos: Path) -> homing.Archive:
    made = homing.create("archive")
    made.add(photos)
    return made


def test_a_faiss_index(photos: Path, homing_cli) -> None:
    codebook = homing.load_codebook("homing-s-IVF256-PQ8x8")
    quantizer = faiss.IndexFlatIP(256)
    quantizer.add(np.array(codebook.partition.centroids))
    index = faiss.IndexIVFFlat(quantizer, 256, 256, faiss.METRIC_INNER_PRODUCT)
    index.is_trained = True
    index.add(homing.load_descriptor("homing-s").describe([photos / "0.png"]))
    faiss.write_index(index, "index.faiss")
    found = run_python("A Faiss index")
    assert found["numbers"][0, 0] == 0  # type: ignore[index]
    run_commands(homing_cli, "A Faiss index")
    assert Path("released", "0.png").is_file()


def test_faiss_from_an_archive(archive, homing_cli, capsys) -> None:
    run_commands(homing_cli, "Faiss, from an archive")
    found = run_python("Faiss, from an archive")
    assert capsys.readouterr().out.startswith("0.png ")
    expected = archive.search_vectors(found["query"], k=3, rerank=0)
    np.testing.assert_allclose(found["distances"][0, 0], expected.code_distance[0, 0], atol=1e-5)


def test_a_key_value_store(archive, capsys) -> None:
    found = run_python("A key-value store or any database")
    assert len(found["cells"]) == 2
    assert "0.png" in capsys.readouterr().out


def test_lance_and_lancedb(archive, homing_cli, capsys) -> None:
    archive.add_vectors([f"v/{n}" for n in range(300)], unit_vectors(300, 1, 256))
    run_commands(homing_cli, "Lance and LanceDB")
    capsys.readouterr()
    by_lancedb, by_lance = run_each_python("Lance and LanceDB")
    printed = capsys.readouterr().out
    query = by_lance["query"]
    engine = homing.open("archive", engine="lance")
    expected = engine.search_vectors(query[None], k=5, probes=4)  # type: ignore[index]
    ids = expected.ids[0].tolist()
    assert printed.startswith(f"{ids[0]} 0.9")
    assert ids[0] == "0.png"
    for hits in (by_lancedb["hits"], by_lance["hits"]):
        assert [hit["id"] for hit in hits] == ids  # type: ignore[union-attr,index]
        similarity = [1 - hit["_distance"] / 2 for hit in hits]  # type: ignore[union-attr,index]
        np.testing.assert_allclose(similarity, expected.similarity[0], atol=1e-3)
    assert "0.png" in [row["id"] for row in by_lance["there"]]  # type: ignore[union-attr,index]


def test_vectors_from_elsewhere(archive, homing_cli, capsys) -> None:
    found = run_python("Vectors from elsewhere")
    assert found["done"].imported == 1  # type: ignore[attr-defined]
    assert set(found["matches"].ids[0, :2]) == {"0.png", "partner/0.png"}  # type: ignore[attr-defined]
    vectors = unit_vectors(4, 1, 256)
    np.save("vectors.npy", vectors)
    Path("vectors.npy.ids.json").write_text(json.dumps([f"npy/{n}" for n in range(4)]))
    ids = [f"parquet/{n}" for n in range(4)]
    pq.write_table(pa.table({"id": ids, "vector": vectors.tolist()}), "vectors.parquet")
    run_commands(homing_cli, "Vectors from elsewhere")
    assert len(homing.open("archive")) == 10


def test_the_query_is_the_one_that_is_tested() -> None:
    tested = Path(__file__).parent / "archive" / "exports" / "test_postgres.py"
    (query,) = blocks("sql", "Postgres")
    assert query.strip() in tested.read_text(encoding="utf-8")


def test_a_generator_in_pytorch() -> None:
    pictures = run_python("PyTorch")["pictures"]
    assert tuple(pictures.shape) == (2, 3, 128, 128)
    assert not pictures.requires_grad
