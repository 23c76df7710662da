"""Decisions kept, listed, undone and applied to hits; covers kept, query and relevant."""

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
import skimage.data
from PIL import Image, ImageDraw

import homing
from homing.archive.hits import Decision, Hit
from homing.archive.query.confirm import QueryPicture
from homing.archive.query.queries import describe_query
from homing.files.durable import file_sha256
from homing.options import DEFAULT_LIMITS, SearchOptions

NAMES = ("astronaut", "coffee", "chelsea")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    for name in NAMES:
        Image.fromarray(getattr(skimage.data, name)()).save(tmp_path / "photos" / f"{name}.png")
    return tmp_path / "photos"


@pytest.fixture
def filled(archive: homing.Archive, photos: Path) -> homing.Archive:
    archive.add(photos)
    return archive


@pytest.fixture
def query(photos: Path, tmp_path: Path) -> Path:
    """A copy of the astronaut."""
    Image.open(photos / "astronaut.png").resize((300, 300)).save(tmp_path / "query.jpg")
    return tmp_path / "query.jpg"


def decided(archive: homing.Archive, query: Path) -> tuple[Hit, ...]:
    """Search with a reader of its own."""
    return homing.open(archive.path).search(query)


def test_a_decision_is_kept_with_who_and_when(filled, query, photos):
    kept = filled.decide(query, "coffee.png", "not", by=" Ada ")
    assert (kept.number, kept.copy, kept.by, kept.in_force) == (1, False, "Ada", True)
    assert abs(kept.at.timestamp() - time.time()) < 60
    (listed,) = homing.open(filled.path).decisions()
    assert listed.as_dict() == kept.as_dict()
    assert listed.as_dict() == {
        "number": 1,
        "query": str(query),
        "query_sha256": file_sha256(query).hex(),
        "id": "coffee.png",
        "file_sha256": file_sha256(photos / "coffee.png").hex(),
        "source_sha256": file_sha256(photos / "coffee.png").hex(),
        "decision": "not",
        "by": "Ada",
        "at": kept.at.isoformat(timespec="seconds"),
        "in_force": True,
    }
    assert filled.stats()["decisions"] == filled.verify().decisions == 1


def test_the_same_file_is_decided_next_time(filled, query):
    filled.decide(query, "coffee.png", "copy", by="Ada")
    filled.decide(query, "astronaut.png", "not", by="Eve")
    first, middle, last = decided(filled, query)
    assert (first.id, middle.id, last.id) == ("coffee.png", "chelsea.png", "astronaut.png")
    assert (first.is_copy, last.is_copy) == (True, False)
    assert middle.decision is None
    assert first.decision is not None
    assert first.decision == replace(first.decision, number=1, copy=True, by="Ada", same_query=True)
    assert Decision.from_dict(first.as_dict()["decision"]).number == 1
    assert middle.as_dict()["decision"] is None


def test_the_last_decision_counts_and_undoing_it_brings_back_the_one_before(filled, query):
    filled.decide(query, "coffee.png", "copy")
    second = filled.decide(query, "coffee.png", "not")
    hit = decided(filled, query)[-1]
    assert (hit.id, hit.is_copy) == ("coffee.png", False)
    assert filled.undo_decision(second.number).number == 2
    hit = decided(filled, query)[0]
    assert (hit.id, hit.is_copy) == ("coffee.png", True)
    with pytest.raises(homing.EntryNotFoundError, match="no decision 2"):
        filled.undo_decision(2)
    assert filled.decide(query, "coffee.png", "not").number == 3  # no number is given twice


def edited(query: Path, name: str) -> Path:
    """Write an edited copy of a query."""
    image = Image.open(query)
    if name == "smaller":
        image = image.resize((200, 200))
    elif name == "written over":
        ImageDraw.Draw(image).rectangle((30, 250, 270, 280), fill="white")
    elif name == "tighter":
        image = image.crop((30, 30, 270, 270))
    image.save(query.with_name(f"{name}.jpg"), quality=60)
    return query.with_name(f"{name}.jpg")


@pytest.mark.parametrize("name", ["smaller", "written over"])
def test_a_near_copy_of_the_query_is_decided_too(filled, query, name):
    filled.decide(query, "coffee.png", "copy")
    other = edited(query, name)
    hit = decided(filled, other)[0]
    assert hit.id == "coffee.png"
    assert hit.decision is not None
    assert not hit.decision.same_query


def test_other_pictures_are_not(filled, query, photos):
    filled.decide(query, "coffee.png", "copy")
    for other in (edited(query, "tighter"), photos / "chelsea.png"):
        assert all(hit.decision is None for hit in decided(filled, other))


def test_the_same_file_counts_before_a_near_copy(filled, query):
    other = edited(query, "smaller")
    filled.decide(other, "coffee.png", "copy")
    filled.decide(query, "coffee.png", "not")
    first, *_ = decided(filled, other)
    assert (first.id, first.decision and first.decision.number) == ("coffee.png", 1)


def test_a_picture_in_memory_is_found_by_what_it_shows(filled, query):
    kept = filled.decide(Image.open(query), "coffee.png", "copy")
    assert kept.query_sha256 is None
    hit = decided(filled, query)[0]
    assert hit.decision is not None
    assert not hit.decision.same_query


def test_an_id_taken_by_another_picture_does_not_inherit(filled, query, photos):
    filled.decide(query, "coffee.png", "copy")
    filled.remove(["coffee.png"])
    assert not filled.decisions("coffee.png")[0].in_force
    assert all(hit.decision is None for hit in decided(filled, query))
    Image.open(photos / "chelsea.png").rotate(180).save(photos / "coffee.png")
    filled.add(photos)
    assert not filled.decisions()[0].in_force
    assert all(hit.decision is None for hit in decided(filled, query))
    assert filled.verify().clean


def test_a_picture_that_is_released_after_it_was_added_keeps_it(filled, query, photos, tmp_path):
    filled.decide(query, "coffee.png", "copy")
    filled.release(photos, out=tmp_path / "out", method="paper")
    assert filled.decisions()[0].in_force
    assert decided(filled, query)[0].id == "coffee.png"


def test_wrong_use(filled, query, photos, tmp_path):
    with pytest.raises(homing.UsageError, match="'copy' or 'not'"):
        filled.decide(query, "coffee.png", "yes")
    with pytest.raises(homing.EntryNotFoundError, match=r"no entry 'tea\.png'"):
        filled.decide(query, "tea.png", "copy")
    with pytest.raises(homing.UsageError, match="printable"):
        filled.decide(query, "coffee.png", "copy", by="\n")
    Image.new("RGB", (60, 60)).save(tmp_path / "black.png")
    with pytest.raises(homing.PictureError, match=r"black\.png: nearly blank"):
        filled.decide(tmp_path / "black.png", "coffee.png", "copy")
    assert not (filled.path / "decisions").exists()


def test_without_decisions_a_search_costs_nothing(filled, query):
    opened = homing.open(filled.path)
    described = describe_query(opened.descriptor, query, SearchOptions())
    (hits,) = opened.answer([described], SearchOptions())
    picture = QueryPicture.read(query, DEFAULT_LIMITS)
    opened._decisions.apply(hits, described, picture)
    start = time.perf_counter()
    for _ in range(1000):
        opened._decisions.apply(hits, described, picture)
    assert time.perf_counter() - start < 0.5


def test_a_settled_folder_is_read_once(filled, query, monkeypatch):
    filled.decide(query, "coffee.png", "copy")
    long_ago = time.time() - 60
    os.utime(filled.path / "decisions", (long_ago, long_ago))
    opened = homing.open(filled.path)
    assert len(opened.decisions()) == 1
    monkeypatch.setattr("homing.archive.decisions.files.DecisionFiles._names", lambda _: [])
    assert len(opened.decisions()) == 1


def test_a_damaged_one_is_named_and_costs_no_search(filled, query):
    filled.decide(query, "coffee.png", "copy")
    filled.decide(query, "chelsea.png", "not")
    (file,) = (filled.path / "decisions").glob("00000001-*")
    file.write_bytes(file.read_bytes().replace(b'"copy"', b'"not" '))
    assert [each.number for each in homing.open(filled.path).decisions()] == [2]
    (problem,) = filled.verify().problems
    assert problem.message == f"the decision {file} is damaged; remove that file"
    file.unlink()
    assert filled.verify().clean
