"""Previews verified against their packs."""

import pytest

from tests.archive.test_verification import found, tamper
from tests.helpers.pictures import make_pictures


@pytest.fixture
def full(archive, tmp_path):
    archive.release(make_pictures(tmp_path / "photos", 2), out=tmp_path / "out")
    archive.add(make_pictures(tmp_path / "others", 3, first=20))
    return archive


ADDED = ["020.jpg", "021.jpg", "022.jpg"]


def pack_of(archive, name):
    return archive.path / "previews" / archive.entry(name).preview.partition(":")[0]


def test_a_sound_archive_is_clean(full):
    assert full.verify().clean
    assert full.verify().previews == full.verify(files=False).previews == 5


def test_a_flipped_bit_is_found_and_mended(full, tmp_path, homing_cli):
    pack = pack_of(full, "020.jpg")
    data = bytearray(pack.read_bytes())
    data[len(data) // 2] ^= 1
    pack.write_bytes(data)
    problems = found(full)
    assert list(problems) == ADDED
    assert all(f"{pack}, which is damaged: remove that file" in p for p in problems.values())
    assert full.verify(files=False).clean  # packs are not read
    ended = homing_cli("verify", full.path)
    assert ended.status == 1
    pack.unlink()
    assert list(found(full)) == ADDED
    assert full.preview("020.jpg") is None
    assert [p.id for p in full.verify(files=False).problems] == ADDED
    assert "5 entries, 5 previews and 2 released files verified, 3 problems" in ended.err
    done = full.previews(tmp_path / "others")
    assert (done.made, done.present, done.problems) == (3, 2, ())
    assert full.verify().clean


@pytest.mark.parametrize("end", [":0:100000000", ":-1:5", ":5:0", ":3:90", ""])
def test_a_reference_that_leads_nowhere(full, end):
    tamper(full, "021.jpg", preview=pack_of(full, "020.jpg").name + end)
    assert list(found(full)) == ["021.jpg"]
    assert full.preview("021.jpg") is None


def test_many_packs(archive, tmp_path):
    for number in range(10):
        archive.add(make_pictures(tmp_path / f"{number}", 1, first=number))
    assert len(archive.preview_store.packs()) == 10
    assert archive.verify().clean
