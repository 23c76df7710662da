"""Explanations of hits: the entry's file found by its checksum (originals), and compared."""

from dataclasses import replace

import pytest
import skimage.data
from PIL import Image

from homing.archive.query.confirm import QueryPicture


def test_a_released_copy_is_explained(archive, sources, suspect, tmp_path):
    archive.release(sources, out=tmp_path / "out")
    found = archive.explain(suspect)
    assert found.hit is not None
    assert found.hit.id == "astronaut.png"
    assert found.confirmed is True
    assert found.positive is True
    assert "mirrored" in found.edits
    assert "cropped to 75 % of the picture" in found.edits
    line = found.as_dict()
    assert line["verdict"].startswith("A copy of astronaut.png: 75 % of it, mirrored")
    assert line["alignment"]["mirrored"] is True
    assert line["alignment"]["shown"] == pytest.approx(0.75, abs=0.02)
    assert line["query_cell"] in range(8)
    assert found.page().count("<img ") == 3


def test_no_hit_is_compared_twice(archive, sources, suspect, monkeypatch):
    archive.add(sources)
    seen = []
    compare = QueryPicture.compare

    def counted(self, record, **keywords):
        seen.append(record.tobytes())
        return compare(self, record, **keywords)

    monkeypatch.setattr(QueryPicture, "compare", counted)
    assert archive.explain(suspect).comparison is not None
    assert len(seen) == len(set(seen)) > 0


@pytest.mark.parametrize(
    ("facts", "count"),
    [
        ({"verdict": "part"}, 3),
        ({"verdict": "none"}, 2),
        ({"verdict": "undecided", "false_alarm_rate": None}, 3),
        ({"verdict": "undecided", "false_alarm_rate": 0.9}, 2),
    ],
)
def test_unlike_pictures_are_not_laid_over_each_other(archive, sources, suspect, facts, count):
    archive.add(sources)
    found = archive.explain(suspect)
    unlike = replace(found, hit=replace(found.hit, is_copy=None, **facts))
    assert unlike.page().count("<img ") == count
    assert ("what both show" in unlike.facts()) is (count == 3)


def test_an_entry_without_a_preview_needs_its_folder(create, sources, suspect, tmp_path):
    archive = create("bare", previews=0)
    archive.add(sources)
    found = archive.explain(suspect)
    assert found.comparison is None
    assert found.reason is not None
    assert found.page().count("<img ") == 1
    assert archive.explain(suspect, files=sources).confirmed is True
    (tmp_path / "elsewhere").mkdir()
    Image.new("RGB", (20, 20)).save(tmp_path / "elsewhere" / "astronaut.png")
    assert archive.explain(suspect, files=tmp_path / "elsewhere").confirmed is None


def test_a_stranger_is_called_one(archive, sources, tmp_path):
    archive.release(sources, out=tmp_path / "out")
    stranger = Image.fromarray(skimage.data.rocket())
    found = archive.explain(stranger)
    assert found.confirmed is False
    assert found.positive is False
    assert found.verdict == "Not found in this archive."
    assert found.query == "the picture"


def test_an_empty_archive_explains_nothing(archive, suspect):
    found = archive.explain(suspect)
    assert found.hit is None
    assert found.verdict == "Not found in this archive."
    assert found.as_dict()["hit"] is None
    assert "<img " in found.page()


def test_a_picture_that_shows_nothing_gets_no_verdict(archive, sources):
    archive.add(sources)
    found = archive.explain(Image.new("RGB", (50, 50), "white"))
    assert (found.hit, found.positive) == (None, False)
    assert found.verdict.startswith("Nearly blank")
    assert "Nearly blank" in found.page()
