"""The page on indexes of one's own: its examples run unchanged, in its order."""

import re
import shlex
from pathlib import Path

import faiss
import numpy as np
import pytest

import homing
from homing.demo.generated import generated_picture

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
    (block,) = blocks("python", heading)
    values: dict[str, object] = {}
    exec(compile(block, str(PAGE), "exec"), values)
    return values


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


def test_the_query_is_the_one_that_is_tested() -> None:
    tested = Path(__file__).parent / "archive" / "exports" / "test_postgres.py"
    (query,) = blocks("sql", "Postgres")
    assert query.strip() in tested.read_text(encoding="utf-8")


def test_a_generator_in_pytorch() -> None:
    pictures = run_python("PyTorch")["pictures"]
    assert tuple(pictures.shape) == (2, 3, 128, 128)
    assert not pictures.requires_grad
