"""`homing.activate`, from Pillow images to Pillow images."""

import io
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import homing
from homing.activation import METHODS
from homing.options import Activation


def decibels(a: Image.Image, b: Image.Image, peak: int = 255) -> float:
    difference = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
    error = np.mean(difference[..., :3] ** 2) if difference.ndim == 3 else np.mean(difference**2)
    return math.inf if error == 0 else 10 * math.log10(peak**2 / error)


@pytest.fixture
def pictures(scene) -> list[Image.Image]:
    colours = Image.fromarray(scene(60, 80))
    alpha = Image.fromarray(np.full((60, 80), 200, np.uint8))
    with_alpha = colours.copy()
    with_alpha.putalpha(alpha)
    grey = Image.fromarray(scene(70, 50, 1)[..., 0])
    return [
        colours,
        grey,
        with_alpha,
        Image.merge("LA", (grey, alpha.resize(grey.size))),
        Image.fromarray(scene(40, 45, 1, dtype="u2")[..., 0]),  # I;16
        Image.fromarray(scene(33, 47)),
    ]


@pytest.mark.parametrize("method", ["paper", Activation.method])
def test_modes_sizes_and_budget(tiny, tiny_codebook, pictures, method) -> None:
    results = homing.activate(iter(pictures), tiny, tiny_codebook, method=method)
    assert len(results) == len(pictures)
    for before, after in zip(pictures, results, strict=True):
        assert (after.mode, after.size) == (before.mode, before.size)
        if before.mode == "LA":
            before, after = before.getchannel("L"), after.getchannel("L")
        peak = 65535 if before.mode == "I;16" else 255
        # Published: the whole budget. Robust: no more of it than need be.
        most = 42.3 if method == "paper" else 50
        assert 42 <= decibels(before, after, peak) < most
    np.testing.assert_array_equal(results[2].getchannel("A"), pictures[2].getchannel("A"))
    np.testing.assert_array_equal(results[3].getchannel("A"), pictures[3].getchannel("A"))


def test_the_pictures_given_are_left_alone(tiny, tiny_codebook, pictures) -> None:
    copies = [np.array(picture) for picture in pictures]
    homing.activate(pictures, tiny, tiny_codebook)
    for picture, copy in zip(pictures, copies, strict=True):
        np.testing.assert_array_equal(np.asarray(picture), copy)


def test_same_seed_same_result_whatever_the_others(tiny, tiny_codebook, pictures) -> None:
    first = homing.activate(pictures, tiny, tiny_codebook, seed=5)
    second = homing.activate(pictures[::-1], tiny, tiny_codebook, seed=5)[::-1]
    assert [each.tobytes() for each in first] == [each.tobytes() for each in second]


def test_two_seeds_two_results(homing_s, codebook_256, astronaut) -> None:
    picture = Image.fromarray(astronaut)
    picture.thumbnail((200, 200))
    results = [
        homing.activate([picture], homing_s, codebook_256, seed=seed, method="robust-fast")[0]
        for seed in (0, 1, 0)
    ]
    assert results[0].tobytes() == results[2].tobytes()
    assert results[0].tobytes() != results[1].tobytes()


def test_psnr_is_the_callers(tiny, tiny_codebook, pictures) -> None:
    (result,) = homing.activate(pictures[:1], tiny, tiny_codebook, psnr=47, method="paper")
    assert 47 <= decibels(pictures[0], result) < 47.2


def test_a_palette_becomes_rgb(tiny, tiny_codebook, pictures) -> None:
    palette = pictures[0].quantize(64)
    (result,) = homing.activate([palette], tiny, tiny_codebook, method="paper")
    assert result.mode == "RGB"
    assert 42 <= decibels(palette.convert("RGB"), result) < 42.2


def test_orientation_and_profile_stay(tiny, tiny_codebook, pictures) -> None:
    stream = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    pictures[0].save(stream, "PNG", exif=exif, icc_profile=b"a profile")
    (result,) = homing.activate([Image.open(stream)], tiny, tiny_codebook)
    assert result.getexif()[0x0112] == 6
    assert result.size == pictures[0].size
    assert result.info["icc_profile"] == b"a profile"


@pytest.mark.parametrize("mode", ["CMYK", "1", "F", "HSV", "YCbCr"])
def test_other_modes_are_refused_with_a_remedy(tiny, tiny_codebook, pictures, mode: str) -> None:
    stranger = Image.new(mode, (20, 20))
    with pytest.raises(homing.PictureError, match="convert"):
        homing.activate([pictures[0], stranger], tiny, tiny_codebook)


@pytest.mark.parametrize("given", ["photo.png", ["photo.png"], [Path("photo.png")]])
def test_files_in_place_of_pictures_are_refused_with_a_remedy(tiny, tiny_codebook, given) -> None:
    with pytest.raises(homing.UsageError, match=r"PIL\.Image\.open"):
        homing.activate(given, tiny, tiny_codebook)


def test_no_pictures(tiny, tiny_codebook) -> None:
    assert homing.activate([], tiny, tiny_codebook) == []


def test_the_method_reaches_activation(tiny, tiny_codebook, pictures) -> None:
    with pytest.raises(homing.UsageError, match="paper"):
        homing.activate(pictures, tiny, tiny_codebook, method="none such")
    for name in METHODS:
        assert len(homing.activate(pictures[:1], tiny, tiny_codebook, method=name)) == 1


def test_further_codebooks_reach_activation(tiny, tiny_codebook, pictures) -> None:
    coarse = np.random.default_rng(3).integers(0, 256, (600, 4, 4, 3), dtype=np.uint8)
    vectors = tiny.describe_squashed(coarse.repeat(4, 1).repeat(4, 2))
    further = homing.train_codebook(vectors, "PCA8,LSH", descriptor=tiny.fingerprint)
    (alone,) = homing.activate(pictures[:1], tiny, tiny_codebook)
    (together,) = homing.activate(pictures[:1], tiny, tiny_codebook, also=[further])
    assert together.tobytes() != alone.tobytes()
    assert decibels(pictures[0], together) >= 42
    stranger = homing.train_codebook(vectors, "PCA8,LSH", descriptor="e" * 64)
    with pytest.raises(homing.CodebookError, match="e" * 64):
        homing.activate(pictures[:1], tiny, tiny_codebook, also=[further, stranger])
