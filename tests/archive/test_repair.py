"""Repair: damaged versions are named, set aside and left behind, or mended; what can be read stays.

Also tests archive/table/damaged.
"""

import json
from pathlib import Path

import pytest
from lance.file import LanceFileReader

import homing
from homing.archive.repair import repair
from homing.archive.table.disk import manifests
from homing.archive.table.table import TABLE
from homing.files.locks import share_lock
from homing.files.small_json import decode, encode
from tests.helpers.archive import child, completed, contents, facts, write
from tests.helpers.pictures import make_pictures
from tests.helpers.vectors import unit_vectors


@pytest.fixture
def photos(tmp_path) -> Path:
    return make_pictures(tmp_path / "photos", 6)


@pytest.fixture
def filled(archive, photos):
    """An archive with three pictures added, and then three more."""
    archive.add(sorted(photos.iterdir())[:3])
    archive.add(photos)
    return archive


def newest_manifest(archive) -> Path:
    return next(iter(manifests(archive.path / TABLE).values()))


def newest_data(archive) -> Path:
    """The data file that only the newest version has."""
    return max((archive.path / TABLE / "data").iterdir(), key=lambda file: file.stat().st_mtime_ns)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-7])


def set_aside(archive) -> dict[str, bytes]:
    """What was set aside, by its place in the archive."""
    kept = contents(archive.path / "set-aside")
    return {name.partition("/")[2]: data for name, data in kept.items()}


@pytest.mark.parametrize("blank", [b"", bytes(500)], ids=["empty", "zeros"])
def test_an_empty_manifest_is_of_a_commit_that_never_returned(filled, photos, blank):
    """A power cut leaves one so; it is set aside by itself, and the same command does the rest."""
    whole, last = facts(filled), newest_manifest(filled)
    last.write_bytes(blank)
    again = homing.open(filled.path)
    assert len(again) == 3
    assert set_aside(again) == {f"{TABLE}/_versions/{last.name}": blank}
    assert sorted(each.status for each in again.add(photos)) == ["added"] * 3 + ["skipped"] * 3
    assert facts(again) == whole


def damaged_manifest(archive) -> None:
    cut(newest_manifest(archive))


def lost_data(archive) -> None:
    newest_data(archive).unlink()


def empty_data(archive) -> None:
    newest_data(archive).write_bytes(b"")


@pytest.mark.parametrize("damage", [damaged_manifest, lost_data, empty_data])
def test_repair_goes_back_and_the_same_command_does_the_rest(filled, photos, damage):
    whole, version = facts(filled), filled.versions()[-1]["version"]
    damage(filled)
    before = contents(filled.path / TABLE)
    try:
        named = [problem.message for problem in homing.open(filled.path).verify().problems]
    except homing.ArchiveError as error:
        named = [str(error)]
        assert f"ersion {version}" in named[0]
    assert any("'homing repair'" in message for message in named)
    done = repair(filled.path)
    assert (done.version, done.entries) == (version - 1, 3)
    assert [each.version for each in done.damaged] == [version]
    after = contents(filled.path / TABLE)
    kept = {name.removeprefix(f"{TABLE}/"): data for name, data in set_aside(filled).items()}
    assert f"_versions/{newest_name(version)}" in kept
    assert kept | after == before | {name: after[name] for name in after if "hint" in name}
    again = homing.open(filled.path)
    assert again.verify().clean
    assert sorted(each.status for each in again.add(photos)) == ["added"] * 3 + ["skipped"] * 3
    again.compact()
    assert facts(again) == whole
    assert set(kept) == {name.removeprefix(f"{TABLE}/") for name in set_aside(again)}


def newest_name(version: int) -> str:
    return f"{(1 << 64) - 1 - version}.manifest"


def break_column(archive, file: Path, name: str) -> None:
    columns = LanceFileReader(str(file)).metadata().columns
    (buffer,) = columns[archive._table.schema.names.index(name)].pages[0].buffers
    data = bytearray(file.read_bytes())
    data[buffer.position : buffer.position + buffer.size] = b"\xff" * buffer.size
    file.write_bytes(data)


def test_entries_lost_are_named_where_their_ids_can_be_read(filled):
    """The vectors are damaged, and the ids are not."""
    break_column(filled, newest_data(filled), "state")
    done = repair(filled.path)
    assert (done.entries, done.lost) == (3, ("003.jpg", "004.jpg", "005.jpg"))


def test_a_whole_archive_is_unchanged(filled):
    before = contents(filled.path)
    done = repair(filled.path)
    assert (done.damaged, done.lost, done.set_aside, done.entries) == ((), (), None, 6)
    after = contents(filled.path)
    assert {name: after[name] for name in before} == before
    assert all(name.endswith((".lock", ".commits")) for name in after.keys() - before.keys())


def test_nothing_is_set_aside_while_others_write(filled, monkeypatch):
    monkeypatch.setattr("homing.archive.table.versions._PATIENCE", 0.1)
    cut(newest_manifest(filled))
    before = contents(filled.path)
    with (
        share_lock(filled.path / "entries.lock"),
        pytest.raises(homing.UsageError, match="another process writes"),
    ):
        repair(filled.path)
    assert contents(filled.path) == before


@pytest.fixture
def parts(archive):
    """An archive with twelve entries of three commits, indexed."""
    for part in range(3):
        names = [f"{part}-{number}" for number in range(4)]
        write(archive._table, archive.codebook, names, unit_vectors(4, part))
    archive.remove(["1-0"])
    archive.index()
    return archive


def first_data(archive) -> Path:
    """The data file that all versions with entries have."""
    files = (archive.path / TABLE / "data").iterdir()
    return min(files, key=lambda file: file.stat().st_mtime_ns)


def test_where_no_version_is_whole_what_can_be_read_stays(parts, homing_cli):
    """The file of the first commit is cut: its ids cannot be read either."""
    whole = facts(parts)
    cut(first_data(parts))
    before = contents(parts.path / TABLE)
    ran = homing_cli("repair", parts.path)
    assert ran.status == 0
    assert "lost: 4 whose ids cannot be read" in ran.out
    kept = {name.removeprefix(f"{TABLE}/"): data for name, data in set_aside(parts).items()}
    after = contents(parts.path / TABLE)
    assert (kept | after).keys() >= before.keys()
    again = homing.open(parts.path)
    assert again.verify().clean
    assert facts(again) == whole[4:]  # the removed one is not back
    assert repair(parts.path).damaged == ()
    write(again._table, again.codebook, ["0-0"], unit_vectors(1, 0))
    again.index()
    again.compact()
    assert len(again) == 8


def test_removed_entries_do_not_come_back_for_nothing(archive):
    """The older version has one entry more: the one that was removed."""
    write(archive._table, archive.codebook, ["a", "b"], unit_vectors(2, 0))
    write(archive._table, archive.codebook, ["c"], unit_vectors(1, 1))
    archive.remove(["a"])
    cut(newest_data(archive))
    done = repair(archive.path)
    assert [row.id for row in homing.open(archive.path).entries()] == ["b"]
    assert (done.entries, done.unnamed, done.lost) == (1, 1, ())


def test_they_do_where_nobody_knows_which_were_removed(archive, homing_cli):
    write(archive._table, archive.codebook, ["a", "b"], unit_vectors(2, 0))
    archive.remove(["a"])
    (deletions,) = (archive.path / TABLE / "_deletions").iterdir()
    data = bytearray(deletions.read_bytes())
    data[len(data) // 2] ^= 1
    deletions.write_bytes(data)
    assert "removals too" in homing_cli("repair", archive.path).out
    assert [row.id for row in homing.open(archive.path).entries()] == ["a", "b"]


def test_rows_are_named_where_only_their_ids_can_be_read(parts):
    break_column(parts, first_data(parts), "state")
    done = repair(parts.path)
    assert (done.entries, done.lost, done.unnamed) == (7, ("0-0", "0-1", "0-2", "0-3"), 0)


def test_rows_that_may_have_wrong_values_stay_and_are_named(parts, homing_cli):
    """One bit of a SHA-256 is another: nothing but the file's checksum tells."""
    file, digest = first_data(parts), parts._table.lookup(["0-2"], ["source_sha256"])["0-2"]
    data = bytearray(file.read_bytes())
    data[data.index(digest["source_sha256"])] ^= 1
    file.write_bytes(data)
    assert not homing.open(parts.path).verify().clean
    done = json.loads(homing_cli("repair", parts.path, "--json").out)
    assert (done["entries"], done["lost"]) == (11, [])
    assert done["doubtful"] == ["0-0", "0-1", "0-2", "0-3"]
    assert homing.open(parts.path).verify().clean


def test_what_can_be_read_is_exported(parts, create, tmp_path, homing_cli):
    whole = facts(parts)
    cut(first_data(parts))
    before = contents(parts.path / TABLE)
    file = tmp_path / "rows.parquet"
    ran = homing_cli("repair", parts.path, "--export", file, "--json")
    assert ran.status == 1
    expected = {"file": str(file), "rows": 7, "lost": 4, "lost_ids": [], "doubtful": []}
    assert json.loads(ran.out) == expected
    assert contents(parts.path / TABLE) == before
    other = create("other")
    assert other.import_rows(file).imported == 7
    assert facts(other) == whole[4:]


def test_it_goes_back_all_the_same_where_that_is_asked(parts, homing_cli):
    cut(first_data(parts))
    assert homing_cli("repair", parts.path, "--to", "1").status == 0
    assert len(homing.open(parts.path)) == 0
    (parts.path / TABLE / "_versions" / newest_name(1)).write_bytes(b"damaged")
    ran = homing_cli("repair", parts.path)
    assert ran.status == 2
    assert "can be read" in ran.err


def test_a_release_that_died_before_the_cut_is_completed(archive, photos, tmp_path, homing_cli):
    """Its journal has what the damaged version had."""
    arguments = ["release", archive.path, photos, "--out", tmp_path / "out", "--psnr", "40"]
    die = (
        "import os, homing.archive.ingest.release as releasing, homing.archive.ingest.run\n"
        "def die(*given, do=releasing.record_rows):\n"
        "    do(*given)\n"
        "    os._exit(77)\n"
        "releasing.record_rows = die\n"
        "homing.archive.ingest.run.WAITS = (600,)\n"  # one commit, however busy the machine is
    )
    assert completed(child(arguments, before=die))[0] == 77
    assert len(homing.open(archive.path)) == 6
    cut(newest_manifest(archive))
    assert homing_cli(*arguments).status == 2
    ran = homing_cli("repair", archive.path)
    assert ran.status == 0
    assert "run the same commands again" in ran.out
    assert homing_cli(*arguments).status == 0
    opened = homing.open(archive.path)
    assert len(opened) == 6
    assert opened.verify().clean
    assert not list((tmp_path / "out").glob(".homing-*"))


@pytest.mark.parametrize("damage", ["missing", "cut", "changed", "folder"])
def test_settings_are_put_back_from_their_copy(filled, homing_cli, damage):
    file = filled.path / "archive.json"
    before = file.read_bytes()
    if damage in ("missing", "folder"):
        file.unlink()
    if damage == "folder":
        file.mkdir()
    elif damage == "cut":
        cut(file)
    elif damage == "changed":
        file.write_bytes(before.replace(b'"previews": 480', b'"previews": 240'))
    with pytest.raises(homing.ArchiveError, match="'homing repair"):
        homing.open(filled.path)
    ended = homing_cli("repair", filled.path)
    assert ended.status == 0
    assert ended.out.startswith("archive.json was put back from its copy")
    assert file.read_bytes() == before
    assert homing.open(filled.path).verify().clean
    if damage in ("cut", "changed"):
        assert set(set_aside(filled)) == {"archive.json"}


def test_a_damaged_copy_is_named_and_renewed(filled, homing_cli):
    copy = filled.path / "checksums" / "archive.json.copy"
    for spoil in (cut, lambda file: file.write_bytes(b"")):
        spoil(copy)
        (problem,) = homing.open(filled.path).verify().problems
        assert "checksums/archive.json.copy differs" in problem.message
        assert homing.open(filled.path).verify(files=False).clean
        assert repair(filled.path).settings is False
        assert homing.open(filled.path).verify().clean
    copy.unlink()  # of an archive made before there was one
    assert homing.open(filled.path).verify().clean
    repair(filled.path)
    assert copy.read_bytes() == (filled.path / "archive.json").read_bytes()


def test_where_the_copy_is_damaged_too_a_backup_is_asked_for(filled):
    for file in (filled.path / "archive.json", filled.path / "checksums" / "archive.json.copy"):
        cut(file)
    with pytest.raises(homing.ArchiveError, match="from a backup"):
        repair(filled.path)


def test_settings_of_a_later_version_are_not_put_back(filled):
    for file in (filled.path / "archive.json", filled.path / "checksums" / "archive.json.copy"):
        file.write_bytes(encode(decode(file.read_bytes()) | {"format": 3}))
    with pytest.raises(homing.ArchiveError, match="a later one may read it"):
        repair(filled.path)
