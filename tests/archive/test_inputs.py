"""Inputs from files, folders and manifests: ids, destinations, metadata."""

import dataclasses
import json
import os
from pathlib import Path

import pytest

import homing
from homing.archive.ingest.activate_files import activate_files
from homing.archive.inputs import gather_inputs, refuse_clashes
from homing.archive.table.commit import commit_rows
from homing.options import Activation
from tests.helpers.archive import contents
from tests.helpers.pictures import make_pictures


@pytest.fixture
def photos(tmp_path):
    return make_pictures(tmp_path / "photos", 3)


def listed(tmp_path: Path, text: str | bytes, suffix: str = ".csv", base: bool = True):
    file = tmp_path / f"list{suffix}"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return gather_inputs([tmp_path / "photos"] if base else [], file)


TABLE = "path,id,title,year\n000.jpg,first,The sea,1999\n001.jpg,,,\n002.jpg,third,\n"


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_a_table(tmp_path, photos, bom, ends):
    inputs = listed(tmp_path, bom + TABLE.replace("\n", ends).encode())
    assert [item.id for item in inputs] == ["first", "001.jpg", "third"]
    assert [item.metadata for item in inputs] == [{"title": "The sea", "year": "1999"}, None, None]
    assert [item.path for item in inputs] == [photos / f"00{n}.jpg" for n in range(3)]
    assert [item.destination for item in inputs] == [Path(f"00{n}.jpg") for n in range(3)]


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_objects_line_by_line(tmp_path, photos, bom):
    rows = [
        {"path": "000.jpg", "id": 7, "tags": ["a", "b"], "rated": True},
        {"path": "001.jpg", "id": None, "title": "Größe 图"},
    ]
    text = "\n\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode()
    inputs = listed(tmp_path, bom + text, ".jsonl")
    assert [item.id for item in inputs] == ["7", "001.jpg"]
    assert inputs[0].metadata == {"tags": ["a", "b"], "rated": True}
    assert inputs[1].metadata == {"title": "Größe 图"}


def test_paths_start_from_the_manifest_unless_a_folder_is_given(tmp_path, photos):
    (item,) = listed(tmp_path, "path\nphotos/000.jpg\n", base=False)
    assert item.path == photos / "000.jpg"
    assert item.id == "photos/000.jpg"
    assert item.destination == Path("photos/000.jpg")


@pytest.mark.parametrize("path", ["../photos/000.jpg", "sub/../../x/000.jpg", "{photos}/000.jpg"])
def test_no_path_leads_out_of_the_output_folder(tmp_path, photos, path):
    (item,) = listed(tmp_path, f"path\n{path.format(photos=photos)}\n")
    assert item.destination == Path("000.jpg")


@pytest.mark.parametrize(
    ("text", "suffix", "message"),
    [
        ("name,id\n000.jpg,1\n", ".csv", "line 1: no column is named 'path', but 'name', 'id'"),
        ("path,id\n,1\n", ".csv", "line 2.*no 'path'"),
        ("path,id\n000.jpg,1,surplus\n", ".csv", "line 2.*more values than columns"),
        ("path,id\n000.jpg,same\n001.jpg,same\n", ".csv", "'same'.*stand for both"),
        ("path\n000.jpg\n000.jpg\n", ".csv", "stand for both"),
        ("path\n", ".csv", "no picture was found"),
        ("", ".csv", "no picture was found"),
        ("", ".jsonl", "no picture was found"),
        (b"path\n\xff.jpg\n", ".csv", "line 2: not UTF-8"),
        ('{"path": "000.jpg"', ".jsonl", "line 1: not JSON"),
        ('{"path": "000.jpg", "x": NaN}', ".jsonl", "line 1: not JSON"),
        ('{"path": "000.jpg", "id": "\\ud800"}', ".jsonl", "line 1: not valid Unicode"),
        ('{"path": "000.jpg", "x": ["\\ud800"]}', ".jsonl", "line 1: not valid Unicode"),
        ('{"path": "000.jpg", "x": ' + "[" * 70 + "]" * 70 + "}", ".jsonl", "line 1: .* 64 deep"),
        ('{"path": "000.jpg", "id": ' + "[" * 70 + "]" * 70 + "}", ".jsonl", "line 1: .* 64 deep"),
        ('{"x": ' + "[" * 9999 + "]" * 9999 + "}", ".jsonl", "line 1: not JSON"),
        ('["000.jpg"]', ".jsonl", "line 1: expected an object"),
        ('{"path": 3}', ".jsonl", "line 1.*no 'path'"),
        ('\n{"id": "x"}', ".jsonl", "line 2.*no 'path'"),
        ("000.jpg\n", ".txt", r"\.csv or \.jsonl"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_cannot_be_understood_is_refused_with_its_line(
    tmp_path, photos, text, suffix, message
):
    with pytest.raises(homing.UsageError, match=message):
        listed(tmp_path, text, suffix)


def test_a_missing_manifest_is_named(tmp_path):
    with pytest.raises(homing.UsageError, match=r"nothere\.csv"):
        gather_inputs([], tmp_path / "nothere.csv")


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    """It could be read only once, and a manifest is read twice."""
    os.mkfifo(tmp_path / "photos.csv")
    with pytest.raises(homing.UsageError, match="is a pipe, not a file"):
        gather_inputs([], tmp_path / "photos.csv")


def test_a_manifest_and_several_folders_are_refused(tmp_path, photos):
    file = tmp_path / "list.csv"
    file.write_text("path\n000.jpg\n")
    for given in ([photos, photos], [photos / "000.jpg"], [tmp_path / "missing"]):
        with pytest.raises(homing.UsageError, match="at most one folder"):
            gather_inputs(given, file)


def test_clashing_files_are_refused_before_any_work(archive, tmp_path, codebook):
    folder = make_pictures(tmp_path / "photos", 2)
    for name in ("000.png", "sub/000.jpg"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes((folder / "001.jpg").read_bytes())
    with pytest.raises(
        homing.UsageError, match=r"000\.jpg' and '.*000\.png' would both .*'000\.png'"
    ):
        archive.release(folder, out=tmp_path / "out", format="png")
    assert not (tmp_path / "out").exists()
    assert len(archive) == 0
    inputs = gather_inputs([folder], None)
    with pytest.raises(homing.UsageError, match="would both"):
        activate_files(
            inputs,
            archive.descriptor,
            codebook,
            out="out",
            activation=Activation(format="png"),
        )
    refuse_clashes(inputs, None, tmp_path)
    (folder / "001.png").mkdir()
    (folder / "001.png" / "a.png").write_bytes(b"")
    (folder / "000.png").unlink()
    with pytest.raises(homing.UsageError, match=r"as '001\.png', which is a folder of '.*a\.png'"):
        refuse_clashes(gather_inputs([folder], None), "PNG", tmp_path)
    (tmp_path / "list.csv").write_text("path,id\n../x/000.jpg,1\n000.jpg,2\n")
    with pytest.raises(homing.UsageError, match=r"would both be released as '000\.jpg'"):
        refuse_clashes(gather_inputs([folder], tmp_path / "list.csv"), None, tmp_path)


def test_names_that_differ_in_case_clash_where_the_file_system_knows_none(tmp_path, monkeypatch):
    folder = make_pictures(tmp_path / "photos", 1)
    data = (folder / "000.jpg").read_bytes()
    for name in ("Stra\N{LATIN SMALL LETTER SHARP S}e.jpg", "STRASSE.JPG", "sub/a.jpg", "SUB"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
    inputs = gather_inputs([folder], None)
    out = tmp_path / "Out" / "new"
    refuse_clashes(inputs, None, out)  # here they are two
    exists, samefile = Path.exists, Path.samefile
    real = {str(each).lower(): each for each in (tmp_path, *tmp_path.parents)}

    def real_of(path: Path) -> Path:
        return real.get(str(path).lower(), path)

    monkeypatch.setattr(Path, "exists", lambda self: exists(real_of(self)))
    monkeypatch.setattr(Path, "samefile", lambda self, other: samefile(real_of(self), other))
    with pytest.raises(homing.UsageError, match=r"Stra.e\.jpg' would both .*different folders"):
        refuse_clashes(inputs, None, out)
    inputs = [each for each in inputs if "tra" not in each.written.lower()]
    with pytest.raises(homing.UsageError, match="as 'SUB', which is a folder of"):
        refuse_clashes(inputs, None, out)


def test_one_name_in_two_forms_is_one_entry(archive, tmp_path):
    (photo,) = make_pictures(tmp_path / "photos", 1).iterdir()
    composed, decomposed = "\u00e9t\u00e9.jpg", "e\u0301te\u0301.jpg"
    folders = {name: tmp_path / f"f{len(name)}" for name in (decomposed, composed)}
    for name, folder in folders.items():
        folder.mkdir()
        (folder / name).write_bytes(photo.read_bytes())
    first, second = (archive.add(folder) for folder in folders.values())
    assert [each.status for each in (*first, *second)] == ["added", "skipped"]
    assert [row.id for row in archive.entries()] == [composed]
    for name, folder in folders.items():
        assert archive.entry(name).id == composed
        assert archive.preview(name)
        assert [row.id for row in archive.page(prefix=name[:2], state=None, after=None, limit=9)]
        # the file of an entry is found in a folder, whichever form its name has there
        place = archive.sources([folder]).find(composed)
        assert isinstance(place, Path)
        assert place.parent == folder
    (folders[composed] / decomposed).write_bytes(photo.read_bytes())
    with pytest.raises(homing.UsageError, match="would stand for both"):
        archive.add(folders[composed])
    assert archive.remove([decomposed]) == (decomposed,)
    assert len(archive) == 0


def test_ids_of_older_archives_keep_their_form(archive, tmp_path):
    """Before ids were composed, an entry had that of the file's name."""
    folder = make_pictures(tmp_path / "photos", 1)
    mixed = "\u00e9te\u0301.jpg"
    (folder / "000.jpg").rename(folder / mixed)
    archive.add(folder)
    row = archive._table.rows(with_vectors=True)
    archive._table.upsert(archive._table.to_arrow([dataclasses.replace(next(row), id=mixed)]))
    archive.remove(["\u00e9t\u00e9.jpg"])
    assert [row.id for row in archive.entries()] == [mixed]
    assert [each.status for each in archive.add(folder)] == ["skipped"]
    (released,) = archive.release(folder, out=tmp_path / "out", method="paper")
    assert (released.status, released.id) == ("released", mixed)
    assert [(row.id, row.state) for row in archive.entries()] == [(mixed, "released")]
    # Another process, which has not seen the entry, cannot record it a second time either.
    new = dataclasses.replace(archive.entry(mixed), id="e\u0301te\u0301.jpg")
    decomposed = dataclasses.replace(new, source_sha256=bytes(32))
    upsert = dataclasses.replace(new, id=mixed)
    archive._table.upsert(archive._table.to_arrow([dataclasses.replace(upsert, id=new.id)]))
    archive.remove([mixed])
    composed = [dataclasses.replace(each, id="\u00e9t\u00e9.jpg") for each in (new, decomposed)]
    assert commit_rows(archive._table, archive._table.to_arrow(composed[:1])) == set()
    assert commit_rows(archive._table, archive._table.to_arrow(composed[1:])) == {composed[1].id}
    assert [row.id for row in archive.entries()] == [new.id]


def test_metadata_is_stored_and_returned_by_a_search(archive, photos, tmp_path):
    (tmp_path / "list.csv").write_text(TABLE)
    archive.release(photos, out=tmp_path / "out", manifest=tmp_path / "list.csv")
    assert contents(tmp_path / "out").keys() == {"000.jpg", "001.jpg", "002.jpg"}
    archive.compact()
    found = archive.search(photos / "000.jpg", k=3, probes=8)
    assert {hit.id: hit.metadata for hit in found} == {
        "first": {"title": "The sea", "year": "1999"},
        "001.jpg": None,
        "third": None,
    }
    assert found[0].id == "first"
    assert archive.entry("first").metadata == {"title": "The sea", "year": "1999"}
    again = archive.add(photos, manifest=tmp_path / "list.csv")
    assert again.count("skipped") == 3


def test_bad_paths_of_a_manifest_cost_their_pictures(archive, photos, tmp_path):
    rows = ["missing.jpg", "000.jpg", ".", "nul\0byte.jpg", "x" * 300 + ".jpg"]
    (tmp_path / "list.jsonl").write_text(
        "".join(json.dumps({"path": row, "id": f"n{n}"}) + "\n" for n, row in enumerate(rows))
    )
    for report in (
        archive.release(photos, out=tmp_path / "out", manifest=tmp_path / "list.jsonl"),
        archive.add(photos, manifest=tmp_path / "list.jsonl"),
    ):
        assert [o.id for o in report.failures] == ["n0", "n2", "n3", "n4"]
        assert all(o.reason for o in report.failures)
    assert [row.id for row in archive.entries()] == ["n1"]
