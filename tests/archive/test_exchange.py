"""Export to Parquet, import, and earlier versions of an archive."""

import datetime
import json
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import homing
from homing.archive.table.places import PLACES
from tests.helpers.archive import facts, write
from tests.helpers.pictures import make_pictures
from tests.helpers.vectors import unit_vectors


@pytest.fixture
def filled(archive, tmp_path):
    archive.release(make_pictures(tmp_path / "photos", 4), out=tmp_path / "out")
    names = [f"{n:05}" for n in range(60)]
    write(archive._table, archive.codebook, names, unit_vectors(60, 3))
    archive.index()  # its empty column is not exported
    return archive


def test_what_is_exported_comes_in_the_same(filled, create, tmp_path):
    file = tmp_path / "rows.parquet"
    assert filled.export(file) == 64
    names = [name for name in filled._table.schema.names if name != PLACES]
    assert pq.read_schema(file).names == names
    (tmp_path / "elsewhere").mkdir()
    other = create("elsewhere/archive")
    done = other.import_rows(file)
    assert (done.imported, done.skipped, done.problems) == (64, 0, ())
    assert [row.id for row in other.entries()] == [row.id for row in filled.entries()]
    assert other.entry("000.jpg").file == "../../out/000.jpg"  # its path, from here
    assert other.verify().clean
    assert other.verify().files == 4
    again = other.import_rows(file)
    assert (again.imported, again.skipped, again.problems) == (0, 64, ())
    queries = unit_vectors(5, 9)
    assert np.array_equal(
        filled.search_vectors(queries, k=3).ids, other.search_vectors(queries, k=3).ids
    )


def test_an_existing_file_is_left_alone(filled, tmp_path, homing_cli):
    file = tmp_path / "rows.parquet"
    file.write_bytes(b"mine")
    ended = homing_cli("export", filled.path, file)
    assert ended.status == 2
    assert "exists already; name another file" in ended.err
    assert file.read_bytes() == b"mine"
    ended = homing_cli("export", filled.path, tmp_path / "none" / "rows.parquet")
    assert ended.status == 2
    assert "nothing can be written" in ended.err
    assert homing_cli("export", filled.path, "s3://bucket/rows.parquet").status == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "archive",
        "out",
        "photos",
        "rows.parquet",
    ]


def test_invalid_rows_are_left_out(filled, create, tmp_path, homing_cli):
    file, spoilt = tmp_path / "rows.parquet", tmp_path / "spoilt.parquet"
    filled.export(file)
    table = pq.read_table(file)
    rows = table.to_pylist()
    by_name = {row["id"]: row for row in rows}
    by_name["00001"]["cell"] = (by_name["00001"]["cell"] + 1) % 8
    by_name["00002"]["vector"] = [0.5] * 192
    by_name["00003"]["state"] = "lost"
    by_name["00006"]["metadata"] = "{"
    by_name["00007"]["metadata"] = '{"a": ' + "[" * 5000 + "]" * 5000 + "}"
    by_name["00008"]["metadata"] = '{"a": NaN}'
    by_name["00009"]["psnr"] = float("nan")
    by_name["00010"]["id"] = ""
    rows.append(dict(by_name["00004"]))
    changed = pa.Table.from_pylist(rows, schema=table.schema)
    pq.write_table(changed, spoilt)
    other = create("other")
    write(
        other._table, other.codebook, ["00005"], unit_vectors(1, 50)
    )  # the same picture, by its checksum
    taken = other._table
    row = next(iter(taken.rows(ids=["00005"], with_vectors=True)))
    other.remove(["00005"])
    taken.insert(taken.to_arrow([replace(row, source_sha256=b"z" * 32)]))
    ended = homing_cli("import", other.path, spoilt, "--json")
    assert ended.status == 1
    *failed, total = [json.loads(line) for line in ended.out.splitlines()]
    assert {line["id"]: line["reason"] for line in failed} == {
        "00001": "its cell and code are not the codebook's for its vector",
        "00002": "its vector is not a unit vector",
        "00003": "its state is 'lost', neither released nor added",
        "00004": "the id stands twice",
        "00006": "its metadata are no JSON object",
        "00007": "its metadata are no JSON object",
        "00008": "its metadata are no JSON object",
        "00009": "its date or its PSNR is out of range",
        "": "its id is empty",
        "00005": "the id is taken by another picture; remove that entry first",
    }
    assert (total["imported"], total["skipped"], total["failed"]) == (55, 0, 10)
    opened = homing.open(other.path)
    assert len(opened) == len({row.id for row in opened.entries()}) == 56
    assert opened.verify().clean


@pytest.mark.parametrize("column", ["vector", "created_at", "id"])
def test_a_file_without_a_valid_row_names_them_all(create, tmp_path, column):
    source, file = create("source"), tmp_path / "rows.parquet"
    source.add_vectors(["é", "e\u0301x"], unit_vectors(2, 5))
    source.export(file)
    table = pq.read_table(file)
    wrong = {
        "vector": [[0.0] * 192] * 2,
        "created_at": [2**60] * 2,  # of a year that Python does not know
        "id": ["é", "e\u0301"],  # one id
    }
    number = table.schema.get_field_index(column)
    field = table.schema.field(number)
    spoilt = table.set_column(number, field, pa.array(wrong[column], field.type))
    pq.write_table(spoilt.replace_schema_metadata(table.schema.metadata), tmp_path / "s.parquet")
    other = create("other")
    done = other.import_rows(tmp_path / "s.parquet")
    assert (done.imported, len(done.problems)) == ((1, 1) if column == "id" else (0, 2))
    assert len(list(other.entries())) == done.imported
    assert other.verify().clean


def test_what_is_no_export_is_refused(filled, create, tmp_path, network_file, homing_cli):
    def import_error(archive, file):
        ended = homing_cli("import", archive, file)
        assert ended.status == 2
        assert len(ended.err.splitlines()) == 1
        return ended.err

    plain = tmp_path / "plain.parquet"
    pq.write_table(pa.table({"id": ["a"]}), plain)
    assert "is not a file that 'homing export' has written" in import_error(filled.path, plain)
    assert "there is no such file" in import_error(filled.path, tmp_path / "none.parquet")
    assert "there is no such file" in import_error(filled.path, tmp_path / "none.npy")
    (tmp_path / "text.parquet").write_text("no parquet")
    assert "cannot be imported" in import_error(filled.path, tmp_path / "text.parquet")
    file = tmp_path / "rows.parquet"
    filled.export(file)
    trained = homing.train_codebook(
        unit_vectors(600, 2), "IVF8,PQ8x8", descriptor=filled.descriptor.fingerprint
    )
    other = homing.create(tmp_path / "other", descriptor=network_file, codebook=trained)
    err = import_error(other.path, file)
    assert filled.codebook.fingerprint in err
    assert trained.fingerprint in err
    short = pq.read_table(file).drop_columns(["vector"])
    pq.write_table(short, tmp_path / "short.parquet")
    assert "cannot be imported" in import_error(filled.path, tmp_path / "short.parquet")


def test_an_export_under_the_name_of_a_text_is_refused(filled, tmp_path, homing_cli):
    ended = homing_cli("export", filled.path, tmp_path / "rows.CSV")
    assert ended.status == 2
    assert "Parquet file (.parquet)" in ended.err
    assert list(tmp_path.glob("rows*")) == []


def test_versions_that_are_past_can_be_read(filled, tmp_path, homing_cli):
    before = filled.versions()[-1]["version"]
    then = facts(filled)
    queries = unit_vectors(4, 9)
    found = filled.search_vectors(queries, k=3).ids
    filled.remove(["00001", "000.jpg"])
    assert filled.versions()[-1]["version"] > before
    past = homing.open(filled.path, version=before)
    assert facts(past) == then
    for engine in ("memory", "lance"):
        opened = homing.open(filled.path, version=before, engine=engine)
        assert np.array_equal(opened.search_vectors(queries, k=3).ids, found)
    listed = homing_cli("list", filled.path, "--version", before, "--json")
    assert len(listed.out.splitlines()) == 64
    assert len(homing_cli("list", filled.path, "--json").out.splitlines()) == 62
    assert homing_cli("show", filled.path, "00001", "--version", before).status == 0
    assert homing_cli("show", filled.path, "00001").status == 1
    lines = homing_cli("versions", filled.path, "--json").out.splitlines()
    assert before in [json.loads(line)["version"] for line in lines]
    file = tmp_path / "then.parquet"
    assert homing_cli("export", filled.path, file, "--version", before).status == 0
    assert filled.import_rows(file).imported == 2  # what was removed comes back
    assert facts(filled) == then


def test_what_is_past_does_not_change(filled, tmp_path):
    past = homing.open(filled.path, version=filled.versions()[-1]["version"])
    filled.remove(["00001"])
    count = len(filled.versions())
    for change in (
        lambda: past.remove(["00002"]),
        lambda: past.add(make_pictures(tmp_path / "more", 1, first=90)),
        past.compact,
        past.index,
        lambda: past.import_rows(tmp_path / "any.parquet"),
    ):
        with pytest.raises(homing.UsageError, match="is an earlier one"):
            change()
    assert len(filled.versions()) == count
    with pytest.raises(homing.ArchiveError, match="no version 999"):
        homing.open(filled.path, version=999)


def test_compacting_keeps_versions_on_request(filled, homing_cli):
    past = [known["version"] for known in filled.versions()]
    filled.compact(keep=datetime.timedelta(days=1))
    assert set(past) <= {known["version"] for known in filled.versions()}
    assert homing_cli("compact", filled.path, "--keep-days", "0.5").status == 0
    assert set(past) <= {known["version"] for known in filled.versions()}
    filled.compact()
    assert len(filled.versions()) == 1


def test_flipped_bits_of_exported_pages_are_seen_or_change_nothing(filled, create, tmp_path):
    file = tmp_path / "rows.parquet"
    filled.export(file)
    data = file.read_bytes()
    footer = int.from_bytes(data[-8:-4], "little") + 8
    recorded = facts(filled)
    for number, bit in enumerate(random.Random(0).sample(range(8 * (len(data) - footer)), 30)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        file.write_bytes(flipped)
        other = create(f"other{number}")
        try:
            assert other.import_rows(file).problems == ()
        except homing.UsageError:
            continue
        assert facts(other) == recorded, bit  # of a page's header, which changed no value


@pytest.mark.parametrize(
    "name", ["a:b.parquet", "s3:x/a.parquet", "a#b?c.parquet", "a%20b.parquet"]
)
def test_any_name_of_a_file_will_do(archive, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    archive.add(make_pictures(tmp_path / "photos", 1))
    Path(name).parent.mkdir(exist_ok=True)
    assert archive.export(name) == 1
    assert Path(name).is_file()
    archive.remove(["000.jpg"])
    assert archive.import_rows(name).imported == 1
