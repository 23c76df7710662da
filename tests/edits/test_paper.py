"""Suites of edits, and properties of every edit. Covers paper.py and _base.py."""

import pickle

import numpy as np
import pytest
from PIL import Image

from homing.edits import PAPER, make_edit, paper_edits, random_available, sweep_edits
from homing.edits import _augly as augly_module
from homing.errors import HomingError, PictureError, UsageError

NAMES = [
    "identity",
    "contrast 0.5",
    "contrast 2.0",
    "brightness 0.5",
    "brightness 2.0",
    "hue 0.2",
    "blur 11",
    "jpeg 50",
    "rotation 25",
    "rotation 90",
    "crop 0.5",
    "resize 0.5",
    "meme",
    "random",
]
DETERMINISTIC = paper_edits(with_random=False)


def picture(width, height):
    pixels = np.random.default_rng(5).integers(256, size=(height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def test_the_fourteen_in_the_papers_order():
    assert [edit.name for edit in PAPER] == NAMES
    assert [edit.name for edit in DETERMINISTIC] == NAMES[:13]
    assert [edit.random for edit in PAPER] == [False] * 13 + [True]
    assert all(edit.in_mean for edit in PAPER)


@pytest.mark.parametrize("edit", DETERMINISTIC, ids=lambda edit: edit.name)
def test_deterministic_edits_draw_nothing_and_repeat(edit):
    image = picture(96, 64)
    before = image.tobytes()
    generator = np.random.default_rng(1)
    state = generator.bit_generator.state
    first = edit.apply(image, generator)
    second = edit.apply(image, np.random.default_rng(2))
    assert generator.bit_generator.state == state
    assert first.mode == "RGB"
    assert first.size == second.size
    assert first.tobytes() == second.tobytes()
    assert image.tobytes() == before, "the picture given is left as it was"
    if edit.name != "identity":
        assert (first.size, first.tobytes()) != (image.size, before)


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1), (3, 2)])
@pytest.mark.parametrize("edit", DETERMINISTIC, ids=lambda edit: edit.name)
def test_tiny_pictures_are_edited_or_refused(edit, size):
    image = picture(*size)
    try:
        edited = edit.apply(image, np.random.default_rng(0))
    except HomingError as error:
        assert edit.name in {"crop 0.5", "resize 0.5", "meme"}
        assert "larger" in str(error) or "wider" in str(error)  # noqa: PT017 - either outcome is right
        return
    assert edited.mode == "RGB"
    assert min(edited.size) >= 1
    if edit.name not in {"identity", "blur 11", "rotation 90", "jpeg 50"} | (
        {"contrast 0.5", "contrast 2.0"} if size == (1, 1) else set()
    ):
        assert (edited.size, edited.tobytes()) != (image.size, image.tobytes())


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK", "I;16"])
def test_other_modes_are_refused(mode):
    with pytest.raises(UsageError, match="RGB"):
        PAPER[1].apply(Image.new(mode, (8, 8)), np.random.default_rng(0))


def _fails(image, generator):
    raise ZeroDivisionError("division by zero")


def _vanishes(image, generator):
    return image.crop((0, 0, 0, 0))


def _greys(image, generator):
    return image.convert("L")


@pytest.mark.parametrize("function", [_fails, _vanishes, _greys])
def test_an_edit_that_fails_raises_and_names_itself(function):
    edit = make_edit("mine", function)
    with pytest.raises(PictureError, match=r"'mine'.*8x6"):
        edit.apply(picture(8, 6), np.random.default_rng(0))


def test_edits_can_be_sent_to_other_processes():
    image = picture(40, 30)
    for edit in DETERMINISTIC:
        again = pickle.loads(pickle.dumps(edit))
        generator = np.random.default_rng(0)
        assert again.apply(image, generator).tobytes() == edit.apply(image, generator).tobytes()


def test_without_augly_random_is_refused_with_the_remedy(monkeypatch):
    monkeypatch.setattr(augly_module.importlib.util, "find_spec", lambda name: None)
    assert not random_available()
    with pytest.raises(UsageError, match=r"\.\[bench\]"):
        paper_edits()
    with pytest.raises(UsageError, match="AugLy"):
        PAPER[-1].apply(picture(64, 64), np.random.default_rng(0))
    assert len(paper_edits(with_random=False)) == 13


def test_the_sweep_has_the_papers_strengths():
    sweep = sweep_edits()
    strengths = {kind: [strength for strength, _ in row] for kind, row in sweep.items()}
    assert strengths["rotation"] == list(range(-90, 91, 10))
    assert strengths["crop"] == strengths["resize"] == pytest.approx(np.arange(1, 11) / 10)
    assert strengths["blur"] == list(range(1, 30, 2))
    assert strengths["jpeg"] == list(range(10, 101, 10))
    assert strengths["contrast"] == strengths["brightness"]
    assert strengths["contrast"] == pytest.approx(np.arange(5, 20) / 10)
    assert strengths["hue"] == pytest.approx(np.arange(-5, 6) / 10)
    image = picture(64, 48)
    pictures = set()
    for row in sweep.values():
        for _, edit in row:
            edited = edit.apply(image, np.random.default_rng(0))
            pictures.add((edited.size, edited.tobytes()))
    # rotation 0, crop 1, resize 1, blur 1, contrast 1, brightness 1, hue 0 all change nothing,
    # but for the rounding of HSV
    total = sum(map(len, sweep.values()))
    assert total - 6 <= len(pictures) <= total - 5


def test_hue_turned_by_nothing_keeps_the_colours():
    edits = dict(sweep_edits()["hue"])
    image = picture(32, 24)
    same = np.asarray(edits[0.0].apply(image, np.random.default_rng(0))).astype(int)
    assert np.abs(same - np.asarray(image)).mean() < 2
