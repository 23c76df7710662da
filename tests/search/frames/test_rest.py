"""Rests: where further pictures may be, beside those that were found."""

import numpy as np
import pytest
from PIL import Image

from homing.search.frames.rest import area, distinct, find_rests, intersection, is_taken
from tests.search.frames.test_borders import picture
from tests.search.frames.test_panels import page


@pytest.mark.parametrize(
    ("taken", "wanted"),
    [
        ([], [(0, 0, 600, 400)]),
        ([(0, 0, 600, 400)], []),
        ([(0, 0, 300, 400)], [(300, 0, 600, 400)]),
        ([(0, 0, 580, 400)], []),  # a gutter, a frame
        ([(0, 0, 300, 200)], [(300, 0, 600, 400), (0, 200, 600, 400)]),
        ([(0, 0, 300, 200), (300, 200, 600, 400)], [(300, 0, 600, 200), (0, 200, 300, 400)]),
        (
            [(200, 100, 400, 300)],
            [(0, 0, 200, 400), (400, 0, 600, 400), (0, 0, 600, 100), (0, 300, 600, 400)],
        ),
    ],
)
def test_rests_are_the_largest_boxes_left(taken, wanted) -> None:
    assert sorted(find_rests(picture(1, (600, 400)), taken)) == sorted(wanted)


def test_rests_cover_all_that_is_left() -> None:
    random = np.random.default_rng(0)
    image = picture(2, (90, 70))
    for _ in range(30):
        corners = random.integers(0, (90, 70, 90, 70), (3, 4))
        taken = [
            (min(a, c), min(b, d), max(a, c) + 1, max(b, d) + 1) for a, b, c, d in corners.tolist()
        ]
        seen = np.zeros((70, 90), int)
        for left, top, right, bottom in find_rests(image, taken):
            seen[top:bottom, left:right] += 1
            assert not any(intersection((left, top, right, bottom), box) for box in taken)
        assert seen.max() <= 12


def test_a_rest_has_no_frame_and_of_a_page_it_is_the_picture() -> None:
    whole = Image.new("RGB", (640, 400), "white")
    whole.paste(picture(3, (260, 320)), (350, 40))
    (rest,) = find_rests(whole, [(0, 0, 310, 400)])
    assert np.allclose(rest, (350, 40, 610, 360), atol=4)
    whole = page(picture(4, (420, 300)), (250, 130))
    rests = find_rests(whole, [(0, 0, 210, 640)])
    assert any(np.allclose(rest, (250, 130, 670, 430), atol=6) for rest in rests)


def test_what_is_taken_and_what_is_the_same() -> None:
    assert is_taken((0, 0, 10, 10), [(0, 0, 2, 10), (8, 0, 10, 10)])
    assert not is_taken((0, 0, 10, 10), [(0, 0, 3, 10), (20, 0, 30, 10)])
    assert distinct([(0, 0, 10, 10), (0, 0, 10, 9), (0, 0, 10, 5)]) == [
        (0, 0, 10, 10),
        (0, 0, 10, 5),
    ]
    assert area((5, 0, 2, 9)) == 0
