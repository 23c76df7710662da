"""Views for training: the two ways to make them, and edits against their definitions."""

from io import BytesIO

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from recipe import geometry, tones, views
from recipe.batches import Batch, Batches, BatchPlan, picture_numbers
from recipe.material import Material
from recipe.mixes import EDITS, mix
from recipe.on_device import geometry as device_geometry
from recipe.on_device import views as device_views
from recipe.on_device.overlays import to_device
from recipe.on_device.tones import TONES
from recipe.overlays import Overlays, load_overlays

from homing.demo.generated import generated_picture

_PLAN = BatchPlan(pictures=3, strong=4, size=64, seed=5)


@pytest.fixture(scope="module")
def overlays() -> Overlays:
    return load_overlays(0)


@pytest.fixture(scope="module")
def device_edits(overlays: Overlays):
    return device_views._edits(to_device(overlays, device_views.SIDE, torch.device("cpu")))


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return np.asarray(generated_picture(np.random.default_rng(3), (240, 176)))


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    path = tmp_path_factory.mktemp("material") / "pictures.bin"
    offsets = [0]
    with path.open("wb") as file:
        for number in range(6):
            buffer = BytesIO()
            generated_picture(np.random.default_rng(number), (96, 80)).save(buffer, "PNG")
            file.write(buffer.getvalue())
            offsets.append(file.tell())
    return Material(path, np.array(offsets))


def test_both_ways_know_every_edit(overlays: Overlays, device_edits) -> None:
    assert views._steps(overlays).keys() == EDITS
    assert device_edits.keys() == EDITS


def test_the_mix_draws_every_edit() -> None:
    rng = np.random.default_rng(0)
    assert {name for _ in range(3000) for name in mix(rng)} == EDITS


@pytest.mark.parametrize("name", sorted(EDITS))
def test_every_edit_changes_the_picture(name: str, picture: np.ndarray, overlays: Overlays) -> None:
    edit = views._steps(overlays)[name]
    before = picture.copy()
    made = [views.finish(edit(picture, np.random.default_rng(seed)), 64) for seed in range(4)]
    assert np.array_equal(picture, before)  # edits must not modify the picture
    assert all(one.shape == (64, 64, 3) and one.dtype == np.uint8 for one in made)
    assert any(np.abs(one.astype(int) - views.finish(picture, 64)).max() > 3 for one in made)
    again = views.finish(edit(picture, np.random.default_rng(0)), 64)
    assert np.array_equal(again, made[0])


@pytest.mark.parametrize("name", sorted(EDITS))
def test_every_edit_on_a_device(name: str, device_edits) -> None:
    side = device_views.SIDE
    edit = device_edits[name]
    pictures = torch.stack(
        [
            torch.from_numpy(np.array(generated_picture(np.random.default_rng(n), (side, side))))
            for n in range(4)
        ]
    )
    pictures = pictures.permute(0, 3, 1, 2).float() / 255
    before = pictures.clone()
    made = edit(pictures, np.random.default_rng(1))
    assert torch.equal(pictures, before)
    assert made.shape == pictures.shape
    assert float(made.min()) > -1e-4
    assert float(made.max()) < 1 + 1e-4
    assert float((made - pictures).abs().max()) > 0.01
    assert torch.equal(edit(pictures, np.random.default_rng(1)), made)


def test_batches_depend_on_seed_and_number_alone(material: Material) -> None:
    first = Batches(material, 6, _PLAN, 10)
    _equal(first[3], Batches(material, 6, _PLAN, 5)[3])
    assert not torch.equal(first[3].views, first[4].views)
    pictures = device_views.load_pictures(material, 6, torch.device("cpu"))
    every = dict(device_views.device_batches(pictures, _PLAN, range(4)))
    _equal(every[3], dict(device_views.device_batches(pictures, _PLAN, range(3, 4)))[3])
    for batch in (first[3], every[3]):
        assert batch.views.shape == (15, 64, 64, 3)
        assert batch.views.dtype == torch.uint8
        assert batch.owner.tolist() == first[3].owner.tolist()  # both ways show the same pictures
        assert torch.all((batch.share == 1) | (batch.guest != -1))
        assert torch.all(batch.share[:: _PLAN.strong + 1] == 1)


def _equal(a: Batch, b: Batch) -> None:
    for name in ("views", "owner", "guest", "share"):
        assert torch.equal(getattr(a, name), getattr(b, name))


def test_every_round_shows_every_picture_once() -> None:
    drawn = [n for step in range(7) for n in picture_numbers(step, _PLAN, 7)]
    assert [sorted(drawn[i : i + 7]) for i in (0, 7, 14)] == [list(range(7))] * 3


@given(degrees=st.floats(-180, 180), width=st.floats(1, 100), height=st.floats(1, 100))
@settings(max_examples=200, deadline=None)
def test_the_largest_upright_rectangle_lies_within(
    degrees: float, width: float, height: float
) -> None:
    across, down = geometry.largest_upright(width, height, degrees)
    angle = np.deg2rad(degrees)
    turn = np.array([(np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))])
    corners = np.array([(across, down), (across, -down)]) / 2 @ turn
    assert across > 0
    assert down > 0
    assert np.all(np.abs(corners) <= np.array([width, height]) / 2 * (1 + 1e-9))


def test_a_quarter_turn_by_warping_is_a_quarter_turn(picture: np.ndarray) -> None:
    turned = geometry.warp(picture, geometry.Warp(degrees=90), np.random.default_rng(0))
    assert np.abs(turned.astype(int) - np.rot90(picture)).max() <= 1


def test_tones_are_pillows(picture: np.ndarray) -> None:
    from PIL import ImageEnhance

    image = Image.fromarray(picture)
    for ours, theirs in (
        (tones.brightness, ImageEnhance.Brightness),
        (tones.contrast, ImageEnhance.Contrast),
        (tones.saturation, ImageEnhance.Color),
    ):
        for factor in (0.4, 1.7):
            wanted = np.asarray(theirs(image).enhance(factor)).astype(int)
            assert np.abs(ours(picture, factor) - wanted).max() <= 2, (ours, factor)


def test_identity_is_sampled_unchanged() -> None:
    pictures = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    matrices = np.tile(np.eye(3), (2, 1, 1))
    torch.testing.assert_close(device_geometry.resample(pictures, matrices), pictures)
    matrices[:, 0, 0] = -1
    flipped = device_geometry.resample(pictures, matrices)
    torch.testing.assert_close(flipped, pictures.flip(-1), atol=1e-5, rtol=0)


@pytest.mark.parametrize("quality", [10, 40])
def test_coding_on_a_device_is_jpeg(quality: int, picture: np.ndarray) -> None:
    side = device_views.SIDE
    pixels = cv2.resize(picture, (side, side))
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality, subsampling="4:2:0")
    wanted = np.asarray(Image.open(buffer)).astype(float)

    class Fixed:
        def integers(self, *_args: object, size: int) -> np.ndarray:
            return np.full(size, quality)

    tensor = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255
    made = TONES["wide coding"](tensor, Fixed())[0].permute(1, 2, 0).numpy() * 255
    ours = np.mean((made - wanted) ** 2)
    loss = np.mean((pixels - wanted) ** 2)
    assert ours < 0.25 * loss  # far nearer to the real coding than the original is
