"""The random mix and AugLy. Covers random_mix.py, _replacements.py and _augly.py."""

import pickle
import random
from collections import Counter

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from homing.edits import PAPER, SCREENSHOT, _augly, _replacements, random_mix
from homing.errors import PictureError

pytest.importorskip("augly")

RANDOM = PAPER[-1]


def picture(width=160, height=120, seed=0):
    generator = np.random.default_rng(seed)
    coarse = generator.integers(256, size=(6, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def test_one_seed_repeats_and_two_differ():
    image = picture()
    first = [RANDOM.apply(image, np.random.default_rng(seed)) for seed in range(30)]
    again = [RANDOM.apply(image, np.random.default_rng(seed)) for seed in range(30)]
    assert [(i.size, i.tobytes()) for i in first] == [(i.size, i.tobytes()) for i in again]
    assert len({(i.size, i.tobytes()) for i in first}) >= 28
    assert all(i.mode == "RGB" for i in first)


def test_no_global_generator_is_read_or_moved():
    image = picture()
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002 - the legacy generator is what is watched
    expected = [RANDOM.apply(image, np.random.default_rng(seed)).tobytes() for seed in range(40)]
    random.seed(2)
    np.random.seed(2)  # noqa: NPY002
    before = random.getstate(), pickle.dumps(np.random.get_state())  # noqa: NPY002
    again = [RANDOM.apply(image, np.random.default_rng(seed)).tobytes() for seed in range(40)]
    assert again == expected
    assert (random.getstate(), pickle.dumps(np.random.get_state())) == before  # noqa: NPY002


def test_every_operation_of_every_group_works_and_changes_the_picture():
    image = picture()
    assert [len(group) for group in random_mix.GROUPS.values()] == [3, 2, 6, 7]
    for group in random_mix.GROUPS.values():
        for operation in group:
            for seed in range(3):
                edited = operation(image, np.random.default_rng(seed))
                assert edited.mode == "RGB", operation
                same = edited.size == image.size and edited.tobytes() == image.tobytes()
                assert not same, operation


def test_chains_have_the_stated_lengths_and_order():
    chains = [random_mix._chain(np.random.default_rng(seed)) for seed in range(4000)]
    lengths = Counter(map(len, chains))
    for length, share in zip((1, 2, 3, 4), (0.1, 0.2, 0.3, 0.4), strict=True):
        assert lengths[length] / 4000 == pytest.approx(share, abs=0.03)
    home = {o: name for name, group in random_mix.GROUPS.items() for o in group}
    used = Counter()
    for chain in chains:
        assert len({home[operation] for operation in chain}) == len(chain)
        assert random_mix._crop not in chain[1:]
        assert random_mix._palette not in chain[:-1]
        used.update(chain)
    # a group is chosen 3 times in 4 on average; its operations share that equally
    for name, group in random_mix.GROUPS.items():
        for operation in group:
            assert used[operation] / 4000 == pytest.approx(0.75 / len(group), rel=0.25), name
    starts = Counter(home[chain[0]] for chain in chains if len(chain) == 4)
    assert min(starts.values()) > 200, "no fixed order among the groups"


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (3, 2), (20, 20)])
def test_tiny_pictures_are_edited_or_refused(size):
    image = picture(*size)
    for seed in range(60):
        try:
            edited = RANDOM.apply(image, np.random.default_rng(seed))
        except PictureError as error:
            assert "larger" in str(error)  # noqa: PT017 - either outcome is right
            continue
        assert edited.mode == "RGB"
        assert min(edited.size) >= 1


def test_the_assets_are_all_there_and_sorted():
    emoji = _augly.emoji_files()
    assert len(emoji) == 872
    assert list(emoji) == sorted(emoji)
    fonts = _augly.font_files()
    assert len(fonts) == 364
    assert list(fonts) == sorted(fonts)


def test_characters_are_what_unpickling_would_give():
    for font in _augly.font_files()[::17]:
        assert list(_augly.characters(font)) == pickle.loads(font.with_suffix(".pkl").read_bytes())


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", ["mobile.png", "web.png"])
@pytest.mark.parametrize("crop", [False, True])
def test_screenshot_is_auglys(name, crop):
    from augly import image as augly
    from augly.utils import BBOXES_PATH, SCREENSHOT_TEMPLATES_DIR

    for size in ((160, 120), (80, 200), (700, 300)):
        image = picture(*size)
        expected = augly.overlay_onto_screenshot(
            image,
            template_filepath=f"{SCREENSHOT_TEMPLATES_DIR}/{name}",
            template_bboxes_filepath=BBOXES_PATH,
            crop_src_to_fit=crop,
            resize_src_to_match_template=not crop,
        )
        edited = _replacements.screenshot(image, name, crop=crop)
        assert np.array_equal(np.asarray(edited), np.asarray(expected))
    if name == "mobile.png" and not crop:
        assert SCREENSHOT.apply(image, np.random.default_rng(0)).tobytes() == edited.tobytes()
        assert not SCREENSHOT.in_mean


def test_text_is_auglys_on_a_plain_script():
    from augly import image as augly

    font = next(font for font in _augly.font_files() if font.stem == "Raleway-Bold")
    known = _augly.characters(font)
    indices = [known.index(ord(letter)) for letter in "homing"]
    image = picture()
    expected = augly.overlay_text(
        image, text=indices, font_file=str(font), font_size=0.2, color=(9, 80, 200), x_pos=0.3
    )
    edited = _replacements.overlay_text(
        image, "homing", font=font, size=0.2, colour=(9, 80, 200), place=(0.3, 0.5)
    )
    difference = np.abs(np.asarray(edited).astype(int) - np.asarray(expected))
    # AugLy draws on a picture with alpha and may lay letters out by Raqm: half pixels apart
    assert (difference > 40).mean() < 0.02
    changed = (np.asarray(edited) != np.asarray(image)).any(axis=2)
    assert changed.mean() > 0.02
    assert not changed[:60].any(), "nothing above the place given"


def test_shuffled_pixels_keep_the_colours_and_leave_the_rest():
    pixels = np.arange(40 * 30 * 3, dtype=np.uint32).reshape(30, 40, 3) % 251
    image = Image.fromarray(pixels.astype(np.uint8))
    edited = np.asarray(_replacements.shuffle_pixels(image, 0.25, np.random.default_rng(3)))
    moved = (edited != np.asarray(image)).any(axis=2).sum()
    assert 0.22 * 1200 < moved <= 0.25 * 1200
    before = sorted(map(tuple, np.asarray(image).reshape(-1, 3).tolist()))
    assert sorted(map(tuple, edited.reshape(-1, 3).tolist())) == before


class _Moves:
    """A stand-in generator that moves the corners by given amounts."""

    def __init__(self, *moves):
        self.moves = list(moves)

    def normal(self, mean, sigma, size):
        return np.array(self.moves.pop(0), dtype=float).reshape(size)


def test_perspective_maps_the_corners_and_crops_the_black():
    image = picture(100, 80)
    moves = [(10, 8), (-12, 5), (-6, -9), (7, -11)]
    edited = _replacements.perspective(image, 1.0, _Moves(moves))
    corners = np.array([(0, 0), (100, 0), (100, 80), (0, 80)]) + moves
    left, right = max(corners[0][0], corners[3][0]), min(corners[1][0], corners[2][0])
    upper, lower = max(corners[0][1], corners[1][1]), min(corners[2][1], corners[3][1])
    assert edited.size == (right - left, lower - upper)
    # Independent: find the source of each pixel by Newton steps on the forward projective map
    # that takes the unit square to the moved corners (Heckbert's closed form).
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = corners.tolist()
    sx, sy = x0 - x1 + x2 - x3, y0 - y1 + y2 - y3
    dx1, dx2, dy1, dy2 = x1 - x2, x3 - x2, y1 - y2, y3 - y2
    bottom = dx1 * dy2 - dx2 * dy1
    g, h = (sx * dy2 - dx2 * sy) / bottom, (dx1 * sy - sx * dy1) / bottom
    forward = np.array(
        [
            [x1 - x0 + g * x1, x3 - x0 + h * x3, x0],
            [y1 - y0 + g * y1, y3 - y0 + h * y3, y0],
            [g, h, 1],
        ]
    )
    y, x = np.mgrid[upper:lower, left:right] + 0.5
    u, v, w = np.einsum("ij,jyx->iyx", np.linalg.inv(forward), np.stack([x, y, np.ones_like(x)]))
    pixels = np.asarray(image).astype(float)
    for channel in range(3):
        expected = ndimage.map_coordinates(
            pixels[..., channel], [v / w * 80 - 0.5, u / w * 100 - 0.5], order=1, mode="nearest"
        )
        assert np.abs(np.asarray(edited)[2:-2, 2:-2, channel] - expected[2:-2, 2:-2]).max() < 6


def test_perspective_draws_again_when_no_rectangle_is_left():
    image = picture(100, 80)
    impossible = [(90, 0), (-90, 0), (-90, 0), (90, 0)]
    edited = _replacements.perspective(image, 1.0, _Moves(impossible, np.zeros((4, 2))))
    assert np.array_equal(np.asarray(edited), np.asarray(image)), "the second draw moves nothing"
    with pytest.raises(PictureError, match="perspective"):
        _replacements.perspective(image, 1.0, _Moves(*[impossible] * 50))


@pytest.mark.parametrize("function", ["brightness", "hflip", "rotate", "crop", "pixelization"])
def test_auglys_own_results_are_passed_on(function):
    """An operation that merely calls AugLy must give it the value drawn."""
    calls = {
        "brightness": (random_mix._brightness, lambda a: 0.1 <= a["factor"] <= 1.9),
        "hflip": (random_mix._mirror, lambda a: a == {}),
        "rotate": (random_mix._rotation, lambda a: -90 <= a["degrees"] <= 90),
        "crop": (random_mix._crop, lambda a: 0.3 <= a["x2"] - a["x1"] <= 0.6 and a["y2"] <= 1),
        "pixelization": (random_mix._pixelization, lambda a: 0.2 <= a["ratio"] <= 0.5),
    }
    operation, right = calls[function]
    seen = []
    original = getattr(_augly.image_functions(), function)

    class Spy:
        def __getattr__(self, name):
            assert name == function
            return lambda image, **arguments: (
                seen.append(arguments),
                original(image, **arguments),
            )[1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(random_mix, "image_functions", Spy)
        for seed in range(20):
            operation(picture(), np.random.default_rng(seed))
    assert len(seen) == 20
    assert all(right(arguments) for arguments in seen)
