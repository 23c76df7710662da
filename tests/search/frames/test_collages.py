"""Collages: pictures side by side, with gutters or without, or one within another."""

import numpy as np
import pytest
import skimage.data
from PIL import Image, ImageOps

from homing.search.frames.collages import find_panels
from tests.search.frames.test_borders import jpeg
from tests.search.frames.test_panels import overlap

NAMES = ("astronaut", "chelsea", "coffee", "rocket", "retina", "hubble_deep_field")


def photo(number: int, size: tuple[int, int]) -> Image.Image:
    image = Image.fromarray(getattr(skimage.data, NAMES[number % 4])())
    return ImageOps.mirror(ImageOps.fit(image, size)) if number >= 4 else ImageOps.fit(image, size)


@pytest.mark.parametrize("gutter", [0, 6, 20])
@pytest.mark.parametrize(("columns", "rows"), [(2, 1), (1, 2), (3, 1), (2, 2)])
def test_pictures_side_by_side(columns, rows, gutter) -> None:
    size = (300, 260)
    boxes = [
        (x * (size[0] + gutter), y * (size[1] + gutter))
        for y in range(rows)
        for x in range(columns)
    ]
    whole = Image.new("RGB", (boxes[-1][0] + size[0], boxes[-1][1] + size[1]), "white")
    for number, place in enumerate(boxes):
        whole.paste(photo(number, size), place)
    found = find_panels(jpeg(whole))
    wanted = [(x, y, x + size[0], y + size[1]) for x, y in boxes]
    near = [max((overlap(box, each) for box in found), default=0) for each in wanted]
    assert sum(share > 0.8 for share in near) >= 0.75 * len(wanted)
    assert len(found) <= 16


@pytest.mark.parametrize("place", [(20, 20), (430, 250)])
def test_a_picture_within_another(place) -> None:
    whole = photo(2, (800, 560))
    whole.paste(photo(0, (320, 260)), place)
    found = find_panels(jpeg(whole))
    wanted = (*place, place[0] + 320, place[1] + 260)
    assert max((overlap(box, wanted) for box in found), default=0) > 0.8


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee"])
def test_a_photograph_is_no_collage(name) -> None:
    assert find_panels(Image.fromarray(getattr(skimage.data, name)())) == ()


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (1, 400), (300, 200)])
def test_a_plain_picture_is_no_collage(size) -> None:
    assert find_panels(Image.new("RGB", size, "grey")) == ()


def test_boxes_lie_within_the_picture() -> None:
    random = np.random.default_rng(0)
    for _ in range(20):
        size = random.integers(40, 200, 2)
        levels = np.kron(random.integers(0, 255, (3, 3, 3)), np.ones((*(size // 3), 1)))
        image = Image.fromarray(levels.astype(np.uint8))
        for left, top, right, bottom in find_panels(image):
            assert 0 <= left < right <= image.width
            assert 0 <= top < bottom <= image.height
