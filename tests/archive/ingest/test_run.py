"""What is common to runs over many pictures: commits that wait ever longer, and observers."""

import pytest

from homing.archive.ingest import run
from homing.archive.ingest.run import Observer, chunks
from tests.helpers.pictures import make_pictures


def test_the_first_commits_wait_least(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(run.time, "monotonic", lambda: now[0])

    def one_a_second():
        for number in range(60):
            now[0] += 1
            yield number

    assert [len(each) for each in chunks(one_a_second(), 64)] == [2, 5, 10, 20, 20, 3]
    assert [len(each) for each in chunks(range(130), 64)] == [64, 64, 2]


@pytest.mark.parametrize("command", ["release", "add"])
def test_a_run_that_is_stopped_records_what_was_begun(create, tmp_path, command: str) -> None:
    archive, photos, calls = create(), make_pictures(tmp_path / "photos", 12), []
    observer = Observer(
        progress=lambda progress: calls.append(progress.result.status),
        begun=lambda: calls.append("begun"),
        worked=lambda: calls.append("worked"),
        skipped=lambda: calls.append("skipped early"),
        stopped=lambda: calls.count("begun") >= 5,
    )
    options = {"out": tmp_path / "out", "method": "paper"} if command == "release" else {}
    report = getattr(archive, command)(photos, progress=observer, **options)
    done = "released" if command == "release" else "added"
    assert [outcome.status for outcome in report] == [done] * 5
    assert len(archive) == 5
    assert [calls.count(each) for each in ("begun", "worked", done)] == [5, 5, 5]
    calls.clear()
    getattr(archive, command)(photos, progress=observer, **options)
    assert calls.count("skipped early") == calls.count("skipped") == 5
    assert len(archive) == 10
