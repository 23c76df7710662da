"""Verification: it finds and names everything that was tampered with."""

import lance
import numpy as np
import pyarrow as pa
import pytest

import homing
from tests.helpers.pictures import make_pictures


@pytest.fixture
def full(archive, tmp_path):
    archive.release(make_pictures(tmp_path / "photos", 4), out=tmp_path / "out")
    archive.add(make_pictures(tmp_path / "others", 2, first=20))
    return archive


def tamper(archive, name: str, **columns) -> None:
    """Replace values of one row without the archive's methods."""
    dataset = lance.dataset(str(archive.path / "entries.lance"))
    table = dataset.to_table(filter=f"id = '{name}'")
    for column, value in columns.items():
        field = table.schema.field(column)
        table = table.set_column(
            table.schema.get_field_index(column), field, pa.array([value], field.type)
        )
    dataset.merge_insert("id").when_matched_update_all().execute(table)


def found(archive) -> dict[str, str]:
    return {p.id: p.message for p in archive.verify().problems}


def test_a_sound_archive_is_clean(full):
    steps = []
    verified = full.verify(progress=steps.append)
    assert verified.clean
    assert (verified.entries, verified.files) == (6, 4)
    assert sum(steps) == 6
    assert full.verify(files=False).files == 0


@pytest.mark.parametrize("change", ["one bit", "cut", "other", "missing", "folder"])
def test_a_released_file_that_is_another_now(full, tmp_path, change):
    file = tmp_path / "out" / "002.jpg"
    data = bytearray(file.read_bytes())
    file.unlink()
    if change == "one bit":
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
    elif change == "cut":
        file.write_bytes(data[:-1])
    elif change == "other":
        file.write_bytes((tmp_path / "out" / "001.jpg").read_bytes())
    elif change == "folder":
        file.mkdir()
    problems = found(full)
    assert list(problems) == ["002.jpg"]
    assert str(file) in problems["002.jpg"]
    assert full.verify(files=False).clean


def test_an_altered_cell(full):
    tamper(full, "001.jpg", cell=(full.entry("001.jpg").cell + 1) % 8)
    problems = found(full)
    assert list(problems) == ["001.jpg"]
    assert "cell" in problems["001.jpg"]


def test_an_altered_code(full):
    code = bytearray(full.entry("021.jpg").code)
    code[3] ^= 128
    tamper(full, "021.jpg", code=bytes(code))
    assert list(found(full)) == ["021.jpg"]


@pytest.mark.parametrize("factor", [0, 0.5, 2, np.nan, np.inf])
def test_a_vector_that_is_none(full, factor):
    vector = (full.entry("021.jpg").vector * factor).astype(np.float16)
    tamper(full, "021.jpg", vector=vector)
    problems = found(full)
    assert list(problems) == ["021.jpg"]
    assert "unit vector" in problems["021.jpg"]


def test_another_unit_vector(full):
    tamper(full, "021.jpg", vector=np.roll(full.entry("021.jpg").vector, 7))
    assert list(found(full)) == ["021.jpg"]


def test_an_altered_checksum(full):
    tamper(full, "000.jpg", file_sha256=b"x" * 32)
    assert list(found(full)) == ["000.jpg"]


def test_an_id_that_stands_twice(full):
    dataset = lance.dataset(str(full.path / "entries.lance"))
    lance.write_dataset(dataset.to_table(filter="id = '020.jpg'"), dataset.uri, mode="append")
    assert found(full) == {"020.jpg": "the id stands twice"}


def test_all_problems_are_reported_at_once(full, tmp_path):
    tamper(full, "001.jpg", cell=(full.entry("001.jpg").cell + 1) % 8)
    (tmp_path / "out" / "001.jpg").unlink()
    (tmp_path / "out" / "003.jpg").unlink()
    problems = full.verify().problems
    assert sorted(p.id for p in problems) == ["001.jpg", "001.jpg", "003.jpg"]
    assert isinstance(problems[0], homing.Problem)
    assert set(problems[0].as_dict()) == {"id", "problem"}
