"""Verification: it finds and names everything that was tampered with."""

from pathlib import Path

import lance
import numpy as np
import pyarrow as pa
import pytest

import homing
from homing.archive.ingest.staging import Staging
from homing.archive.table.table import Table
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
    assert [(steps[-1].done, steps[-1].total)] == [(6, 6)]
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


def flip(file, place: float) -> None:
    data = bytearray(file.read_bytes())
    data[int(place * len(data))] ^= 1
    file.write_bytes(data)


def messages(archive) -> list[str]:
    return [problem.message for problem in archive.verify().problems]


def test_a_damaged_file_of_the_table_is_named(full):
    file = next((full.path / "entries.lance" / "_transactions").iterdir())
    flip(file, 0.5)
    assert any(f"{file} is damaged" in message for message in messages(full))
    assert full.verify(files=False).clean


def test_damaged_files_of_an_archive_that_cannot_be_opened(full, homing_cli):
    versions = full.path / "entries.lance" / "_versions"
    manifest = max(versions.glob("*.manifest"), key=lambda file: file.stat().st_mtime_ns)
    manifest.write_bytes(manifest.read_bytes()[:-20])
    ran = homing_cli("verify", full.path)
    assert ran.status == 2
    assert ran.out.startswith(f"-: {manifest} is damaged")
    assert ran.err.startswith("homing: version ")
    assert "'homing repair'" in ran.err


def test_a_codebook_whose_description_rots(full):
    file = full.path / "codebook.safetensors"
    data = file.read_bytes()
    start = data.index(b"}}") + 2
    assert data[start : start + 1] == b" "  # the header is padded
    file.write_bytes(data[:start] + b"\t" + data[start + 1 :])
    assert homing.open(full.path).codebook == full.codebook  # its fingerprint is of the arrays
    (message,) = messages(full)
    assert f"{file} is damaged" in message


def test_a_damaged_journal_of_an_unfinished_release(full, tmp_path):
    rows = full._table.dataset.to_table(limit=1)

    def die(_: object) -> set[str]:
        raise KeyboardInterrupt

    staging = Staging(tmp_path / "out", full.settings.identity)
    with pytest.raises(KeyboardInterrupt), staging:
        staging.commit(rows, [staging.write(b"x", Path("left"), bytes(32))], die)
    assert full.verify().clean
    flip(staging.folder / "journal.arrow", 0.5)
    (message,) = messages(full)
    assert "journal.arrow, left by a run that died, is damaged" in message


def test_a_damaged_calibration(full):
    (full.path / "calibration.json").write_text("{}")
    (message,) = messages(full)
    assert "calibration.json cannot be used" in message
    assert "homing calibrate" in message


def test_which_rows_are_removed_is_damaged(full):
    full.remove(["020.jpg"])
    (file,) = (full.path / "entries.lance" / "_deletions").iterdir()
    flip(file, 0.97)  # Lance may end the process over it
    verified = homing.open(full.path).verify()
    assert f"{file} is damaged" in verified.problems[0].message
    assert verified.entries == 0


def test_files_that_another_process_forgets_meanwhile_are_no_damage(full, tmp_path, monkeypatch):
    """It removes an entry and compacts after the first rows are read; so with an export."""
    other, batches, done = homing.open(full.path), Table.batches, []
    ids = [row.id for row in full.entries()]

    def interrupted(self, *given, **named):
        for batch in batches(self, *given, **named):
            yield batch
            if not done:
                done.append(ids[0])
                other.remove([ids.pop()])
                other.compact()
                raise homing.ArchiveError("the file is gone")

    monkeypatch.setattr(Table, "batches", interrupted)
    verified = full.verify()
    assert verified.clean, verified.problems
    assert (verified.entries, len(done)) == (len(ids), 1) == (5, 1)
    done.clear()
    assert full.export(tmp_path / "rows.parquet") == len(ids) == 4
