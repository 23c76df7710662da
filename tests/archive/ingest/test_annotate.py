"""``homing annotate``: captions of entries that are there already."""

import os

import pytest

import homing
from homing.archive.ingest import annotate as annotating
from homing.archive.table.table import Table
from tests.helpers.archive import DYING, child, completed, facts, write
from tests.helpers.pictures import make_pictures
from tests.helpers.vectors import unit_vectors

LIST = "path;caption;credit\n000.jpg;Low tide;Ada\n001.jpg;;Ada\n020.jpg;Fog;\n"


@pytest.fixture
def photos(tmp_path):
    return make_pictures(tmp_path / "photos", 2)


@pytest.fixture
def captions(tmp_path):
    (tmp_path / "photos.csv").write_text(LIST)
    return tmp_path / "photos.csv"


@pytest.fixture
def recorded(archive, photos, tmp_path):
    """Two released entries and an added one, without captions; one has a field already."""
    archive.release(photos, out=tmp_path / "out")
    archive.add(make_pictures(tmp_path / "others", 1, first=20))
    archive.annotate({"000.jpg": {"desk": "sea"}})
    return archive


def metadata(archive):
    return {row.id: dict(row.metadata or {}) for row in homing.open(archive.path).entries()}


WANTED = {
    "000.jpg": {"caption": "Low tide", "credit": "Ada", "desk": "sea"},
    "001.jpg": {"credit": "Ada"},
    "020.jpg": {"caption": "Fog"},
}


def test_a_list_is_recorded_and_all_else_stays(recorded, captions, tmp_path):
    before = [fact[:-1] for fact in facts(recorded)]
    report = recorded.annotate(captions)
    assert [each.status for each in report] == ["annotated"] * 3
    assert metadata(recorded) == WANTED
    assert [fact[:-1] for fact in facts(recorded)] == before
    version = recorded._table.version
    again = recorded.annotate(captions)
    assert again.count("skipped") == 3
    assert recorded._table.version == version
    assert recorded.verify().clean
    hit = homing.open(recorded.path).search(tmp_path / "photos" / "000.jpg")[0]
    assert hit.metadata == WANTED["000.jpg"]


def test_a_field_is_removed_and_another_kept(recorded):
    recorded.annotate({"000.jpg": {"a": [1], "b": {"c": None}}})
    report = recorded.annotate({"000.jpg": {"a": None, "never": None}, "001.jpg": {"a": None}})
    assert [each.status for each in report] == ["annotated", "skipped"]
    assert metadata(recorded)["000.jpg"] == {"b": {"c": None}, "desk": "sea"}


def test_an_unknown_id_fails_and_an_id_that_is_a_path_is_named(recorded, tmp_path):
    (tmp_path / "l.csv").write_text("path,id,caption\n000.jpg,sea/1,x\nno.jpg,no,x\n001.jpg,,y\n")
    report = recorded.annotate(tmp_path / "l.csv")
    assert [each.status for each in report] == ["failed", "failed", "annotated"]
    assert report.outcomes[0].reason == (
        "no entry has the id 'sea/1', but '000.jpg' is one: leave out the column 'id'"
    )
    assert report.outcomes[1].reason == "no entry has the id 'no'"


def test_an_id_is_found_in_any_spelling(archive):
    write(archive._table, archive.codebook, ["cafe\u0301.jpg"], unit_vectors(1, 1))
    assert archive.annotate({"caf\u00e9.jpg": {"a": 1}}).count("annotated") == 1
    assert metadata(archive) == {"cafe\u0301.jpg": {"a": 1}}


def test_absolute_paths_start_from_the_folder(recorded, photos, tmp_path):
    (tmp_path / "l.csv").write_text(f"path,caption\n{photos.absolute()}/000.jpg,x\n")
    assert recorded.annotate(tmp_path / "l.csv", folder=photos).count("annotated") == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("path,id\n000.jpg,\n", "no values beside"),
        ("id,caption\na,b\n", "no column is named 'path'"),
    ],
)
def test_a_list_without_captions_or_paths_is_refused(recorded, tmp_path, text, words):
    (tmp_path / "l.csv").write_text(text)
    with pytest.raises(homing.UsageError, match=words):
        recorded.annotate(tmp_path / "l.csv")


@pytest.mark.parametrize("fields", ["no mapping", {"a": float("nan")}, {1: 2}])
def test_what_is_no_json_is_refused_before_any_work(recorded, fields):
    version = recorded._table.version
    with pytest.raises(homing.UsageError, match=r"'001\.jpg': its metadata"):
        recorded.annotate({"000.jpg": {"a": 1}, "001.jpg": fields})
    assert recorded._table.version == version


def test_what_homing_records_of_a_signature_is_not_changed(recorded):
    for fields in ({"c2pa_manifest": "urn:x"}, {"c2pa_endpoint": None, "caption": "a dog"}):
        with pytest.raises(homing.UsageError, match=r"'001\.jpg': homing sets .'c2pa_"):
            recorded.annotate({"001.jpg": fields})
    assert "caption" not in (recorded.entry("001.jpg").metadata or {})


def test_a_run_says_what_it_passes_over(recorded, captions, photos, tmp_path):
    """Captions of pictures that are there already are named, with the command that records them."""
    released = recorded.release(photos, manifest=captions, out=tmp_path / "out")
    assert [each.unrecorded for each in released] == [("caption", "credit"), ("credit",), ()]
    assert released.outcomes[0].as_dict()["unrecorded"] == ["caption", "credit"]
    assert "of 2 pictures that were there already" in str(released)
    assert "'homing annotate'" in str(released)
    added = recorded.add(tmp_path / "photos", manifest=captions)
    assert [each.unrecorded for each in added][:2] == [("caption", "credit"), ("credit",)]
    recorded.annotate(captions)
    again = recorded.release(photos, manifest=captions, out=tmp_path / "out")
    assert not any(each.unrecorded for each in again)
    assert "annotate" not in str(again)


def test_a_picture_released_after_it_was_added_keeps_its_caption(recorded, tmp_path):
    recorded.annotate({"020.jpg": {"caption": "Fog", "credit": "Ada"}})
    (tmp_path / "l.csv").write_text("path,credit\n020.jpg,Bob\n")
    recorded.release(tmp_path / "others", manifest=tmp_path / "l.csv", out=tmp_path / "out")
    assert recorded.entry("020.jpg").state == "released"
    assert metadata(recorded)["020.jpg"] == {"caption": "Fog", "credit": "Bob"}
    (tmp_path / "out" / "020.jpg").unlink()  # released once more
    recorded.release(tmp_path / "others", out=tmp_path / "out")
    assert metadata(recorded)["020.jpg"] == {"caption": "Fog", "credit": "Bob"}


def test_what_another_process_records_meanwhile_is_kept(recorded, monkeypatch):
    """Also a removed entry stays removed."""
    lookup, other = Table.lookup, homing.open(recorded.path)

    def lookup_and_wait(self, ids, columns):
        found = lookup(self, ids, columns)
        monkeypatch.undo()
        other.annotate({"000.jpg": {"theirs": 1}})
        other.remove(["020.jpg"])
        return found

    monkeypatch.setattr(Table, "lookup", lookup_and_wait)
    report = recorded.annotate({name: {"ours": 2} for name in ("000.jpg", "001.jpg", "020.jpg")})
    assert [each.status for each in report] == ["annotated", "annotated", "failed"]
    assert metadata(recorded) == {
        "000.jpg": {"desk": "sea", "theirs": 1, "ours": 2},
        "001.jpg": {"ours": 2},
    }
    assert recorded.verify().clean


def test_both_engines_find_annotated_entries(archive):
    names, vectors = [f"{n:03}" for n in range(40)], unit_vectors(40, 5)
    write(archive._table, archive.codebook, names, vectors)
    archive.index()
    archive.adopt(
        homing.train_codebook(
            unit_vectors(600, 2), "IVF8,PQ16x8", descriptor=archive.settings.descriptor_fingerprint
        )
    )
    write(archive._table, archive.codebook, ["new"], unit_vectors(1, 9), generation=2)
    archive.annotate({"007": {"caption": "x"}, "new": {"caption": "y"}})
    for engine in ("memory", "lance"):
        opened = homing.open(archive.path, engine=engine)
        assert opened.search_vectors(vectors[7:8], k=1).ids[0, 0] == "007"
    assert archive.unindexed == 2
    archive.index()
    assert archive.verify().clean
    assert {row.generation for row in archive.entries()} == {1, 2}


DIE = f"""
from homing.archive.ingest import annotate as annotating
from homing.archive.table.table import Table
annotating._COMMIT = 1
{DYING}"""
POINTS = {
    "before any commit": "dying(Table, 'merge_metadata', 1, after=False)",
    "committed, no checksums": "dying(Table, 'record_checksums', 1, after=False)",
    "one committed": "dying(Table, 'merge_metadata', 1)",
    "two committed": "dying(Table, 'merge_metadata', 2)",
}


@pytest.mark.parametrize("point", POINTS)
def test_a_run_that_dies_is_run_again(recorded, captions, point):
    """The same command ends in the state of an undisturbed run, and the record is never wrong."""
    process = child(["annotate", recorded.path, captions], before=DIE + POINTS[point])
    process.communicate(timeout=120)
    assert process.returncode == 77
    assert homing.open(recorded.path).verify().clean
    status, out, _ = completed(child(["annotate", recorded.path, captions]))
    assert status == 0
    assert len(out.splitlines()) == 3
    assert metadata(recorded) == WANTED
    found = homing.open(recorded.path).verify()
    assert found.clean
    assert found.unrecorded == 0


def test_rows_of_a_damaged_file_are_not_written_anew(recorded):
    (file, *_) = sorted((recorded.path / "entries.lance" / "data").iterdir(), key=os.path.getsize)
    data = bytearray(file.read_bytes())
    data[len(data) // 3] ^= 1
    file.write_bytes(data)
    with pytest.raises(homing.ArchiveError, match="nothing is written"):
        homing.open(recorded.path).annotate({"000.jpg": {"a": 1}})


def test_many_are_recorded_in_several_commits(archive, monkeypatch):
    monkeypatch.setattr(annotating, "_COMMIT", 8)
    names = [f"{n:03}" for n in range(20)]
    write(archive._table, archive.codebook, names, unit_vectors(20, 5))
    version, steps = archive._table.version, []
    given = {name: {"caption": f"it's {name}"} for name in names}
    archive.annotate(given, progress=steps.append)
    assert [(step.done, step.total) for step in steps] == [(n + 1, 20) for n in range(20)]
    assert {i: {"caption": m["caption"]} for i, m in metadata(archive).items()} == given
    assert archive._table.version == version + 3


def test_the_command(recorded, captions, homing_cli):
    ended = homing_cli("annotate", recorded.path, captions, "--json")
    assert ended.status == 0
    assert [each["status"] for each in ended.objects] == ["annotated"] * 3
    captions.write_text("path,caption\nno.jpg,x\n")
    ended = homing_cli("annotate", recorded.path, captions)
    assert ended.status == 1
    assert "no entry has the id 'no.jpg'" in ended.err
    assert "1 failed" in ended.err
    captions.unlink()
    ended = homing_cli("annotate", recorded.path, captions)
    assert ended.status == 2
    assert "photos.csv" in ended.err
