"""Files of decisions: several writers, writers that are killed, and object stores."""

import os
import signal
import time

import pytest

import homing
from homing.archive.decisions import files as kept_files
from homing.archive.decisions.files import DecisionFiles
from tests.helpers.archive import child, completed
from tests.helpers.pictures import make_pictures, picture


@pytest.fixture
def filled(archive, tmp_path):
    archive.add(make_pictures(tmp_path / "photos", 4))
    return archive


#: Decides over and over on the same entry, without a network.
DECIDE = """
import numpy, homing
from homing.archive.decisions.query import DecidedQuery
archive = homing.open({path!r})
vector = numpy.ones(256, "float32") / 16
for number in range({count}):
    query = DecidedQuery(f"{name} {{number}}", b"q" * 32, vector, b"RIFF")
    archive.keep_decision(query, "000.jpg", copy=True, by={name!r})
sys.exit()
"""


def writer(archive, name, count=15):
    return child(["list"], before=DECIDE.format(path=str(archive.path), name=name, count=count))


def test_several_writers_lose_nothing_and_share_no_number(filled):
    for process in [writer(filled, name) for name in ("Ada", "Eve", "Bob")]:
        status, _, err = completed(process)
        assert status == 0, err
    kept = homing.open(filled.path).decisions()
    assert [each.number for each in kept] == list(range(1, 46))
    for name in ("Ada", "Eve", "Bob"):
        assert [each.query for each in kept if each.by == name] == [
            f"{name} {n}" for n in range(15)
        ]


def test_a_writer_killed_at_any_time_leaves_whole_decisions(filled):
    for number in range(4):
        process = writer(filled, f"killed {number}", count=10_000)
        deadline = time.monotonic() + 60
        before = filled._decisions.count()
        while filled._decisions.count() < before + 3 + number:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    opened = homing.open(filled.path)
    assert opened.verify().clean
    numbers = [each.number for each in opened.decisions()]
    assert numbers == list(range(1, len(numbers) + 1))
    assert completed(writer(filled, "after", count=1))[0] == 0
    assert opened.decisions()[-1].number == len(numbers) + 1
    (filled.path / "decisions" / ".x.json.1234.part").write_bytes(b"half")
    opened.compact()
    assert not list((filled.path / "decisions").glob("*.part"))


def test_undone_by_two_at_once(filled, tmp_path):
    picture(9).save(tmp_path / "query.jpg")
    for number in range(4):
        filled.decide(tmp_path / "query.jpg", f"00{number}.jpg", "not")
    processes = [child(["undecide", filled.path, "2", "3"]) for _ in range(2)]
    assert all(completed(process)[0] in (0, 1) for process in processes)
    assert [each.number for each in filled.decisions()] == [1, 4]
    assert len(list((filled.path / "decisions").glob("*.undone"))) == 2


def test_undoing_that_was_cut_short_is_undone(filled, tmp_path, monkeypatch):
    picture(9).save(tmp_path / "query.jpg")
    filled.decide(tmp_path / "query.jpg", "000.jpg", "not")
    monkeypatch.setattr(DecisionFiles, "remove", lambda _self, _name: None)
    filled.undo_decision(1)
    assert filled.decisions() == homing.open(filled.path).decisions() == []


def test_a_number_written_by_two_at_once_is_given_up(tmp_path, monkeypatch):
    """As in an object store, where there are no locks."""
    files = DecisionFiles(tmp_path / "decisions")
    monkeypatch.setattr(kept_files.secrets, "randbelow", lambda _most: 0)
    rival = f"00000001-{'a' * 32}.json"
    put = DecisionFiles._put

    def put_beside(self, name, data):
        put(self, name, data)
        if not (tmp_path / "decisions" / rival).exists():
            put(self, rival, b"rival")

    monkeypatch.setattr(DecisionFiles, "_put", put_beside)
    assert files.write(b"ours").startswith("00000002-")
    assert {kept_files.number_of(name) for name in files.standing()} == {1, 2}
