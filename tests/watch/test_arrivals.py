"""Files that arrive: when they count as complete, by a clock of the test's own."""

import os
from pathlib import Path

import pytest

from homing.errors import UsageError
from homing.watch.arrivals import UNFINISHED, Arrivals


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def names(arrivals: Arrivals, now: float) -> list[str]:
    return [each.relative.as_posix() for each in arrivals.settled(now)]


def test_a_file_is_complete_when_it_has_not_changed_for_a_while(folder: Path) -> None:
    arrivals = Arrivals(folder, 5)
    (folder / "a.jpg").write_bytes(b"1")
    assert names(arrivals, 0) == []
    assert names(arrivals, 4.9) == []
    assert names(arrivals, 5) == ["a.jpg"]


def test_a_file_that_grows_is_waited_for(folder: Path) -> None:
    arrivals = Arrivals(folder, 5)
    for now in range(0, 40, 4):
        with (folder / "a.jpg").open("ab") as file:
            file.write(b"more")
        assert names(arrivals, now) == []
    assert names(arrivals, 41) == ["a.jpg"]


def test_a_file_rewritten_at_its_size_is_waited_for(folder: Path) -> None:
    arrivals = Arrivals(folder, 5)
    (folder / "a.jpg").write_bytes(b"1")
    assert names(arrivals, 0) == []
    os.utime(folder / "a.jpg", ns=(1, 1))  # an old time, as copies keep it
    assert names(arrivals, 5) == []
    assert names(arrivals, 10) == ["a.jpg"]


def test_a_file_renamed_in_settles_under_its_new_name(folder: Path) -> None:
    arrivals = Arrivals(folder, 5)
    (folder / "a.jpg.part").write_bytes(b"1")
    assert names(arrivals, 0) == names(arrivals, 100) == []
    (folder / "a.jpg.part").rename(folder / "a.jpg")
    assert names(arrivals, 101) == []
    assert names(arrivals, 106) == ["a.jpg"]


def test_one_that_went_and_came_again_starts_anew(folder: Path) -> None:
    arrivals = Arrivals(folder, 5)
    (folder / "a.jpg").write_bytes(b"1")
    before = (folder / "a.jpg").stat()
    arrivals.settled(0)
    (folder / "a.jpg").unlink()
    arrivals.settled(3)
    (folder / "a.jpg").write_bytes(b"1")
    os.utime(folder / "a.jpg", ns=(before.st_mtime_ns, before.st_mtime_ns))
    assert names(arrivals, 6) == []


@pytest.mark.parametrize("end", UNFINISHED)
def test_unfinished_names_are_left_and_what_they_will_become(folder: Path, end: str) -> None:
    (folder / f"a.jpg{end}").write_bytes(b"1")
    (folder / "a.jpg").write_bytes(b"1")  # as Firefox does
    (folder / "b.jpg").write_bytes(b"1")
    assert names(Arrivals(folder, 0), 0) == ["b.jpg"]


@pytest.mark.parametrize(
    "name",
    [".a.jpg.Xy12Zq", ".in.a.jpg.", "._a.jpg", "Thumbs.db", "~$a.jpg", "a.xmp", "a.jpg.json",
     ".rsync-partial/a.jpg", "@eaDir/a.jpg"],
)  # fmt: skip
def test_other_names_that_are_no_pictures_are_left(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"1")
    assert names(Arrivals(folder, 0), 100) == []


def test_links_and_pipes_are_left(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "far.jpg").write_bytes(b"1")
    (folder / "link.jpg").symlink_to(tmp_path / "far.jpg")
    (folder / "elsewhere").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe.jpg")
    assert names(Arrivals(folder, 0), 0) == []


def test_an_empty_file_gets_a_minute(folder: Path) -> None:
    (folder / "a.jpg").touch()
    arrivals = Arrivals(folder, 5)
    assert names(arrivals, 0) == names(arrivals, 59) == []
    assert names(arrivals, 60) == ["a.jpg"]


def test_subfolders_are_looked_through_in_the_order_of_names(folder: Path) -> None:
    for name in ("b/2.jpg", "b/1.jpg", "a.jpg", "c/d/e.jpg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"1")
    assert names(Arrivals(folder, 0), 0) == ["a.jpg", "b/1.jpg", "b/2.jpg", "c/d/e.jpg"]


def test_a_sidecar_gives_metadata_and_is_waited_for(folder: Path) -> None:
    arrivals = Arrivals(folder, 5)
    (folder / "a.jpg").write_bytes(b"1")
    arrivals.settled(0)
    (folder / "a.jpg.json").write_text('{"id": "A", "by": "Ann", "path": "elsewhere"}')
    assert names(arrivals, 5) == []
    (arrival,) = arrivals.settled(10)
    assert arrival.line() == {"id": "A", "by": "Ann", "path": "a.jpg"}


@pytest.mark.parametrize("text", ["{", "[1]", "[" * 100_000, "\xff"])
def test_a_sidecar_that_cannot_be_understood_is_named(folder: Path, text: str) -> None:
    (folder / "a.jpg").write_bytes(b"1")
    (folder / "a.jpg.json").write_text(text, encoding="latin-1")
    (arrival,) = Arrivals(folder, 0).settled(0)
    with pytest.raises(UsageError, match=r"a\.jpg\.json"):
        arrival.line()


def test_an_arrival_knows_that_it_has_changed(folder: Path) -> None:
    (folder / "a.jpg").write_bytes(b"1")
    (arrival,) = Arrivals(folder, 0).settled(0)
    assert not arrival.changed()
    (folder / "a.jpg").write_bytes(b"12")
    assert arrival.changed()
    (folder / "a.jpg").unlink()
    assert arrival.changed()


def test_a_folder_that_is_away_is_waited_for(folder: Path, caplog) -> None:
    arrivals = Arrivals(folder, 5)
    (folder / "a.jpg").write_bytes(b"1")
    arrivals.settled(0)
    away = folder.rename(folder.with_name("away"))
    assert names(arrivals, 6) == names(arrivals, 7) == []
    assert len(caplog.records) == 1
    away.rename(folder)
    assert names(arrivals, 8) == ["a.jpg"]


@pytest.mark.parametrize("kind", ["link", "folder", "pipe"])
def test_a_sidecar_that_is_no_file_of_its_own_is_an_error_of_its_picture(folder, kind) -> None:
    sidecar = folder / "a.jpg.json"
    (folder / "a.jpg").write_bytes(b"1")
    {"link": lambda: sidecar.symlink_to("/etc/hostname"), "folder": sidecar.mkdir}.get(
        kind, lambda: os.mkfifo(sidecar)
    )()
    arrivals = Arrivals(folder, 5)
    assert names(arrivals, 0) == []
    (taken,) = arrivals.settled(5)
    with pytest.raises(UsageError, match=r"'a\.jpg\.json' is no regular file"):
        taken.line()


def test_a_sidecar_that_is_written_anew_is_waited_for(folder: Path) -> None:
    for name in ("a.jpg", "a.jpg.json", "a.jpg.json.tmp"):
        (folder / name).write_bytes(b"{}")
    arrivals = Arrivals(folder, 5)
    assert names(arrivals, 0) == names(arrivals, 5) == []
    (folder / "a.jpg.json.tmp").replace(folder / "a.jpg.json")
    assert names(arrivals, 6) == []
    assert names(arrivals, 11) == ["a.jpg"]


def test_a_sidecar_without_end_is_not_read(folder: Path) -> None:
    (folder / "a.jpg").write_bytes(b"1")
    with (folder / "a.jpg.json").open("wb") as file:
        file.truncate(1 << 40)
    arrivals = Arrivals(folder, 0)
    (taken,) = arrivals.settled(0)
    with pytest.raises(UsageError, match="1,048,576 bytes at most"):
        taken.line()


def test_a_file_of_the_same_size_and_time_in_its_place_is_another(folder: Path) -> None:
    (folder / "a.jpg").write_bytes(b"1")
    os.utime(folder / "a.jpg", (1000, 1000))
    (taken,) = Arrivals(folder, 0).settled(0)
    assert not taken.changed()
    (folder / "new").write_bytes(b"2")
    os.utime(folder / "new", (1000, 1000))
    (folder / "new").replace(folder / "a.jpg")
    assert taken.changed()
