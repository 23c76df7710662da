"""Files moved aside: none lost, none overwritten, none twice."""

import errno
import os
from pathlib import Path

import pytest

import homing.files.durable as durable
from homing.watch.aside import move_aside


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in" / "a.jpg"
    path.parent.mkdir()
    path.write_bytes(b"new")
    os.utime(path, (1000, 1000))
    return path


def test_a_file_is_moved_as_it_is(source: Path, tmp_path: Path) -> None:
    place = tmp_path / "done" / "sub" / "a.jpg"
    assert move_aside(source, place) == place
    assert place.read_bytes() == b"new"
    assert place.stat().st_mtime == 1000
    assert not source.exists()
    assert [each.name for each in place.parent.iterdir()] == ["a.jpg"]


def test_another_file_of_its_name_stays(source: Path, tmp_path: Path) -> None:
    done = tmp_path / "done"
    done.mkdir()
    (done / "a.jpg").write_bytes(b"old")
    (done / "a-2.jpg").symlink_to(tmp_path / "nowhere")
    assert move_aside(source, done / "a.jpg") == done / "a-3.jpg"
    assert (done / "a.jpg").read_bytes() == b"old"
    assert not source.exists()


def test_the_same_bytes_are_kept_once(source: Path, tmp_path: Path) -> None:
    done = tmp_path / "done"
    done.mkdir()
    (done / "a.jpg").write_bytes(b"new")
    assert move_aside(source, done / "a.jpg") == done / "a.jpg"
    assert not source.exists()
    assert len(list(done.iterdir())) == 1


def test_a_move_that_was_killed_half_way_is_completed(source: Path, tmp_path: Path) -> None:
    done = tmp_path / "done"
    done.mkdir()
    os.link(source, done / "a.jpg")
    assert move_aside(source, done / "a.jpg") == done / "a.jpg"
    assert (done / "a.jpg").read_bytes() == b"new"
    assert not source.exists()


@pytest.mark.parametrize("refused", [errno.EXDEV, errno.EPERM])
def test_where_links_cannot_be_made(source: Path, tmp_path: Path, monkeypatch, refused) -> None:
    """Another file system, for the first link; one without links, or another user's file."""
    link, calls = os.link, []

    def refusing(*paths: Path) -> None:
        calls.append(paths)
        if refused == errno.EPERM or len(calls) == 1:
            raise OSError(refused, os.strerror(refused))
        link(*paths)

    monkeypatch.setattr(durable.os, "link", refusing)
    place = tmp_path / "done" / "a.jpg"
    assert move_aside(source, place) == place
    assert place.read_bytes() == b"new"
    assert place.stat().st_mtime == 1000
    assert not source.exists()
    assert len(list(place.parent.iterdir())) == 1


def test_the_reason_stands_beside_it(source: Path, tmp_path: Path) -> None:
    failed = tmp_path / "failed"
    failed.mkdir()
    (failed / "a.jpg").write_bytes(b"old")
    assert move_aside(source, failed / "a.jpg", "it is cut short") == failed / "a-2.jpg"
    assert (failed / "a-2.jpg.txt").read_text() == "it is cut short\n"


def test_a_name_too_long_for_a_reason_is_moved_without(source: Path, tmp_path: Path) -> None:
    long = source.rename(source.with_name("a" * 251 + ".jpg"))
    place = tmp_path / "failed" / long.name
    assert move_aside(long, place, "it is cut short") == place
    assert place.exists()


def test_a_reason_overwrites_no_file_that_failed_before(source: Path, tmp_path: Path) -> None:
    failed = tmp_path / "failed"
    failed.mkdir()
    (failed / "a.jpg.txt").write_text("a caption")
    assert move_aside(source, failed / "a.jpg", "cut short") == failed / "a-2.jpg"
    assert (failed / "a.jpg.txt").read_text() == "a caption"
    assert (failed / "a-2.jpg.txt").read_text() == "cut short\n"


def test_a_reason_that_a_killed_run_wrote_is_taken_up(source: Path, tmp_path: Path) -> None:
    failed = tmp_path / "failed"
    failed.mkdir()
    (failed / "a.jpg.txt").write_text("cut short\n")
    assert move_aside(source, failed / "a.jpg", "cut short") == failed / "a.jpg"
    assert sorted(each.name for each in failed.iterdir()) == ["a.jpg", "a.jpg.txt"]
