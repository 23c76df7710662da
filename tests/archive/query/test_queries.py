"""Queries by pictures: their views, many at once, and those refused."""

import ast
import re
from dataclasses import fields

import numpy as np
import pytest
from PIL import Image, ImageOps

import homing
from homing.images import SHOWS_NOTHING
from homing.images.mended import CUT
from homing.options import SearchKeywords, SearchOptions
from tests.helpers.pictures import make_pictures, picture


@pytest.fixture
def photos(tmp_path):
    return make_pictures(tmp_path / "photos", 5)


@pytest.fixture
def filled(archive, photos):
    archive.add(photos)
    return archive


def test_a_turned_copy_is_found_by_its_view_alone(filled):
    copy = picture(2).rotate(-90, expand=True)
    assert filled.search(copy, k=5, probes=8)[0].similarity < 0.9
    for views in ("turned", "all"):
        hit = filled.search(copy, k=5, probes=8, views=views)[0]
        assert (hit.id, hit.view) == ("002.jpg", "turned 90°")
        assert hit.similarity > 0.99


def test_each_entry_comes_once_by_its_best_view(filled):
    hits = filled.search(picture(1), k=5, probes=8, views="all")
    assert sorted(hit.id for hit in hits) == [f"00{n}.jpg" for n in range(5)]
    assert (hits[0].id, hits[0].view) == ("001.jpg", "upright")
    similarities = [hit.similarity for hit in hits]
    assert similarities == sorted(similarities, reverse=True)
    upright = {h.id: h.similarity for h in filled.search(picture(1), k=5, probes=8)}
    for hit in hits:  # more views never make an entry less similar
        assert hit.similarity >= upright[hit.id] - 1e-6


def test_a_framed_and_mirrored_copy_is_found_cut_out(filled):
    canvas = Image.new("RGB", (96, 132), "white")
    canvas.paste(ImageOps.mirror(picture(3)), (0, 30))
    hit = filled.search(canvas, k=1, probes=8, views="all")[0]
    assert (hit.id, hit.view) == ("003.jpg", "border cut, mirrored")
    assert hit.similarity > 0.98


@pytest.mark.parametrize("views", ["upright", "turned", "all"])
def test_many_pictures_are_answered_as_each_alone(filled, photos, views, tmp_path):
    # More than are described together: sixteen upright, fewer where each has several views.
    suspects = make_pictures(tmp_path / "suspects", 20 if views == "upright" else 6, first=1)
    (suspects / "005.jpg").write_bytes(b"no picture")
    results = list(filled.search_each([suspects], k=3, views=views, probes=8))
    assert [r.query for r in results] == [str(p) for p in sorted(suspects.iterdir())]
    assert results[4].reason is not None
    assert results[4].hits == ()
    for path, result in zip(sorted(suspects.iterdir()), results, strict=True):
        if result.reason is None:
            alone = filled.search(path, k=3, views=views, probes=8)
            assert [h.id for h in result.hits] == [h.id for h in alone]
            assert [h.view for h in result.hits] == [h.view for h in alone]
            assert np.allclose([h.similarity for h in result.hits], [h.similarity for h in alone])


def test_results_come_while_later_pictures_are_unread(filled, tmp_path):
    """A search of a folder streams: the first answer comes before the last file is read."""
    suspects = make_pictures(tmp_path / "suspects", 200, first=1)
    results = filled.search_each([suspects], k=1, confirm=False)
    first = next(results)
    assert first.hits[0].id == "001.jpg"
    (suspects / "200.jpg").write_bytes(b"changed meanwhile")
    *_, last = results
    assert last.reason is not None


@pytest.mark.parametrize(
    "options", [{"k": 0}, {"rerank": -1}, {"probes": 0}, {"views": "sideways"}]
)
def test_nonsense_is_refused_before_anything_is_read(filled, options):
    with pytest.raises(homing.UsageError):
        filled.search("no-such-file.jpg", **options)
    with pytest.raises(homing.UsageError):
        list(filled.search_each(["no-such-folder"], **options))


def test_every_option_of_a_search_is_documented_with_its_default():
    defaults = {field.name: field.default for field in fields(SearchOptions)}
    assert list(SearchKeywords.__annotations__) == list(defaults)
    for name, default in re.findall(r"(\w+) : .*, default (.+)", homing.Archive.search.__doc__):
        documented = () if default == "none" else ast.literal_eval(default)
        assert defaults.pop(name) == documented
    assert set(defaults) == {"limits"}


def test_an_unknown_option_of_a_search_is_an_error(filled):
    with pytest.raises(homing.UsageError, match="did you mean 'probes'"):
        filled.search(picture(1), probe=4)


BLANK = Image.new("RGB", (60, 40), (3, 3, 3))


@pytest.mark.parametrize("views", ["upright", "turned", "all"])
def test_a_picture_that_shows_nothing_matches_nothing(filled, photos, views, tmp_path):
    """Its descriptor is that of any dark corner, which justifies no hit."""
    BLANK.save(photos / "dark.png")
    (noted,) = [each for each in filled.add([photos]) if each.source.endswith("dark.png")]
    assert (noted.status, noted.notes) == ("added", (SHOWS_NOTHING,))
    assert filled.search(BLANK, views=views, probes=8) == ()
    suspects = make_pictures(tmp_path / "suspects", 2)
    BLANK.save(suspects / "000-dark.png")
    results = list(filled.search_each([suspects], views=views, probes=8))
    assert [(each.note, len(each.hits)) for each in results] == [
        (SHOWS_NOTHING if "dark" in each.query else None, 0 if "dark" in each.query else 6)
        for each in results
    ]
    (dark,) = [each for each in results if each.note]
    assert dark.as_dict().keys() == {"query", "seconds", "hits", "note", "cells_searched", "cells"}
    (only,) = filled.search_each([suspects / "000-dark.png"], views=views)
    assert (only.note, only.hits) == (SHOWS_NOTHING, ())


def test_a_released_picture_that_shows_nothing_is_noted(archive, tmp_path):
    (tmp_path / "in").mkdir()
    BLANK.save(tmp_path / "in" / "dark.png")
    (outcome,) = archive.release(tmp_path / "in", out=tmp_path / "out")
    assert outcome.status == "released"
    assert SHOWS_NOTHING in outcome.notes


def test_a_file_cut_short_is_added_and_searched_for_with_a_note(
    archive, photos, tmp_path, homing_cli
):
    archive.add(photos)
    cut = tmp_path / "cut"
    cut.mkdir()
    (cut / "a.jpg").write_bytes((photos / "001.jpg").read_bytes()[:-2])
    (cut / "b.psd").write_bytes(b"8BPS")
    (result,) = archive.search_each([cut], views="turned")
    assert result.hits[0].id == "001.jpg"
    assert result.hits[0].is_copy
    assert result.note == result.as_dict()["note"] == CUT
    ended = homing_cli("search", archive.path, cut)
    assert ended.status == 0
    assert f"({CUT})" in ended.out
    assert ended.err.splitlines()[-1].endswith(
        "homing does not read: a Photoshop file (1): save it flat, as PNG or TIFF, first"
    )
    report = archive.add(cut)
    assert [(each.status, each.notes) for each in report] == [("added", (CUT,))]
    assert "passed over, of kinds that homing does not read: a Photoshop file (1)" in str(report)
    report = archive.release(cut, out=tmp_path / "out")
    assert report.count("failed") == 1
    assert {kind.name: n for kind, n in report.passed_over.items()} == {"a Photoshop file": 1}
    (cut / "a.jpg").unlink()
    with pytest.raises(homing.UsageError, match=r"no picture was found in .*a Photoshop file"):
        archive.add(cut)
