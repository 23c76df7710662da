"""Panels: the picture on a page, found among plain grounds, text and other pictures."""

import numpy as np
import pytest
import skimage.data
from PIL import Image, ImageDraw

from homing.search.frames.borders import find_frame, inner_box
from homing.search.frames.panels import find_panel, is_page, scaled_down
from tests.search.frames.test_borders import jpeg, picture


def page(image: Image.Image, place: tuple[int, int], ground=(245, 246, 250)) -> Image.Image:
    """Return a page with a column of text, a heading, cards, and a smaller picture as well."""
    whole = Image.new("RGB", (1000, 640), ground)
    draw = ImageDraw.Draw(whole)
    draw.rectangle((0, 0, 999, 50), fill="white")
    draw.rectangle((220, 70, 700, 639), fill="white")
    for line in range(12):
        draw.text((20, 90 + 40 * line), "Messages and more", fill=(40, 40, 60))
    draw.text((240, 80), "A heading of the card", fill="black")
    whole.paste(picture(77, (180, 120)), (760, 120))
    whole.paste(image, place)
    return whole


def overlap(found, wanted) -> float:
    left, top = np.maximum(found[:2], wanted[:2])
    right, bottom = np.minimum(found[2:], wanted[2:])
    shared = max(0, right - left) * max(0, bottom - top)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (found, wanted)]
    return shared / (sum(areas) - shared)


@pytest.mark.parametrize("coded", [False, True])
@pytest.mark.parametrize("ground", [(245, 246, 250), (255, 255, 255), (24, 26, 30)])
def test_the_largest_picture_of_a_page_is_found(ground, coded) -> None:
    for seed in range(3):
        whole = page(picture(seed, (420, 300)), (250, 130), ground)
        found = inner_box(jpeg(whole) if coded else whole)
        assert found is not None
        assert overlap(found, (250, 130, 670, 430)) > 0.95


def test_bars_of_the_picture_on_a_page_are_cut_too() -> None:
    """Cutting bands alone does not find it: there are columns beside the card."""
    barred = Image.new("RGB", (420, 300))
    barred.paste(picture(4, (260, 300)), (80, 0))
    whole = page(barred, (250, 130))
    assert overlap(find_frame(np.asarray(whole)) or (0, 0, 1000, 640), (330, 130, 590, 430)) < 0.5
    assert overlap(inner_box(whole), (330, 130, 590, 430)) > 0.93


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee", "rocket"])
def test_photographs_are_no_pages(name) -> None:
    assert find_panel(getattr(skimage.data, name)()) is None


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (1, 400), (300, 200)])
def test_a_plain_picture_holds_no_panel(size) -> None:
    assert find_panel(np.full((size[1], size[0], 3), 200, np.uint8)) is None


def test_a_page_of_text_holds_no_panel() -> None:
    whole = Image.new("RGB", (400, 300), "white")
    draw = ImageDraw.Draw(whole)
    for line in range(20):
        draw.text((20, 10 + 14 * line), "nothing but words upon words upon words", fill="black")
    assert find_panel(np.asarray(whole)) is None


@pytest.mark.parametrize("name", ["mobile.png", "web.png"])
def test_a_post_on_a_screen_is_found(name) -> None:
    """Screenshots of the paper's edit, whose post has bars beside an upright picture."""
    pytest.importorskip("augly")
    from homing.edits._replacements import screenshot, template

    image = Image.fromarray(skimage.data.astronaut())
    left, top, right, bottom = template(name)[1]
    side = min(right - left, bottom - top)
    across = left + (right - left - side) // 2
    found = inner_box(jpeg(screenshot(image, name)))
    assert found is not None
    assert overlap(found, (across, top, across + side, top + side)) > 0.9


def test_what_is_found_is_never_empty() -> None:
    """Pictures of few pixels, found by made-up requests to a service."""
    random = np.random.default_rng(0)
    for _ in range(1000):
        grey = random.choice(np.array([0, 7, 128, 255], np.uint8), random.integers(1, 9, 2))
        found = find_panel(np.repeat(grey[..., None], 3, axis=2))
        assert found is None or (found[2] > found[0] and found[3] > found[1])


def test_pages_are_told_from_photographs() -> None:
    assert is_page(scaled_down(page(picture(1, (420, 300)), (250, 130)), 256))
    assert not is_page(scaled_down(Image.fromarray(skimage.data.astronaut()), 256))
    assert scaled_down(Image.new("RGB", (1000, 2)), 100).shape == (1, 100, 3)
    assert scaled_down(Image.new("RGB", (10, 20)), 100).shape == (20, 10, 3)
