"""Explanations of hits: the entry's file found by its checksum (originals), and compared."""

import numpy as np
import pytest
import skimage.data
from PIL import Image

import homing
from homing.archive.query.explain import Explanation


def test_a_released_copy_is_explained(archive, sources, suspect, tmp_path):
    archive.release(sources, out=tmp_path / "out")
    found = archive.explain(suspect)
    assert found.hit is not None
    assert found.hit.id == "astronaut.png"
    assert found.confirmed is True
    assert found.positive is True
    assert "mirrored" in found.edits
    assert "cropped to 75 % of the picture" in found.edits
    assert found.file == str(tmp_path / "out" / "astronaut.png")
    line = found.as_dict()
    assert line["verdict"] == "A copy of astronaut.png: the two agree in their details."
    assert line["alignment"]["mirrored"] is True
    assert line["alignment"]["shown"] == pytest.approx(0.75, abs=0.02)
    assert line["query_cell"] in range(8)
    assert found.page().count("<img ") == 3


def test_an_added_one_needs_its_folder_to_be_named(archive, sources, suspect, tmp_path):
    archive.add(sources)
    found = archive.explain(suspect)
    assert found.comparison is None
    assert found.reason is not None
    assert "--files" in found.reason
    assert found.page().count("<img ") == 1
    assert archive.explain(suspect, files=sources).confirmed is True
    (tmp_path / "elsewhere").mkdir()
    Image.new("RGB", (20, 20)).save(tmp_path / "elsewhere" / "astronaut.png")
    other = archive.explain(suspect, files=tmp_path / "elsewhere")
    assert "another picture than the one recorded" in str(other.reason)


def test_a_stranger_is_called_one(archive, sources, tmp_path):
    archive.release(sources, out=tmp_path / "out")
    stranger = Image.fromarray(skimage.data.rocket())
    found = archive.explain(stranger)
    assert found.confirmed is False
    assert found.positive is False
    assert found.verdict.startswith("No copy: most like ")
    assert found.query == "the picture"


def test_an_empty_archive_explains_nothing(archive, suspect):
    found = archive.explain(suspect)
    assert found.hit is None
    assert found.verdict == "Nothing was found in the cells visited."
    assert found.as_dict()["hit"] is None
    assert "<img " in found.page()


def test_a_picture_that_shows_nothing_gets_no_verdict(archive, sources):
    archive.add(sources)
    found = archive.explain(Image.new("RGB", (50, 50), "white"))
    assert (found.hit, found.positive) == (None, False)
    assert found.verdict.startswith("No verdict: it shows next to nothing")
    assert "shows next to nothing" in found.page()


def test_divided_evidence_is_said_to_be():
    hit = homing.Hit(
        id="a", similarity=0.9, view="upright", cell=1, code_distance=0.1, state="added",
        false_alarm_rate=1e-6, is_copy=True,
    )  # fmt: skip
    from homing.evidence import Comparison

    found = Explanation("q", hit, comparison=Comparison("none", "nothing in common"))
    assert found.positive is None
    assert "do not agree" in found.verdict
    assert found.facts()["as similar by chance"] == "1 in 1,000,000 queries"
    weak = Explanation("q", hit, comparison=Comparison("undecided", "too little detail to compare"))
    assert weak.positive is True
    assert np.array(weak.as_dict()["confirmed"]) == np.array(None)
