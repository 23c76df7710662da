"""Vectors described elsewhere, given to an archive or in a file: recorded, searched, kept."""

import datetime
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import homing
from homing.archive.query.originals import Sources
from tests.helpers.archive import facts
from tests.helpers.pictures import make_pictures
from tests.helpers.vectors import unit_vectors


@pytest.fixture
def vectors(archive: homing.Archive) -> np.ndarray:
    return unit_vectors(50, 3, archive.settings.dimension)


def ids(count: int, first: int = 0) -> list[str]:
    return [f"v/{number}" for number in range(first, first + count)]


def test_they_are_found_and_verified(archive, vectors, homing_cli) -> None:
    metadata = [{"url": f"https://example.org/{n}", "n": n} for n in range(50)]
    done = archive.add_vectors(ids(50), vectors, metadata)
    assert (done.imported, done.skipped, done.problems, done.notes) == (50, 0, (), ())
    found = archive.search_vectors(vectors[:5], k=1)
    assert found.ids[:, 0].tolist() == ids(5)
    np.testing.assert_allclose(found.similarity[:, 0], 1, atol=1e-3)
    entry = archive.entry("v/7")
    assert (entry.state, entry.file, entry.width, entry.psnr) == ("added", None, 0, None)
    assert entry.metadata == metadata[7]
    assert archive.verify().clean
    archive.index()
    archive.compact()
    assert archive.verify().clean
    for command in ("list", "stats"):
        assert homing_cli(command, archive.path).status == 0
    assert homing_cli("show", archive.path, "v/7").status == 0


def test_again_changes_nothing_and_other_vectors_are_refused(archive, vectors) -> None:
    archive.add_vectors(ids(50), vectors)
    before, version = facts(archive), archive.versions()[-1]
    done = archive.add_vectors(ids(50), vectors)
    assert (done.imported, done.skipped, done.problems) == (0, 50, ())
    assert facts(archive) == before
    other = archive.add_vectors(["v/3", "new"], vectors[4:6])
    assert other.imported == 1
    assert [problem.id for problem in other.problems] == ["v/3"]
    assert "another picture" in other.problems[0].message
    assert archive.versions()[-1] != version


def test_lengths_are_noted(archive, vectors) -> None:
    scaled = vectors * np.linspace(0.5, 4, 50, dtype=np.float32)[:, None]
    (note,) = archive.add_vectors(ids(50), scaled).notes
    assert note.startswith("49 vectors were not of unit length (0.5 to 4)")
    plain = homing.open(archive.path)
    np.testing.assert_allclose(plain.entry("v/9").vector, vectors[9], atol=1e-3)
    # Half precision rounds lengths: that is no note, and no other entry.
    done = archive.add_vectors(ids(50), vectors.astype(np.float64))
    assert (done.skipped, done.notes) == (50, ())


def test_what_cannot_be_recorded_is_named_and_the_rest_recorded(archive, vectors) -> None:
    bad = vectors[:8].astype(np.float64)
    bad[1, 0], bad[2, 3], bad[3] = np.nan, np.inf, 0
    names = ["a", "b", "c", "d", "a", "", "\udcff", "e"]
    metadata = [None] * 7 + [{"x": {1, 2}}]
    done = archive.add_vectors(names, bad, metadata)
    assert done.imported == 1
    assert [(problem.id, problem.message) for problem in done.problems] == [
        ("b", "its vector holds NaN or infinite values"),
        ("c", "its vector holds NaN or infinite values"),
        ("d", "its vector is zero"),
        ("a", "the id stands twice"),
        ("", "its id is no text, or empty"),
        ("\udcff", "its id is no Unicode text"),
        ("e", "its metadata are no JSON object"),
    ]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda v: (ids(50), v[:, :-1]), "were they made by another descriptor"),
        (lambda v: (ids(50), v[0]), "were they made by another descriptor"),
        (lambda v: (ids(50), np.ones(v.shape, int)), "real numbers"),
        (lambda v: (ids(49), v), "49 ids, 50 vectors and 49 of metadata"),
        (lambda v: (ids(50), v, [None]), "50 ids, 50 vectors and 1 of metadata"),
    ],
)
def test_wrong_arrays_are_refused(archive, vectors, make, message) -> None:
    with pytest.raises(homing.UsageError, match=message):
        archive.add_vectors(*make(vectors))
    assert not len(archive)


def test_a_search_answers_by_similarity(archive, tmp_path: Path) -> None:
    (picture,) = make_pictures(tmp_path / "photos", 1).iterdir()
    vector = archive.descriptor.describe([picture])
    archive.add_vectors(["elsewhere"], vector, [{"where": "there"}])
    archive.add_vectors(ids(50), unit_vectors(50, 3, archive.settings.dimension))
    hit = archive.search(picture)[0]
    assert (hit.id, hit.metadata) == ("elsewhere", {"where": "there"})
    assert hit.similarity > 0.99
    assert hit.verdict is None  # no picture to compare
    assert "preview" in (hit.reason or "")
    assert archive.explain(picture).as_dict()["hit"]["id"] == "elsewhere"
    assert archive.preview("elsewhere") is None
    assert archive.missing_previews == 0
    archive.duplicates()
    report = archive.add(picture)  # under its own id: another entry
    assert report.count("added") == 1
    assert archive.search(picture)[0].verdict == "file"


def test_a_picture_does_not_take_the_id_of_a_vector(archive, tmp_path: Path) -> None:
    (picture,) = make_pictures(tmp_path / "photos", 1).iterdir()
    (vector,) = unit_vectors(1, 3, archive.settings.dimension)
    archive.add_vectors([picture.name], vector[None])
    (outcome,) = archive.add(picture)
    assert outcome.status == "failed"


def parquet(path: Path, **columns: object) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def lists(vectors: np.ndarray, kind: str = "fixed") -> pa.Array:
    flat, dimension = pa.array(vectors.ravel()), vectors.shape[1]
    if kind == "fixed":
        return pa.FixedSizeListArray.from_arrays(flat, dimension)
    return pa.array(vectors.tolist(), pa.list_(flat.type))


@pytest.mark.parametrize("kind", ["fixed", "list"])
@pytest.mark.parametrize("width", [np.float16, np.float32, np.float64])
def test_a_parquet_file(archive, vectors, tmp_path: Path, homing_cli, kind, width) -> None:
    day = datetime.date(2024, 5, 6)
    file = parquet(
        tmp_path / "vectors.parquet",
        id=ids(50),
        vector=lists(vectors.astype(width), kind),
        credit=["Ada"] * 49 + [None],
        taken=[day] * 50,
    )
    ran = homing_cli("import", archive.path, file, "--json")
    assert ran.status == 0, ran.err
    answer = json.loads(ran.out)
    assert (answer["imported"], answer["skipped"], answer["failed"]) == (50, 0, 0)
    archive = homing.open(archive.path)
    assert archive.entry("v/0").metadata == {"credit": "Ada", "taken": "2024-05-06"}
    assert archive.entry("v/49").metadata == {"taken": "2024-05-06"}
    assert archive.search_vectors(vectors[:5], k=1).ids[:, 0].tolist() == ids(5)
    assert archive.import_rows(file).skipped == 50


def test_an_array_with_its_ids_beside(archive, vectors, tmp_path: Path, homing_cli) -> None:
    file = tmp_path / "vectors.npy"
    np.save(file, 3 * vectors)
    refused = homing_cli("import", archive.path, file)
    assert refused.status == 2
    assert "vectors.npy.ids.json: a JSON array" in refused.err
    Path(f"{file}.ids.json").write_text(json.dumps(ids(50)))
    ran = homing_cli("import", archive.path, file)
    assert ran.status == 0, ran.err
    assert "50 vectors were not of unit length (3 to 3)" in ran.err
    assert len(homing.open(archive.path)) == 50


def test_other_files_are_refused(archive, vectors, tmp_path: Path) -> None:
    good = lists(vectors)
    for columns, message in [
        ({"name": ids(50), "vector": good}, "no columns 'id' and 'vector'"),
        ({"id": ids(50), "vector": ids(50)}, "not of lists of real numbers"),
        ({"id": ids(50), "vector": lists(vectors[:, :-1])}, "those of the file have"),
        ({"id": ids(2), "vector": [[0.1], [0.1, 0.2]]}, "those of the file have 1, 2"),
        ({"id": ids(2), "vector": [None, [0.5] * vectors.shape[1]]}, "those of the file"),
    ]:
        file = parquet(tmp_path / "wrong.parquet", **columns)
        with pytest.raises(homing.UsageError, match=message):
            archive.import_rows(file)
    np.save(tmp_path / "pickled.npy", np.array([{}], dtype=object), allow_pickle=True)
    Path(tmp_path / "pickled.npy.ids.json").write_text("[]")
    (tmp_path / "cut.npy").write_bytes(b"\x93NUMPY\x01")
    Path(tmp_path / "cut.npy.ids.json").write_text("[]")
    for name in ("pickled.npy", "cut.npy", "missing.npy", "missing.parquet"):
        with pytest.raises(homing.UsageError):
            archive.import_rows(tmp_path / name)
    assert not len(archive)


def test_hostile_arrays_are_refused(archive, vectors, tmp_path: Path) -> None:
    file, beside = tmp_path / "v.npy", tmp_path / "v.npy.ids.json"
    beside.write_text("[]")
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (%s, 192), }\n"
    for data in (
        b"",
        *(_npy(header % count) for count in (b"-3", b"9" * 9, b"9" * 30)),
        _npy(b"__import__('os')._exit(1)\n"),
    ):
        file.write_bytes(data)
        with pytest.raises(homing.UsageError, match="cannot be imported"):
            archive.import_rows(file)
    with file.open("wb") as opened:
        np.savez(opened, vectors)  # several arrays, under the name of one
    with pytest.raises(homing.UsageError, match="cannot be imported"):
        archive.import_rows(file)
    np.save(file, vectors)
    beside.write_text("[" * 9999 + "]" * 9999)
    with pytest.raises(homing.UsageError, match="cannot be imported"):
        archive.import_rows(file)
    assert not len(archive)


def _npy(header: bytes) -> bytes:
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header


def test_hostile_tables_are_refused(archive, vectors, tmp_path: Path) -> None:
    late = pa.array([2**62] * 50, pa.timestamp("us"))  # years that Python does not know
    file = parquet(tmp_path / "v.parquet", id=ids(50), vector=lists(vectors), at=late)
    with pytest.raises(homing.UsageError, match="cannot be imported"):
        archive.import_rows(file)
    columns = [pa.array(ids(50)), pa.array(ids(50)), lists(vectors)]
    pq.write_table(pa.Table.from_arrays(columns, ["id", "id", "vector"]), file)
    with pytest.raises(homing.UsageError, match="two columns of one name"):
        archive.import_rows(file)
    assert not len(archive)


def test_metadata_that_could_not_be_read_again_are_left_out(archive, vectors, tmp_path) -> None:
    deep: list = []
    for _ in range(500):
        deep = [deep]
    wrong = [{"a": deep}, {"a": "\ud800"}, {"a": {1: 2, "b": 3}}, {"a": float("nan")}]
    done = archive.add_vectors(ids(5), vectors[:5], [*wrong, {"a": [[{"b": 1}]]}])
    assert [problem.id for problem in done.problems] == ids(4)
    assert "64 deep" in done.problems[0].message
    assert done.imported == 1


def test_an_id_that_can_be_no_path_is_no_error_where_files_are_looked_for(archive, vectors) -> None:
    names = ["a\0b", "../../etc/passwd", "x" * 9999, "\x1b[31m"]
    assert archive.add_vectors(names, vectors[:4]).imported == 4
    found = Sources(archive._table, archive.path, [archive.path]).places(names)
    assert all(isinstance(found.find(name), str) for name in names)


KILLED = """
import os, signal, sys
import numpy as np
import homing
from homing.archive.ingest import vectors
vectors.COMMIT = 10
archive = homing.open(sys.argv[1])
count = 0
def stop(done):
    global count
    count += 1
    if count == 3:
        os.kill(os.getpid(), signal.SIGKILL)
archive.add_vectors([f"v/{n}" for n in range(50)], np.load(sys.argv[2]), progress=stop)
"""


def test_a_killed_run_is_completed(archive, vectors, tmp_path: Path) -> None:
    np.save(tmp_path / "vectors.npy", vectors)
    arguments = [sys.executable, "-c", KILLED, os.fspath(archive.path), tmp_path / "vectors.npy"]
    ended = subprocess.run(arguments, check=False)
    assert ended.returncode == -signal.SIGKILL
    archive = homing.open(archive.path)
    assert 30 <= len(archive) < 50
    done = archive.add_vectors(ids(50), vectors)
    assert done.imported + done.skipped == 50
    assert done.skipped >= 30
    assert archive.verify().clean


def test_a_list_of_captions_is_no_import(archive, tmp_path):
    (tmp_path / "l.csv").write_text("path,caption\na.jpg,x\n")
    with pytest.raises(homing.UsageError, match="is a list: 'homing annotate'"):
        archive.import_rows(tmp_path / "l.csv")
