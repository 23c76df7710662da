"""Alignment of one picture in another, and its estimated edits, against those applied.

These tests also cover evidence/edits and evidence/page.
"""

import numpy as np
import pytest
import skimage.data
from PIL import Image, ImageEnhance, ImageOps

from homing.evidence import ComparableQuery, ComparableRecord, Sheet, name_edits, render_sheet


@pytest.fixture(scope="module")
def original() -> Image.Image:
    return Image.fromarray(skimage.data.astronaut())


def aligned(original, copy, within=None):
    found = ComparableQuery(copy, within).compare(ComparableRecord(original))
    assert found.confirmed
    assert found.alignment is not None
    return found.alignment


def test_the_same_picture_lies_on_itself(original) -> None:
    found = aligned(original, original)
    assert np.allclose(found.matrix / found.matrix[2, 2], np.eye(3), atol=0.05)
    assert (found.shown, found.covered) == pytest.approx((1, 1), abs=0.01)
    assert not found.mirrored
    assert name_edits(original, original, found) == ()


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
def test_postures(original, turns, mirrored) -> None:
    copy = original.rotate(-90 * turns, expand=True)
    copy = ImageOps.mirror(copy) if mirrored else copy
    found = aligned(original, copy)
    assert found.mirrored == mirrored
    assert (found.turned - 90 * turns + 180) % 360 - 180 == pytest.approx(0, abs=1)
    said = name_edits(original, copy, found)
    assert ("mirrored" in said) == mirrored
    assert any(text.startswith("turned") for text in said) == bool(turns)
    if turns == 1:
        assert "turned by 90° clockwise" in said


def test_a_crop_is_found_where_it_was_cut(original) -> None:
    box = (100, 50, 400, 450)
    found = aligned(original, original.crop(box).resize((600, 800)))
    assert found.shown == pytest.approx(300 * 400 / 512**2, abs=0.02)
    assert found.covered == pytest.approx(1, abs=0.02)
    assert found.scale == pytest.approx(2, abs=0.03)
    low, high = found.in_record.min(axis=0), found.in_record.max(axis=0)
    assert np.abs(np.r_[low, high] - box).max() < 4
    said = name_edits(original, original.crop(box).resize((600, 800)), found)
    assert "cropped to 46 % of the picture" in said
    assert "resized to 200 %" in said


def test_a_frame_hides_what_lies_behind_it(original) -> None:
    cut = original.crop((100, 100, 450, 450))
    copy = Image.new("RGB", (450, 550), "white")
    copy.paste(cut, (50, 150))
    found = aligned(original, copy, (50, 150, 400, 500))
    assert found.shown == pytest.approx(350**2 / 512**2, abs=0.02)
    assert found.covered == pytest.approx(350**2 / (450 * 550), abs=0.02)
    said = name_edits(original, copy, found)
    assert "inside a larger picture, of which it fills 49 %" in said
    assert not {"brighter", "darker", "with more contrast"} & set(said)


@pytest.mark.parametrize(
    ("above", "below", "words"),
    [
        (0, 60, "with a caption or strip added below"),
        (60, 0, "with a caption or strip added above"),
        (60, 60, "with strips added above and below"),
    ],
)
def test_strips_are_named_by_their_place(original, above, below, words) -> None:
    copy = Image.new("RGB", (512, 512 + above + below), "white")
    copy.paste(original, (0, above))
    assert words in name_edits(original, copy, aligned(original, copy))


def test_tones(original) -> None:
    darker = ImageEnhance.Brightness(original).enhance(0.6)
    assert "darker" in name_edits(original, darker, aligned(original, darker))
    flat = ImageEnhance.Contrast(original).enhance(0.6)
    assert "with less contrast" in name_edits(original, flat, aligned(original, flat))
    grey = original.convert("L").convert("RGB")
    assert "without colour" in name_edits(original, grey, aligned(original, grey))


def test_the_page_escapes_and_needs_nothing_else(original) -> None:
    found = aligned(original, original)
    sheet = Sheet(
        title="<script>.jpg",
        verdict="A copy & more",
        positive=True,
        suspect=original,
        record=original,
        alignment=found,
        edits=("cropped",),
        facts=(("record", "a<b"),),
        notes=("nothing",),
    )
    page = render_sheet(sheet)
    assert page.count("<img ") == 3
    assert "<script>" not in page
    assert "&lt;script&gt;.jpg" in page
    assert "A copy &amp; more" in page
    assert "http" not in page.replace("http-equiv", "")
    alone = Sheet("a", "b", None, original, None, None, (), (), ())
    assert render_sheet(alone).count("<img ") == 1
