"""Plans: files that homing released, sources of other entries, settings not applied."""

import shutil
from pathlib import Path

import pytest

import homing
from homing.archive.ingest import plan as planning
from homing.archive.ingest.plan import plan
from homing.archive.previews.recognition import Recognition
from homing.options import Activation
from tests.helpers.archive import facts
from tests.helpers.pictures import make_pictures


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return make_pictures(tmp_path / "photos", 3)


@pytest.fixture
def out(archive: homing.Archive, photos: Path, tmp_path: Path) -> Path:
    """The files that the archive released."""
    assert archive.release(photos, out=tmp_path / "out", method="paper").count("released") == 3
    return tmp_path / "out"


def plans(archive, folder, **settings):
    """Plan a release of a folder."""
    given = archive.inputs(folder)
    known = Recognition(archive.preview_store, archive.descriptor.input_size)
    return list(plan(archive._table, given, archive.path, known, activation=Activation(**settings)))


def test_a_released_file_is_left_as_it_is_under_its_own_id(archive, out, tmp_path):
    before = facts(archive)
    report = archive.release(out, out=tmp_path / "again")
    assert [each.status for each in report] == ["skipped"] * 3
    today = next(archive.entries()).created_at.date().isoformat()
    assert [each.reason for each in report] == [
        f"it is the released file of '00{n}.jpg', recorded {today}: left as it is" for n in range(3)
    ]
    assert [each.status for each in archive.add(out)] == ["skipped"] * 3
    assert facts(archive) == before


def test_it_is_left_under_any_other_id(archive, out, photos, tmp_path):
    moved = tmp_path / "moved"
    moved.mkdir()
    shutil.copy(out / "001.jpg", moved / "new.jpg")
    shutil.copy(out / "001.jpg", moved / "002.jpg")  # the id of another entry
    before = facts(archive)
    for report in (archive.release(moved, out=tmp_path / "again"), archive.add(moved)):
        assert {each.status for each in report} == {"skipped"}
        assert all("released file of '001.jpg'" in str(each.reason) for each in report)
        assert facts(archive) == before
    make_pictures(moved, 1, first=8)
    assert [each.status for each in archive.add(moved)] == ["skipped", "added", "skipped"]


def test_another_picture_under_a_taken_id_fails_as_before(archive, out, tmp_path):
    other = make_pictures(tmp_path / "other", 1, first=7)
    (other / "007.jpg").rename(other / "001.jpg")
    (planned,) = plans(archive, other)
    assert planned.failed is not None
    assert "taken by another picture" in planned.failed


def test_the_source_of_another_entry_is_released_and_it_is_named(archive, out, photos, tmp_path):
    copies = tmp_path / "copies"
    copies.mkdir()
    shutil.copy(photos / "001.jpg", copies / "copy.jpg")
    (outcome,) = archive.release(copies, out=tmp_path / "again", method="paper")
    assert outcome.status == "released"
    assert outcome.notes[-1] == "the file is the source of '001.jpg' too"
    shutil.copy(photos / "001.jpg", copies / "third.jpg")
    _, planned = plans(archive, copies)
    assert planned.note == "the file is the source of '001.jpg' and of 1 more too"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, None),
        ({"psnr": 60}, "the settings given now were not applied"),
        ({"format": "png"}, "the settings given now were not applied"),
        ({"psnr": 30}, "settings given now that differ from then were not applied"),
        ({"method": "paper"}, "settings given now that differ from then were not applied"),
        ({"seed": 3, "format": "jpg"}, "settings given now that differ from then were not applied"),
    ],
)
def test_other_settings_are_not_applied_to_what_is_released(archive, out, photos, settings, said):
    row = archive.entry("000.jpg")
    planned, *_ = plans(archive, photos, **settings)
    assert planned.skipped is not None
    assert planned.skipped.startswith(f"already released as {out / '000.jpg'}")
    if said is None:
        assert planned.skipped.endswith("000.jpg")
    else:
        expected = f" with a PSNR of {row.psnr:.2f} dB; {said}: remove the entry to release it anew"
        assert planned.skipped.endswith(expected)


def test_files_are_looked_up_together_and_not_where_all_is_done(
    archive, out, photos, monkeypatch, tmp_path
):
    counts = []
    lookup = archive._table.lookup_files
    monkeypatch.setattr(planning, "_FILES", 2)
    monkeypatch.setattr(
        archive._table,
        "lookup_files",
        lambda digests, columns: counts.append(len(digests)) or lookup(digests, columns),
    )
    assert not any(each.to_do for each in plans(archive, photos))
    assert counts == [0, 0]
    new = make_pictures(tmp_path / "new", 5, first=20)
    (new / "023.jpg").write_bytes(b"no picture")
    planned = plans(archive, new)
    assert all(each.to_do for each in planned)
    assert counts[2:] == [2, 2, 1]


def test_an_unreadable_file_is_left_to_the_release(archive, tmp_path):
    make_pictures(tmp_path / "new", 1)
    (tmp_path / "new" / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    planned = plans(archive, tmp_path / "new")
    assert [each.to_do for each in planned] == [True, True]
