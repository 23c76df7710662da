"""Simulated edits, their shapes and tones: against Pillow, finite differences, and their draws.

Covers edits.py, shapes.py and tones.py.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance

from homing.activation.simulated_edits import shapes as warping
from homing.activation.simulated_edits import tones as toning
from homing.activation.simulated_edits.edits import (
    DrawnEdits,
    EditPlan,
    Originals,
    apply_edits,
    draw_edits,
    stack_edits,
)
from homing.edits import operations

SIDE = 96
PLAN = EditPlan(toned=3, shaped=3)
BLACK, WHITE = torch.zeros(1, 3, 1, 1), torch.ones(1, 3, 1, 1)


@pytest.fixture(scope="module")
def wide(scene: Callable[..., np.ndarray]) -> Image.Image:
    """A picture of 3 : 2, smooth enough for two resamplings to agree."""
    small = Image.fromarray(scene(120, 180, seed=4))
    return small.resize((360, 240), Image.Resampling.BICUBIC)


def noise(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(11))


def squashed(image: Image.Image) -> torch.Tensor:
    small = image.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.asarray(small, np.float32) / 255).permute(2, 0, 1)[None]


def warped(image: Image.Image, matrix: np.ndarray, fill: torch.Tensor = BLACK) -> torch.Tensor:
    return warping.warp(squashed(image), torch.from_numpy(matrix)[None], fill)


def toned(
    image: Image.Image,
    colour: np.ndarray | None = None,
    contrast: float = 1.0,
    brightness: float = 1.0,
) -> np.ndarray:
    matrix = toning.UNMIXED if colour is None else colour
    pixels = torch.from_numpy(np.asarray(image, np.float32) / 255).permute(2, 0, 1)[None]
    found = toning.recolour(pixels, matrix, contrast, brightness)
    return found[0].permute(1, 2, 0).numpy() * 255


def apart(found: torch.Tensor, expected: Image.Image, rows: slice = slice(None)) -> float:
    """Return the mean difference in levels."""
    return float((found - squashed(expected))[:, :, rows].abs().mean() * 255)


@pytest.mark.parametrize("degrees", [-60, -25, 10, 25, 90, 180, 270])
def test_turning_is_pillows(wide: Image.Image, degrees: int) -> None:
    expected = operations.rotation(wide, degrees)
    found = warped(wide, warping.turn(degrees, 1.5))
    assert apart(found, expected) < 2.0
    assert apart(warped(wide, warping.turn(-degrees + 5, 1.5)), expected) > 8.0


def test_a_quarter_turn_moves_pixels_and_nothing_else(wide: Image.Image) -> None:
    found = warped(wide, warping.turn(90, 1.5))
    torch.testing.assert_close(found, squashed(wide).rot90(1, (2, 3)), atol=1e-4, rtol=0)


def test_turning_on_the_same_canvas(wide: Image.Image) -> None:
    expected = wide.rotate(20, Image.Resampling.BILINEAR, expand=False)
    assert apart(warped(wide, warping.turn(20, 1.5, expanded=False)), expected) < 2.0


@pytest.mark.parametrize("area", [0.3, 0.5, 1.0])
def test_a_crop_is_pillows(wide: Image.Image, area: float) -> None:
    found = warped(wide, warping.window(area**0.5, area**0.5))
    assert apart(found, operations.crop(wide, area)) < 3.0


def test_a_crop_elsewhere(wide: Image.Image) -> None:
    found = warped(wide, warping.window(0.5, 0.25, -1, 1))
    assert apart(found, wide.crop((0, 180, 180, 240))) < 3.5


def test_a_band_is_a_memes(wide: Image.Image) -> None:
    share = 250 / (240 + 250)
    found = warped(wide, warping.inset(0, share, 1, 1), WHITE)
    below = slice(int(share * SIDE) + 3, None)
    assert apart(found, operations.meme(wide), below) < 2.0
    assert (found[:, :, : int(share * SIDE) - 2] == 1).all()


def test_a_frame_on_four_sides(wide: Image.Image) -> None:
    framed = Image.new("RGB", (600, 400), (255, 255, 255))
    framed.paste(wide, (60, 120))
    found = warped(wide, warping.inset(0.1, 0.3, 0.7, 0.9), WHITE)
    assert apart(found, framed) < 2.0


def test_a_mirror(wide: Image.Image) -> None:
    found = warped(wide, warping.mirror())
    torch.testing.assert_close(found, squashed(wide).flip(3), atol=1e-4, rtol=0)


@pytest.mark.parametrize(("across", "down"), [(0.3, -0.2), (-0.18, 0.18), (0.0, 0.4)])
def test_from_aside_nothing_outside_shows(across: float, down: float) -> None:
    white = torch.ones(1, 3, SIDE, SIDE)
    matrix = torch.from_numpy(warping.keystone(across, down))[None]
    assert warping.warp(white, matrix, BLACK).min() > 0.99


def test_from_aside_is_pillows_perspective(wide: Image.Image) -> None:
    matrix = warping.keystone(0.2, 0.1)
    # Pillow's coefficients are of pixels; the same homography between pixels' coordinates.
    to_unit = np.array([[2 / SIDE, 0, -1], [0, 2 / SIDE, -1], [0, 0, 1]])
    pixels = np.linalg.inv(to_unit) @ matrix @ to_unit
    square = wide.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    coefficients = (pixels / pixels[2, 2]).ravel()[:8]
    expected = square.transform(
        square.size, Image.Transform.PERSPECTIVE, tuple(coefficients), Image.Resampling.BILINEAR
    )
    assert apart(warped(wide, matrix), expected) < 2.0


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_brightness_and_contrast_are_pillows(wide: Image.Image, factor: float) -> None:
    expected = np.asarray(operations.brightness(wide, factor), np.float32)
    np.testing.assert_allclose(toned(wide, brightness=factor), expected, atol=1.01)
    expected = np.asarray(operations.contrast(wide, factor), np.float32)
    np.testing.assert_allclose(toned(wide, contrast=factor), expected, atol=2.01)


@pytest.mark.parametrize("factor", [0.0, 0.5, 2.0])
def test_saturation_is_pillows(wide: Image.Image, factor: float) -> None:
    expected = np.asarray(ImageEnhance.Color(wide).enhance(factor), np.float32)
    found = toned(wide, toning.colour_matrix(saturation=factor))
    assert np.abs(found - expected).max() < 3


def test_hue_turns_as_pillows_does(wide: Image.Image) -> None:
    """The luma is unchanged here, the value in Pillow: results are close, not equal."""
    before = np.asarray(wide, np.float32)
    expected = np.asarray(operations.hue(wide, 0.2), np.float32)
    found = toned(wide, toning.colour_matrix(hue=0.2))
    right = np.abs(found - expected).mean()
    assert right < 0.7 * np.abs(before - expected).mean()
    assert right < 0.5 * np.abs(toned(wide, toning.colour_matrix(hue=-0.2)) - expected).mean()


def test_blur_is_the_papers(wide: Image.Image) -> None:
    pixels = torch.from_numpy(np.asarray(wide, np.float32)).permute(2, 0, 1)[None]
    found = toning.blur(pixels, 2.0)[0].permute(1, 2, 0)
    np.testing.assert_allclose(found, np.asarray(operations.blur(wide, 11), np.float32), atol=1.5)
    torch.testing.assert_close(toning.blur(pixels, 0.0), pixels)


def test_coding_rounds_cosines_and_lets_gradients_through(wide: Image.Image) -> None:
    pixels = squashed(wide)[:, :, :90, :83].requires_grad_()
    found = [toning.compress(pixels, step) for step in (0.0, 0.05, 0.3)]
    torch.testing.assert_close(found[0], pixels, atol=1e-5, rtol=0)
    lost = [(each - pixels).detach().square().mean().sqrt() for each in found]
    assert 0 < lost[1] < lost[2]
    # A block's mean is its first cosine over eight: a multiple of a step, over eight.
    mean = found[2][0, 0, :8, :8].detach().mean() * 8 / 0.3
    assert abs(float(mean - mean.round())) < 0.02
    (gradient,) = torch.autograd.grad(found[2].sum(), pixels)
    assert (gradient == 1).all()


def drawn(seed: int = 0, *, plan: EditPlan = PLAN, steps: int = 4, size: int = 8, aspect=1.5):
    generator = np.random.default_rng(seed)
    return draw_edits(plan, steps, aspect=aspect, size=size, generator=generator)


def test_gradient_is_that_of_finite_differences() -> None:
    edits = stack_edits([drawn(1), drawn(2)])
    edits.coding[:] = 0  # whose gradient is not that of rounding, by design
    generator = torch.Generator().manual_seed(0)
    pictures = 0.3 + 0.4 * torch.rand(2, 3, 8, 8, generator=generator, dtype=torch.float64)
    pictures.requires_grad_()
    for step in range(4):
        function = lambda p: torch.cat(list(apply_edits(p, edits, step)))  # noqa: E731, B023
        assert torch.autograd.gradcheck(function, pictures, eps=1e-7, atol=1e-6, fast_mode=True)


def test_edited_copies_are_as_many_as_planned_and_come_two_at_a_time() -> None:
    pictures = noise(3, 3, 16, 16)
    edits = stack_edits([drawn(n, size=16) for n in range(3)])
    sizes = [len(edited) for edited in apply_edits(pictures, edits, 0)]
    assert sum(sizes) == PLAN.passes * 3
    assert max(sizes) == 6
    edited = torch.cat(list(apply_edits(pictures, edits, 0)))
    assert edited.shape == (18, 3, 16, 16)
    assert edited.min() >= 0
    assert edited.max() <= 1
    changed = (edited.unflatten(0, (6, 3)) - pictures).abs().mean(dim=(1, 2, 3, 4))
    assert (changed > 0.01).all()


def test_every_edit_is_of_its_own_picture() -> None:
    pictures = noise(2, 3, 16, 16)
    one, other = drawn(1, size=16), drawn(2, size=16)
    together = list(apply_edits(pictures, stack_edits([one, other]), 2))
    for place, alone in enumerate((one, other)):
        single = list(apply_edits(pictures[place : place + 1], stack_edits([alone]), 2))
        for pair, own in zip(together, single, strict=True):
            torch.testing.assert_close(pair[place::2], own, rtol=0, atol=0)


def of_shape(matrix: np.ndarray) -> DrawnEdits:
    """Return edits of one step and one pass, of that shape."""
    found = draw_edits(
        EditPlan(shaped=1), 1, aspect=1.0, size=SIDE, generator=np.random.default_rng(0)
    )
    return stack_edits([replace(found, shapes=matrix[None, None], fills=np.zeros((1, 1, 3)))])


def test_a_crop_is_cut_out_of_the_picture_not_out_of_its_squash(scene) -> None:
    image = Image.fromarray(scene(4 * SIDE, 4 * SIDE, seed=5))
    quarter = image.crop((SIDE, SIDE, 3 * SIDE, 3 * SIDE))
    untouched = squashed(image)
    finer = torch.from_numpy(np.asarray(image.resize((2 * SIDE, 2 * SIDE)), np.float32) / 255)
    originals = Originals(untouched, finer.permute(2, 0, 1)[None])
    edits = of_shape(warping.window(0.5, 0.5))
    (coarse,) = apply_edits(untouched, edits, 0)
    (fine,) = apply_edits(untouched, edits, 0, originals)
    assert apart(fine, quarter) < 0.5 * apart(coarse, quarter)
    # The change is added at the descriptor's scale: originals make no difference to it.
    changed = untouched + 0.02 * noise(*untouched.shape)
    (edited,), (expected,) = (apply_edits(changed, edits, 0, d) for d in (originals, None))
    torch.testing.assert_close(edited - fine, expected - coarse, rtol=0, atol=1e-6)


def test_what_does_not_enlarge_needs_no_originals(scene) -> None:
    untouched = squashed(Image.fromarray(scene(2 * SIDE, 2 * SIDE, seed=5)))
    originals = Originals(untouched, noise(1, 3, 2 * SIDE, 2 * SIDE))
    for matrix in (warping.turn(25, 1.5), warping.inset(0, 0.3, 1, 1), warping.mirror()):
        (without,), (found,) = (
            apply_edits(untouched, of_shape(matrix), 0, d) for d in (None, originals)
        )
        torch.testing.assert_close(found, without, rtol=0, atol=0)


def test_all_shapes_and_tones_are_dealt_before_one_comes_again() -> None:
    plan = EditPlan(toned=1, shaped=1)
    for seed in range(20):
        found = drawn(seed, plan=plan, steps=5, aspect=1.0)
        shapes = found.shapes[:, 0]
        quarters = [s for s in shapes if abs(abs(s[0, 0]) + abs(s[0, 1]) - 1) < 1e-9]
        mirrored = [s for s in shapes if np.linalg.det(s[:2, :2]) < 0]
        assert len(mirrored) == 1  # from aside
        assert any(abs(s[0, 1]) < 1e-9 and s[0, 0] < 1 for s in shapes)  # a crop
        assert any(abs(s[0, 1]) < 1e-9 and max(s[0, 0], s[1, 1]) > 1 for s in shapes)  # a band
        assert quarters
        brightness = found.brightness[:, 0]
        assert np.sum(brightness > 1.2) <= 1
        assert np.sum(brightness < 0.8) <= 1


def test_draws_are_the_generators() -> None:
    for name in ("shapes", "fills", "colours", "contrast", "brightness", "sigmas", "coding"):
        assert np.array_equal(getattr(drawn(3), name), getattr(drawn(3), name))
    assert not np.array_equal(drawn(3).shapes, drawn(4).shapes)


def test_plans_are_checked() -> None:
    with pytest.raises(ValueError, match="at least 0"):
        EditPlan(toned=1, shaped=-1)
    assert EditPlan().passes == 1
