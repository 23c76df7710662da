"""The watcher: batches, what is moved where, and what is refused; releases are pretended."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from homing.archive.results import Outcome, Report
from homing.errors import UsageError
from homing.watch.watcher import Folders, Pace, Taken, Watcher


class Clock:
    """Time that passes when somebody sleeps; then something may happen."""

    def __init__(self, happens: Callable[[float], None] = lambda now: None) -> None:
        self.now = 0.0
        self._happens = happens

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self._happens(self.now)


class Release:
    """Pretends to release; names with "bad" fail, and "clash" cannot go with others."""

    def __init__(self) -> None:
        self.batches: list[list[dict]] = []

    def __call__(self, manifest: Path) -> Report:
        rows = [json.loads(line) for line in manifest.read_text().splitlines()]
        if len(rows) > 1 and any("clash" in row["path"] for row in rows):
            raise UsageError("two pictures clash")
        if "option" in rows[0]["path"]:
            raise UsageError("an option is wrong")
        self.batches.append(rows)
        return Report(tuple(map(self.outcome, rows)), 0.1)

    @staticmethod
    def outcome(row: dict) -> Outcome:
        path = row["path"]
        if "bad" in path:
            return Outcome(source=path, status="failed", reason="it is cut short")
        return Outcome(source=path, status="skipped" if "again" in path else "released")


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    (tmp_path / "in").mkdir()
    return Folders.of(tmp_path / "in", out=tmp_path / "out", archive=tmp_path / "archive")


@pytest.fixture
def release() -> Release:
    return Release()


def put(folders: Folders, *names: str) -> None:
    for name in names:
        path = folders.watched / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())


def once(folders: Folders, release: Release, batch: int = 32) -> list[Taken]:
    clock = Clock()
    watcher = Watcher(folders, release, Pace(1, 1, batch), clock=clock, sleep=clock.sleep)
    return list(watcher.run(lambda: False, once=True))


def left(folder: Path) -> list[str]:
    files = [each.relative_to(folder).as_posix() for each in folder.rglob("*") if each.is_file()]
    return sorted(name for name in files if not name.startswith("."))


def test_pictures_go_where_they_belong_with_their_subfolders(folders, release) -> None:
    put(folders, "a.jpg", "sub/b.jpg", "sub/bad.jpg", "again.jpg")
    taken = once(folders, release)
    assert [each.outcome.status for each in taken] == ["released", "skipped", "released", "failed"]
    assert left(folders.watched) == []
    assert left(folders.done) == ["a.jpg", "again.jpg", "sub/b.jpg"]
    assert left(folders.failed) == ["sub/bad.jpg", "sub/bad.jpg.txt"]
    assert (folders.failed / "sub/bad.jpg.txt").read_text() == "it is cut short\n"
    assert taken[3].moved == folders.failed / "sub/bad.jpg"


def test_batches_are_small_and_no_two_of_one_can_have_one_name(folders, release) -> None:
    put(folders, *(f"{n}.jpg" for n in range(5)))
    once(folders, release, batch=2)
    assert [len(rows) for rows in release.batches] == [2, 2, 1]
    put(folders, "a.jpg", "A.jpg", "a.png", "b.jpg")
    release.batches.clear()
    once(folders, release)
    paths = [[row["path"] for row in rows] for rows in release.batches]
    assert paths == [["A.jpg", "b.jpg"], ["a.jpg"], ["a.png"]]


def test_pictures_that_cannot_go_together_go_one_by_one(folders, release) -> None:
    put(folders, "a.jpg", "clash1.jpg", "clash2.jpg")
    once(folders, release)
    assert [len(rows) for rows in release.batches] == [1, 1, 1]
    assert left(folders.done) == ["a.jpg", "clash1.jpg", "clash2.jpg"]


def test_a_wrong_option_ends_the_watcher_and_blames_no_picture(folders, release) -> None:
    put(folders, "option1.jpg", "option2.jpg")
    with pytest.raises(UsageError, match="an option is wrong"):
        once(folders, release)
    assert left(folders.watched) == ["option1.jpg", "option2.jpg"]


def test_sidecars_go_with_their_pictures(folders, release) -> None:
    put(folders, "a.jpg", "bad.jpg", "c.jpg", "d.jpg", "e.jpg")
    for name in ("a", "bad", "d", "e"):
        text = json.dumps({"id": f"ID {'d' if name == 'e' else name}", "by": "Ann"})
        (folders.watched / f"{name}.jpg.json").write_text(text)
    (folders.watched / "c.jpg.json").write_text("{")
    taken = {Path(each.outcome.source).name: each for each in once(folders, release)}
    rows = {row["path"]: row for rows in release.batches for row in rows}
    assert rows["a.jpg"] == {"id": "ID a", "by": "Ann", "path": "a.jpg"}
    assert rows["d.jpg"]["id"] == rows["e.jpg"]["id"]  # one after the other; the archive decides
    assert "c.jpg" not in rows
    assert "is not JSON" in taken["c.jpg"].outcome.reason
    assert left(folders.watched) == []
    assert {"a.jpg.json", "d.jpg.json"} <= set(left(folders.done))
    assert {"bad.jpg.json", "c.jpg.json"} <= set(left(folders.failed))


def test_a_picture_that_changes_while_it_is_released_stays(folders, release) -> None:
    put(folders, "a.jpg")

    def released(manifest: Path) -> Report:
        report = release(manifest)
        if len(release.batches) == 1:
            (folders.watched / "a.jpg").write_bytes(b"another picture")
        return report

    (taken,) = once(folders, released)
    assert taken.moved is None
    assert "changed" in str(taken.problem)
    assert left(folders.watched) == ["a.jpg"]
    (taken,) = once(folders, released)
    assert taken.moved is not None


def test_a_picture_that_cannot_be_moved_is_released_once(folders, release, monkeypatch) -> None:
    put(folders, "a.jpg")
    folders.done.parent.joinpath(folders.done.name).write_text("a file, not a folder")
    (taken,) = once(folders, release)
    assert taken.moved is None
    assert "cannot be moved" in str(taken.problem)
    assert len(release.batches) == 1
    assert left(folders.watched) == ["a.jpg"]


def test_it_watches_until_it_is_stopped(folders, release) -> None:
    arriving = {3: "a.jpg", 5: "b.jpg"}

    def happens(now: float) -> None:
        if round(now, 3) in arriving:
            put(folders, arriving.pop(round(now, 3)))

    clock = Clock(happens)
    watcher = Watcher(folders, release, Pace(2, 1), clock=clock, sleep=clock.sleep)
    taken = list(watcher.run(lambda: clock.now >= 12))
    assert [Path(each.outcome.source).name for each in taken] == ["a.jpg", "b.jpg"]
    assert 12 <= clock.now < 12.5
    assert len(release.batches) == 2


def test_a_batch_in_hand_is_finished(folders, release) -> None:
    put(folders, *(f"{n}.jpg" for n in range(5)))
    clock = Clock()
    watcher = Watcher(folders, release, Pace(1, 1, 2), clock=clock, sleep=clock.sleep)
    taken = list(watcher.run(lambda: bool(release.batches), once=True))
    assert len(taken) == 2
    assert len(left(folders.watched)) == 3
    assert len(left(folders.done)) == 2


def test_a_second_watcher_is_refused(folders, release) -> None:
    put(folders, "a.jpg", "b.jpg")
    clock = Clock()
    first = Watcher(folders, release, Pace(0, 1), clock=clock, sleep=clock.sleep)
    running = first.run(lambda: False)
    next(running)
    with pytest.raises(UsageError, match="another process watches"):
        once(folders, release)
    running.close()
    assert once(folders, release)


def test_folders_that_would_mix_pictures_are_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()

    def of(**places: str) -> Folders:
        given = {"out": "out", "archive": "archive"} | places
        watched = tmp_path / given.pop("watched", "in")
        return Folders.of(watched, **{key: tmp_path / name for key, name in given.items()})

    assert of().done == tmp_path / "in-done"
    for wrong in (
        {"watched": "nowhere"},
        {"out": "in/out"},
        {"done": "in/done"},
        {"failed": "in"},
        {"done": "out"},
        {"done": "out/originals"},
        {"failed": "archive"},
        {"archive": "in/archive"},
        {"done": "aside", "failed": "aside"},
        {"done": "aside", "failed": "aside/failed"},
    ):
        with pytest.raises(UsageError):
            of(**wrong)


def test_a_pace_that_cannot_be_is_refused() -> None:
    for wrong in ({"settle": -1}, {"interval": 0}, {"batch": 0}):
        with pytest.raises(UsageError):
            Pace(**wrong)


@pytest.mark.parametrize("which", ["out", "done", "failed"])
def test_no_folder_lies_around_the_watched_one(tmp_path: Path, which: str) -> None:
    (tmp_path / "site" / "in").mkdir(parents=True)
    places = {each: tmp_path / each for each in ("out", "done", "failed")}
    places[which] = tmp_path / "site"
    with pytest.raises(UsageError, match="in or around"):
        Folders.of(tmp_path / "site" / "in", archive=None, **places)


def test_a_link_for_a_sidecar_fails_its_picture_and_ends_nothing(folders, release) -> None:
    put(folders, "a.jpg", "b.jpg")
    (folders.watched / "a.jpg.json").symlink_to("/etc/hostname")
    taken = once(folders, release)
    assert [each.outcome.status for each in taken] == ["failed", "released"]
    assert (folders.watched / "a.jpg.json").is_symlink()  # left alone
