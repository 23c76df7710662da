"""Colours taken to sRGB: profiles, chunks, and what is brighter than a page."""

import time

import numpy as np
import pytest

from homing.images.colour import Colour, colour_of
from homing.images.told import Told
from tests.helpers.colour_spaces import SPACES, gamma_curve, ink_profile, profile, srgb_light
from tests.helpers.picture_files import PROFILE

LEVELS = np.random.default_rng(0).uniform(0.1, 0.9, (40, 30, 3)) * 0.6 + 0.15


def told(name: str) -> Told:
    chunks = dict(SPACES[name].chunks)
    gamma, colours = chunks.get(b"gAMA"), chunks.get(b"cHRM")
    return Told(
        icc=SPACES[name].icc,
        cicp=chunks.get(b"cICP"),
        gamma=None if gamma is None else int.from_bytes(gamma, "big"),
        chromaticities=None if colours is None else tuple(np.frombuffer(colours, ">u4") / 100000),
    )


@pytest.mark.parametrize("white", [255, 65535])
@pytest.mark.parametrize("name", SPACES)
def test_every_space_is_shown_as_its_formula_says(name: str, white: int) -> None:
    stored = SPACES[name].stored(LEVELS, white)
    colour = colour_of(told(name), 3, stored.max() / white)
    assert colour.convert is not None
    shown = colour.convert(stored)
    assert shown.dtype == stored.dtype
    away = np.abs(shown / white - SPACES[name].shown(stored, white)) * 255
    assert away.max() <= 1.2
    if white == 65535:
        assert np.abs(shown / white - LEVELS).max() * 255 <= 1.2


@pytest.mark.parametrize("name", SPACES)
def test_steps_of_gamma_are_even_and_those_of_light_are_not(name: str) -> None:
    even = not name.startswith("linear") and name != "PQ"
    assert colour_of(told(name), 3).even == even


@pytest.mark.parametrize(
    "plain",
    [
        Told(),
        Told(srgb=True, gamma=100000),
        Told(gamma=45455),
        Told(icc=PROFILE),
        Told(icc=PROFILE, gamma=100000),
        Told(cicp=bytes((1, 13, 0, 1))),
        Told(cicp=bytes((1, 1, 0, 1)), icc=SPACES["Adobe RGB"].icc),
        Told(icc=b"damaged" * 40),
        Told(icc=SPACES["Adobe RGB"].icc[:200]),
        Told(icc=profile(b"GRAY", gamma_curve(1.0))),
        Told(gamma=0),
        Told(gamma=45455, chromaticities=(0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)),
        Told(gamma=45455, chromaticities=(0.0,) * 8),
    ],
)
def test_what_is_srgb_is_left_alone(plain: Told) -> None:
    assert colour_of(plain, 3).convert is None


def test_that_nothing_is_told_costs_no_time() -> None:
    start = time.process_time()
    for _ in range(100):
        colour_of(Told(), 3)
    assert time.process_time() - start < 0.1  # each picture took 0.02


def test_grey_profiles_are_of_grey_pictures() -> None:
    colour = colour_of(Told(icc=profile(b"GRAY", gamma_curve(1.0))), 1)
    greys = np.arange(0, 65536, 257, dtype=np.uint16).reshape(16, 16, 1)
    assert colour.convert is not None
    shown = colour.convert(greys)
    assert shown.shape == greys.shape
    assert np.abs(srgb_light(shown / 65535) - greys / 65535).max() < 1e-3


def test_narrow_range_is_widened() -> None:
    colour = colour_of(Told(cicp=bytes((1, 13, 0, 0))), 3)
    assert colour.convert is not None
    found = colour.convert(np.array([[[0, 16, 235]]], np.uint8))
    assert found.tolist() == [[[0, 0, 255]]]


@pytest.mark.parametrize("transfer", [16, 18])
def test_bright_pictures_keep_their_highlights(transfer: int) -> None:
    levels = np.linspace(0, 0.75, 1000)
    pixels = np.rint(levels * 65535).astype(np.uint16).reshape(-1, 1, 1).repeat(3, 2)

    def shown(brightest: float) -> np.ndarray:
        convert = colour_of(Told(cicp=bytes((9, transfer, 0, 1))), 3, brightest).convert
        assert convert is not None
        return convert(pixels)[:, 0, 1].astype(int)

    toned = shown(0.75)
    assert (np.diff(toned) >= 0).all()
    assert toned[-1] >= 65000
    assert toned[900] < 64000
    if transfer == 16:
        page = int(0.58 / 0.75 * 1000)
        assert shown(0.58)[page] > 65000
        assert shown(0.75)[page] < 62000
        # The darker half is shown as without anything brighter.
        assert np.array_equal(shown(0.75)[: page // 2], shown(0.58)[: page // 2])


def test_levels_are_those_of_tones() -> None:
    for name in ("linear", "PQ", "linear ProPhoto"):
        colour = colour_of(told(name), 3, 0.58)
        places = np.arange(2000, 38000, 999)
        shown = np.rint(colour.tones[places] * 65535).astype(int)
        assert np.abs(colour.levels[shown] - places / 65535).max() < 2e-3


@pytest.mark.filterwarnings("error")
def test_damaged_profiles_and_mad_chunks_show_something() -> None:
    draw = np.random.default_rng(1)
    pixels = draw.integers(0, 65536, (5, 7, 3)).astype(np.uint16)
    profiles = [space.icc for space in SPACES.values() if space.icc] + [ink_profile()]
    found = [Told(cicp=bytes((*draw.integers(0, 24, 2), 0, each % 2))) for each in range(20)]
    for _ in range(20):
        pairs = tuple(draw.random(8) * draw.choice([0.3, 0.5, 1, 5]))
        found.append(Told(chromaticities=pairs, gamma=int(draw.integers(0, 2**31))))
    for number in range(60):
        mutated = bytearray(profiles[number % len(profiles)])
        for place in draw.integers(128, 400, draw.integers(1, 6)):
            mutated[place] = draw.integers(0, 256)
        end = draw.integers(0, len(mutated)) if number % 5 == 0 else len(mutated)
        found.append(Told(icc=bytes(mutated[:end])))
    for told_so in found:
        channels = 4 if told_so.icc and told_so.icc[16:20] == b"CMYK" else 3
        colour = colour_of(told_so, channels, float(draw.random()))
        if colour.convert is None:
            continue
        inks = np.concatenate([pixels, pixels[..., :1]], axis=2)
        assert colour.convert(pixels if channels == 3 else inks).shape == pixels.shape


def test_untold_is_plain_at_no_cost() -> None:
    assert Colour("nothing").even
    begun = time.process_time()
    for _ in range(500):
        colour_of(Told(), 3)
    assert time.process_time() - begun < 0.5  # as every ordinary JPEG does
