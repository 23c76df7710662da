"""Power cuts: the disk has what was acknowledged, whatever else it forgets."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import lance
import pytest

import homing
from homing.archive.table.lance_internals import is_unfinished
from tests.helpers.archive import facts, write
from tests.helpers.disk import ForgetfulDisk
from tests.helpers.pictures import make_pictures
from tests.helpers.vectors import unit_vectors


@pytest.fixture
def disk(monkeypatch) -> ForgetfulDisk:
    return ForgetfulDisk(monkeypatch)


@pytest.fixture
def home(tmp_path) -> Path:
    """Folder of archive, pictures, released files and exports."""
    make_pictures(tmp_path / "home" / "photos", 4)
    make_pictures(tmp_path / "others", 3, first=50)
    return tmp_path / "home"


@pytest.fixture
def commands(home, tmp_path, network_file, codebook) -> Iterator[tuple[str, Callable[[], object]]]:
    """Every command that writes to an archive, in an order in which each has something to do."""

    def run() -> Iterator[tuple[str, Callable[[], object]]]:
        place = home / "new" / "archive"
        yield "init", lambda: homing.create(place, descriptor=network_file, codebook=codebook)
        archive = homing.open(place)
        out, rows = home / "out" / "deep", home / "rows.parquet"
        second = homing.train_codebook(
            unit_vectors(600, 2), "IVF8,PQ16x8", descriptor=archive.settings.descriptor_fingerprint
        )
        yield "release", lambda: archive.release(home / "photos", out=out, psnr=40)
        yield "add", lambda: archive.add(tmp_path / "others")
        yield "decide", lambda: archive.decide(tmp_path / "others" / "051.jpg", "001.jpg", "not")
        yield "annotate", lambda: archive.annotate({"002.jpg": {"caption": "Low tide"}})
        yield "index", archive.index
        yield "export", lambda: archive.export(rows)
        yield "remove", lambda: archive.remove(["001.jpg", "050.jpg"])
        yield "compact", archive.compact
        yield "adopt", lambda: archive.adopt(second)
        yield "import", lambda: archive.import_rows(rows)
        yield "index again", archive.index
        yield "compact again", archive.compact

    return run()


def state_of(place: Path) -> tuple:
    archive = homing.open(place)
    found = archive.verify()
    assert found.clean, found.problems
    return found, facts(archive), archive.generations, archive.unindexed, str(archive.decisions())


@pytest.mark.parametrize("names", [False, True], ids=["nameless", "empty"])
def test_nothing_acknowledged_is_lost(disk, home, tmp_path, commands, names):
    """What was not synced is lost with its name, or empty under it."""
    for command, run in commands:
        run()
        left = tmp_path / f"after {command}"
        disk.cut(home, left, names=names)
        assert state_of(left / "new" / "archive") == state_of(home / "new" / "archive"), command
        exported = home / "rows.parquet"
        if exported.exists():
            assert (left / "rows.parquet").read_bytes() == exported.read_bytes()


def test_a_calibration_is_not_lost(disk, archive, tmp_path):
    vectors = unit_vectors(300, 5)
    write(archive._table, archive.codebook, [f"{n:03}" for n in range(300)], vectors)
    archive.calibrate()
    disk.cut(archive.path, tmp_path / "left", names=False)
    written = (archive.path / "calibration.json").read_bytes()
    assert (tmp_path / "left" / "calibration.json").read_bytes() == written


def test_no_manifest_comes_before_what_it_names(disk, home, commands):
    """Nor does anything go before what replaces it is on the disk."""
    table, manifests = home / "new" / "archive" / "entries.lance", set()

    def check(path: Path) -> None:
        if path.suffix == ".manifest" and table in path.parents:
            manifests.add(path)
            with ThreadPoolExecutor() as pool:  # Lance cannot be called by the one that it calls
                named = pool.submit(named_files).result()
            assert all(disk.has(table / name) for name in named if "_versions" not in name)

    def named_files() -> list[str]:
        return lance.dataset(str(table)).tracked_files().read_all()["path"].to_pylist()

    disk.on_sync = check
    for command, run in commands:
        before = len(manifests)
        run()
        if command not in {"init", "decide", "export", "compact again"}:
            assert len(manifests) > before, command
    newest = sorted((table / "_versions").glob("*.manifest"))[0]
    assert disk.has(newest)
    assert not any(is_unfinished(each.name) for each in (table / "data").iterdir())


def test_a_version_that_a_killed_process_left_unsynced_is_synced_first(disk, archive, tmp_path):
    rows = (["a", "b"], unit_vectors(2, 1))
    write(homing.open(archive.path, sync=False)._table, archive.codebook, *rows)
    make_pictures(tmp_path / "photos", 1)
    archive.remove(["no such entry"])
    disk.cut(archive.path, tmp_path / "left", names=False)
    assert [row[0] for row in facts(homing.open(tmp_path / "left"))] == ["a", "b"]


def test_without_syncing_the_disk_forgets(disk, archive, tmp_path):
    """The disk of these tests does forget; and a bulk load may ask it not to be waited for."""
    table = homing.open(archive.path, sync=False)._table
    write(table, archive.codebook, ["a", "b"], unit_vectors(2, 1))
    disk.cut(archive.path, tmp_path / "left", names=False)
    assert len(homing.open(tmp_path / "left")) == 0
    assert len(homing.open(archive.path)) == 2
