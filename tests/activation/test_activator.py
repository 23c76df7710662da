"""Activation of whole files: budget, independence, orientation, formats, bad pictures.

Covers activator.py and what finished.py does to a file.
"""

import io
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import torch
from PIL import Image

from homing.activation import METHODS, Activated, Activator, find_method
from homing.activation.activator import BATCH
from homing.activation.objectives.margins import MarginSettings, margin_objective
from homing.activation.objectives.objective import Targets
from homing.codebooks import Codebook
from homing.descriptors import Descriptor, descriptor_from_callable
from homing.descriptors.workers import MOST_WORKERS
from homing.errors import PictureError, UsageError
from homing.images import decode_pixels, psnr, read_picture, ssim
from homing.images.formats.jpeg import parse_jpeg
from homing.images.formats.jpeg_coefficients import read_coefficients
from homing.images.limits import UNLIMITED
from homing.images.ssimulacra2 import ssimulacra2
from tests.helpers.colour_spaces import SPACES
from tests.helpers.pictures import decibels

PAPER = find_method("paper")


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


@pytest.fixture(scope="session")
def activator(tiny: Descriptor, tiny_codebook: Codebook) -> Activator:
    return Activator(tiny, tiny_codebook, PAPER)


def good(results: list[Activated | PictureError]) -> list[Activated]:
    assert [item for item in results if isinstance(item, PictureError)] == []
    return results  # type: ignore[return-value]


@pytest.mark.parametrize("name", SPACES)
def test_the_budget_is_kept_as_displayed(name: str, activator, scene) -> None:
    space, srgb = SPACES[name], scene(90, 120) / 255 * 0.8 + 0.1
    for white in (255, 65535):
        stored = space.stored(srgb, white)
        (result,) = good(list(activator.run([space.png(stored)])))
        after = read_picture(result.data)
        shown = space.shown(after.pixels, white)
        reached = decibels(space.shown(stored, white) * 255, shown * 255, 255)
        assert reached >= 41.95  # rounding of what is measured leaves as much
        assert reached == pytest.approx(result.psnr, abs=0.25 if white == 255 else 0.1)
        assert result.psnr < 42.3
        if name == "PQ":
            assert after.pixels.max() <= stored.max()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("bits", [10, 12, 14])
def test_the_budget_is_kept_in_the_range_of_the_data(bits, channels, activator, scene) -> None:
    samples = (scene(90, 120, channels, dtype="u2") * 0.9).astype(np.uint16) >> (16 - bits)
    source = bytes(imagecodecs.png_encode(samples.squeeze()))
    (result,) = good(list(activator.run([source])))
    after = read_picture(result.data)
    reached = decibels(samples, after.pixels.reshape(samples.shape), (1 << bits) - 1)
    assert 42 <= reached < 42.2
    assert result.psnr == pytest.approx(reached)
    assert after.pixels.max() <= samples.max()
    assert after.samples.white == (1 << bits) - 1


def test_sizes_and_kinds_in_one_batch(activator, as_file, scene) -> None:
    deep = scene(40, 50, dtype="u2")
    sources = [
        as_file(scene(1, 1)),
        as_file(scene(1, 5000)),
        as_file(scene(480, 640), "JPEG", quality=90),
        as_file(scene(33, 47), "WEBP", quality=80),
        as_file(scene(5000, 1, 1)),
        imagecodecs.png_encode(deep),
        as_file(scene(30, 40), "TIFF"),
        imagecodecs.png_encode(scene(40, 50, 1, dtype="u2")[..., 0]),
        as_file(scene(64, 64, 1), "JPEG", quality=95),
    ]
    results = good(list(activator.run(sources)))
    kinds = ["PNG", "PNG", "JPEG", "WEBP", "PNG", "PNG", "TIFF", "PNG", "JPEG"]
    assert [item.kind for item in results] == kinds
    for source, result in zip(sources, results, strict=True):
        before, after = read_picture(source), read_picture(result.data)
        assert after.kind == before.kind
        assert (after.pixels.shape, after.pixels.dtype) == (
            before.pixels.shape,
            before.pixels.dtype,
        )
        assert (result.width, result.height) == (before.width, before.height)
        reached = decibels(before.pixels, after.pixels, before.samples.white)
        assert reached >= 42
        assert result.psnr == reached or result.psnr == pytest.approx(reached, abs=1e-9)
        assert result.source_sha256.hex() == before.sha256
        if min(before.pixels.shape[:2]) > 1:  # on a single row most of the grid averages out
            assert reached < 42.2
            assert 0.5 < result.ssim < 1
    assert results[0].ssim is None
    assert np.any(read_picture(results[5].data).pixels % 257)  # sixteen bits are used


def test_extreme_shapes_through_edits(tiny, tiny_codebook, as_file, scene) -> None:
    activator = Activator(tiny, tiny_codebook, METHODS["robust-fast"])
    sources = [as_file(scene(*shape)) for shape in ((1, 1), (1, 5000), (5000, 1), (300, 7))]
    for source, result in zip(sources, good(list(activator.run(sources))), strict=True):
        assert decibels(read_picture(source).pixels, read_picture(result.data).pixels) >= 42
        assert np.isfinite(result.vector).all()


def test_grey_pictures_stay_grey(activator, as_file, scene) -> None:
    sources = [as_file(scene(60, 70, 1)), as_file(scene(60, 70, 1), "JPEG", quality=95)]
    results = good(list(activator.run(sources)))
    for result in results:
        assert read_picture(result.data).pixels.shape == (60, 70, 1)
        assert result.psnr < 42.2
        with Image.open(io.BytesIO(result.data)) as image:
            assert image.mode == "L"


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_transparent_pixels_are_left_alone(activator, as_file, scene, kind: str) -> None:
    pixels = np.concatenate([scene(50, 60), np.full((50, 60, 1), 255, np.uint8)], axis=2)
    pixels[10:30, 20:40, 3] = 0
    pixels[40:, :, 3] = 90
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    source = as_file(pixels, kind, **options)
    (result,) = good(list(activator.run([source])))
    before, after = read_picture(source), read_picture(result.data)
    np.testing.assert_array_equal(after.alpha, pixels[..., 3])
    changed = np.any(after.pixels != before.pixels, axis=2)
    assert not changed[10:30, 20:40].any()
    assert changed[40:].mean() > 0.3
    # Visible pixels have the budget; the PSNR of the whole file is above it.
    seen = pixels[..., 3] > 0
    of_seen = psnr(before.pixels[seen], after.pixels[seen], peak=255)
    assert 42 <= of_seen < 42.2
    assert result.psnr == pytest.approx(of_seen - 10 * math.log10(seen.mean()))


def test_little_that_is_visible_is_not_changed_more(activator, tiny_codebook, as_file, scene):
    pixels = np.concatenate([scene(60, 80), np.full((60, 80, 1), 255, np.uint8)], axis=2)
    pixels[:40, :, 3] = 0
    (result,) = good(list(replace(activator, method=METHODS["robust-fast"]).run([as_file(pixels)])))
    seen = read_picture(result.data).pixels[40:]
    assert psnr(pixels[40:, :, :3], seen, peak=255) >= 42
    assert ssim(pixels[40:, :, :3], seen, peak=255) >= 0.95


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_what_has_no_colour_gets_none(tiny, tiny_codebook, as_file, scene, kind: str) -> None:
    grey = np.repeat(scene(90, 120)[..., :1], 3, axis=2)
    source = as_file(grey, kind, **({"quality": 92} if kind in {"JPEG", "WEBP"} else {}))
    activator = Activator(tiny, tiny_codebook, METHODS["robust-fast"], psnr=42)
    before, after = (
        read_picture(data).pixels.astype(int)
        for data in (source, good(list(activator.run([source])))[0].data)
    )
    assert (before != after).any()
    assert np.ptp(after, axis=2).max() <= np.ptp(before, axis=2).max() + (kind == "WEBP")
    if kind == "PNG":  # the published loop knows three channels and nothing else
        (published,) = good(list(Activator(tiny, tiny_codebook, PAPER).run([source])))
        assert np.ptp(read_picture(published.data).pixels, axis=2).max() > 2


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_a_grey_picture_is_written_in_any_kind(activator, as_file, scene, kind: str) -> None:
    source = as_file(scene(50, 60)[..., :1])
    (result,) = good(list(replace(activator, format=kind).run([source])))
    after = read_picture(result.data).pixels
    assert np.ptp(after, axis=2).max() <= (1 if kind == "WEBP" else 0)
    assert psnr(read_picture(source).pixels, after[..., :1], peak=255) >= 42
    assert result.psnr >= 42


def test_what_the_format_cannot_hold_is_refused_before_the_work(activator, as_file, scene) -> None:
    source = as_file(np.concatenate([scene(50, 60), np.full((50, 60, 1), 9, np.uint8)], axis=2))
    picture = read_picture(source)
    with pytest.raises(PictureError, match=r"alpha|transparen"):
        replace(activator, format="jpeg")._prepare_read(source, picture, hold=False)


def test_a_wholly_transparent_picture_is_left_alone(activator, as_file, scene) -> None:
    pixels = np.concatenate([scene(20, 20), np.zeros((20, 20, 1), np.uint8)], axis=2)
    (result,) = good(list(activator.run([as_file(pixels)])))
    assert result.psnr == math.inf
    assert any("unchanged" in note for note in result.notes)


@pytest.fixture(scope="session")
def many(as_file, scene) -> list[bytes]:
    """More pictures than a batch, of several shapes and formats."""
    shapes = [(40, 50), (33, 47), (64, 64), (20, 90), (16, 16)]
    kinds = ["PNG", "JPEG", "WEBP"]
    return [
        as_file(scene(*shapes[n % 5], 1 if n % 4 == 3 else 3, seed=n), kinds[n % 3])
        for n in range(BATCH + 3)
    ]


@pytest.mark.parametrize("method", sorted(METHODS))
def test_companions_place_and_run_do_not_matter(
    tiny, tiny_codebook, many: list[bytes], method: str
) -> None:
    activator = Activator(tiny, tiny_codebook, METHODS[method])
    together = good(list(activator.run(many)))
    backwards = good(list(activator.run(many[::-1])))[::-1]
    alone = [good(list(activator.run([source])))[0] for source in many]
    for runs in zip(together, backwards, alone, strict=True):
        assert len({item.data for item in runs}) == 1
        assert len({item.vector.tobytes() for item in runs}) == 1
        assert len({item.cell_kept for item in runs}) == 1
    assert len({item.data for item in together}) == len(many)


@pytest.mark.parametrize("method", ["paper", "robust-fast"])
def test_companions_do_not_matter_to_homing_s(
    homing_s, codebook_256, many: list[bytes], method: str
) -> None:
    activator = Activator(homing_s, codebook_256, METHODS[method])
    (alone,) = good(list(activator.run(many[:1])))
    last = good(list(activator.run([*many[1:BATCH], many[0]])))[-1]
    assert alone.data == last.data
    assert alone.vector.tobytes() == last.vector.tobytes()


@pytest.mark.parametrize(
    "wrong", [{"seed": -1}, {"psnr": 0.0}, {"psnr": math.nan}, {"psnr": math.inf}]
)
def test_seed_and_budget_are_checked(tiny, tiny_codebook, wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        Activator(tiny, tiny_codebook, PAPER, **wrong)


@pytest.mark.parametrize("budget", [36.0, 42.0, 48.0])
def test_the_requested_budget_is_met(tiny, tiny_codebook, as_file, scene, budget: float) -> None:
    activator = Activator(tiny, tiny_codebook, PAPER, psnr=budget)
    sources = [as_file(scene(90, 120)), as_file(scene(90, 120), "JPEG", quality=95)]
    for source, result in zip(sources, good(list(activator.run(sources))), strict=True):
        reached = decibels(read_picture(source).pixels, decode_pixels(result.data))
        assert budget <= reached < budget + 0.2


def test_a_floor_of_what_is_seen(tiny, tiny_codebook, as_file, scene) -> None:
    source = as_file(scene(90, 120))
    without, above, below = (
        good(
            list(Activator(tiny, tiny_codebook, replace(PAPER, least_visible=least)).run([source]))
        )
        for least in (None, 93.0, 20.0)
    )
    assert without[0].ssimulacra2 < 90
    assert 93 <= above[0].ssimulacra2 < 94  # and no higher than needed
    assert above[0].psnr > without[0].psnr + 1
    assert below[0].data == without[0].data
    before, after = (read_picture(data).pixels for data in (source, above[0].data))
    assert above[0].ssimulacra2 == ssimulacra2(before, after, peak=255)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_an_eased_change_is_not_blown_up_again(tiny, tiny_codebook, as_file, scene, kind) -> None:
    def always(targets, _settings, device):
        own = Targets.in_own_cells(targets.codebook, targets.vectors)
        return margin_objective(own, MarginSettings(safe_margin=-9.0), device)

    method = METHODS["robust-fast"]
    eased = replace(
        method,
        objective=always,
        settings=replace(method.settings, shrink=0.9, strength=9.0),
        masking=replace(method.masking, unseen_gain=None),
        least_visible=None,
    )
    source = as_file(scene(90, 120), "PNG")
    (result,) = good(list(Activator(tiny, tiny_codebook, eased, format=kind).run([source])))
    wanted = 42 - 20 * math.log10(0.9) * method.settings.steps
    if kind == "PNG":
        # Rounding to whole levels adds a twelfth of a square level: a quarter of a decibel here.
        rounded = 10 * math.log10(1 + 1 / 12 / (255**2 * 10 ** (-wanted / 10)))
        # Between the places of the grid a change is interpolated, and less.
        assert wanted - rounded - 0.1 < result.psnr < wanted + 1
    else:  # coding has its own error, which easing does not lower; the picture is not refused
        assert 42 < result.psnr < wanted


def test_a_picture_without_texture_stays_above_its_budget(
    tiny, tiny_codebook, as_file, scene
) -> None:
    method = METHODS["robust-fast"]
    whole = replace(method, settings=replace(method.settings, shrink=1), least_visible=None)
    slope = np.broadcast_to(np.arange(100, 220, dtype=np.uint8)[None, :, None], (90, 120, 3))
    grain = np.random.default_rng(5).normal(0, 60, (90, 120, 1))
    busy = np.clip(scene(90, 120) + grain, 0, 255).astype(np.uint8)
    tinted = slope + np.array([0, 8, 16], np.uint8)
    sources = [as_file(tinted), as_file(busy), as_file(slope[..., :1])]
    # Eight levels count as flat, and a slope of one adds its own deviation; half may change, and
    # half of that where all around is calm. Rounding adds its error, a twelfth of a square level.
    hidden = math.hypot(8, math.sqrt(2))
    may_change = hidden / 2 * (1 - (8 / hidden) ** 6 / 2)
    unseen = (method.masking.unseen_gain * may_change) ** 2 + 1 / 12
    unseen = -10 * math.log10(unseen / 255**2)
    for budget in (42, 55):
        activator = Activator(tiny, tiny_codebook, whole, psnr=budget)
        calm, rough, grey = good(list(activator.run(sources)))
        assert budget <= rough.psnr < budget + 0.1
        for found in (calm, grey):
            assert found.psnr >= budget
            # Between the places of the grid a change is interpolated, and less.
            assert max(budget, unseen - 0.1) <= found.psnr < max(budget + 0.1, unseen + 1)


def test_texture_changes_more_than_what_is_calm(tiny, tiny_codebook, as_file) -> None:
    pixels = np.empty((120, 160, 3), np.uint8)
    pixels[:] = np.arange(90, 210)[:, None, None] + np.array([0, 20, 40])
    grain = np.random.default_rng(5).normal(0, 50, (120, 80, 1))
    pixels[:, 80:] = np.clip(pixels[:, 80:] + grain, 0, 255).astype(np.uint8)
    method = METHODS["robust-fast"]
    whole = replace(method, settings=replace(method.settings, shrink=1), least_visible=None)
    (result,) = good(list(Activator(tiny, tiny_codebook, whole, psnr=40).run([as_file(pixels)])))
    change = read_picture(result.data).pixels.astype(float) - pixels
    calm, busy = (np.sqrt(np.mean(change[:, at] ** 2)) for at in (slice(75), slice(85, None)))
    assert 2 * calm < busy  # what is calm far and wide may be rounded back to what it was


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("dtype", ["u1", "u2"])
@pytest.mark.parametrize("method", ["robust", "robust-fast", "robust-thorough"])
def test_luminance_alone_changes(
    tiny, tiny_codebook, scene, as_file, kind: str, dtype: str, method: str
) -> None:
    if dtype == "u2" and kind == "WEBP":
        pytest.skip("a WebP has eight bits")
    pixels = scene(60, 80, dtype=dtype)
    options = {"lossless": True} if kind == "WEBP" else {}
    encode = imagecodecs.png_encode if kind == "PNG" else imagecodecs.tiff_encode
    source = encode(pixels) if dtype == "u2" else as_file(pixels, kind, **options)
    (result,) = good(list(Activator(tiny, tiny_codebook, METHODS[method]).run([source])))
    before, after = (read_picture(data).pixels.astype(int) for data in (source, result.data))
    change = after - before
    assert change.any()
    inside = ((after > 0) & (after < np.iinfo(dtype).max)).all(axis=2)
    assert inside.mean() > 0.9
    apart = np.ptp(change[inside], axis=1)
    assert apart.max() <= 1  # where the sum of a level and its change is rounded
    assert np.mean(apart > 0) < 0.01


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpegs_colour_stays_as_it_is(
    tiny, tiny_codebook, scene, as_file, subsampling: int, progressive: bool
) -> None:
    options = {"quality": 90, "subsampling": subsampling, "progressive": progressive}
    source = as_file(scene(75, 91), "JPEG", **options)
    (result,) = good(list(Activator(tiny, tiny_codebook, METHODS["robust-fast"]).run([source])))
    before, after = (
        read_coefficients(data, parse_jpeg(data, UNLIMITED)) for data in (source, result.data)
    )
    light, *colours = zip(before.components, after.components, strict=True)
    assert not np.array_equal(*(each.blocks for each in light))
    assert len(colours) == 2
    for one, other in colours:
        np.testing.assert_array_equal(one.blocks, other.blocks)


def test_an_impossible_budget_leaves_the_file_as_it_was(tiny, tiny_codebook, as_file) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    source = as_file(noise, "JPEG", quality=50)
    activator = Activator(tiny, tiny_codebook, PAPER, psnr=90)
    (result,) = good(list(activator.run([source])))
    assert result.data == source
    assert result.psnr == math.inf
    assert result.cell_kept
    assert any("unchanged" in note and "90" in note for note in result.notes)
    converting = Activator(tiny, tiny_codebook, PAPER, psnr=90, format="jpeg")
    (error,) = converting.run([as_file(noise)])
    assert isinstance(error, PictureError)
    assert "JPEG" in str(error)


def test_another_format_may_be_requested(tiny, tiny_codebook, as_file, scene) -> None:
    activator = Activator(tiny, tiny_codebook, PAPER, format="png")
    source = as_file(scene(40, 50), "JPEG")
    (result,) = good(list(activator.run([source])))
    assert result.kind == read_picture(result.data).kind == "PNG"
    assert 42 <= decibels(read_picture(source).pixels, decode_pixels(result.data)) < 42.2


def test_bad_pictures_give_their_error_in_their_place(
    activator, as_file, scene, tmp_path: Path
) -> None:
    fine = [as_file(scene(20 + n, 30)) for n in range(BATCH)]
    jpeg = as_file(scene(64, 64), "JPEG")
    mixed = [
        b"", fine[0], b"this is no picture", jpeg[: len(jpeg) // 2], fine[1],
        tmp_path / "missing.png", *fine[2:], tmp_path,
    ]  # fmt: skip
    results = list(activator.run(mixed))
    assert len(results) == len(mixed)
    bad = [n for n, item in enumerate(results) if isinstance(item, PictureError)]
    assert bad == [0, 2, 3, 5, len(mixed) - 1]
    heights = [item.height for item in results if isinstance(item, Activated)]
    assert heights == [20 + n for n in range(BATCH)]
    # Nor do bad companions change a good picture.
    for expected, found in zip(
        activator.run(fine), [item for item in results if isinstance(item, Activated)], strict=True
    ):
        assert expected.data == found.data


def test_nothing_but_bad_pictures_and_nothing_at_all(activator) -> None:
    results = list(activator.run([b"", b"x"]))
    assert all(isinstance(item, PictureError) for item in results)
    assert len(results) == 2
    assert list(activator.run([])) == []


def test_sources_are_taken_a_few_batches_ahead(activator, many: list[bytes]) -> None:
    taken = []

    def sources():
        for n, source in enumerate(many * 9):
            taken.append(n)
            yield source

    results = activator.run(sources())
    next(results)
    assert len(taken) <= (min(torch.get_num_threads(), MOST_WORKERS) + 1) * BATCH < len(many) * 9
    results.close()


def test_the_number_of_workers_does_not_matter(activator, many: list[bytes]) -> None:
    expected = [item.data for item in good(list(activator.run(many)))]
    threads = torch.get_num_threads()
    try:
        for number in (1, 3):
            torch.set_num_threads(number)
            assert [item.data for item in good(list(activator.run(many)))] == expected
    finally:
        torch.set_num_threads(threads)


def test_an_error_of_the_network_ends_the_run(tiny, tiny_codebook, many: list[bytes]) -> None:
    def broken(batch: torch.Tensor) -> torch.Tensor:
        raise ZeroDivisionError

    descriptor = descriptor_from_callable(broken, name="broken", dimension=16, input_size=16)
    with pytest.raises(ZeroDivisionError):
        list(Activator(descriptor, replace(tiny_codebook, descriptor=None), PAPER).run(many))


def test_a_picture_too_large_is_refused(tiny, tiny_codebook, as_file, scene) -> None:
    from homing.options import Limits

    activator = Activator(tiny, tiny_codebook, PAPER, limits=Limits(max_pixels=1000))
    results = list(activator.run([as_file(scene(40, 50)), as_file(scene(20, 50))]))
    assert isinstance(results[0], PictureError)
    assert isinstance(results[1], Activated)


def test_large_pictures_are_decoded_again(activator, many, monkeypatch) -> None:
    from homing.activation import activator as pipeline

    expected = [item.data for item in good(list(activator.run(many)))]
    monkeypatch.setattr(pipeline, "_HELD_PIXELS", 1)
    assert [item.data for item in good(list(activator.run(many)))] == expected


def test_large_pictures_are_decoded_one_at_a_time(activator, many, monkeypatch) -> None:
    from homing.activation import activator as pipeline

    decoded = []

    def noting(source, *, limits):
        picture = read_picture(source, limits=limits)  # raises for a large one at first
        decoded.append(activator._large.locked())
        return picture

    monkeypatch.setattr(pipeline, "_HELD_PIXELS", 1)
    monkeypatch.setattr(pipeline, "read_picture", noting)
    good(list(activator.run(many)))
    assert len(decoded) == 2 * len(many)
    assert all(decoded)


def test_a_file_that_changes_meanwhile_is_refused(
    activator, as_file, scene, tmp_path: Path, monkeypatch
) -> None:
    from homing.activation import activator as pipeline

    path = tmp_path / "a.png"
    path.write_bytes(as_file(scene(30, 40)))

    def replacing(*arguments):
        path.write_bytes(as_file(scene(30, 40, seed=1)))
        return optimise(*arguments)

    optimise = pipeline.optimise
    monkeypatch.setattr(pipeline, "_HELD_PIXELS", 1)
    monkeypatch.setattr(pipeline, "optimise", replacing)
    (result,) = activator.run([path])
    assert isinstance(result, PictureError)
    assert "changed" in str(result)


def test_turned_pictures_are_activated_upright(homing_s, codebook_256, astronaut, turned) -> None:
    from PIL import ImageOps

    sources = [turned(astronaut, orientation) for orientation in range(1, 9)]
    for source in sources:  # the helper above turns rightly
        shown = ImageOps.exif_transpose(Image.open(io.BytesIO(source)))
        assert decibels(np.asarray(shown), astronaut) > 30
    before = homing_s.describe(sources)
    targets = codebook_256.target(before)
    results = good(list(Activator(homing_s, codebook_256, PAPER).run(sources)))
    gains = []
    for orientation, result in enumerate(results, 1):
        with Image.open(io.BytesIO(result.data)) as image:
            assert image.getexif()[0x0112] == orientation
        (found,) = homing_s.describe([result.data])
        between = before[orientation - 1] + 0.5 * found
        assert cosine(between, result.vector) > 0.9999
        target = targets[orientation - 1]
        gains.append(cosine(found, target) - cosine(before[orientation - 1], target))
    assert min(gains) > 0.02
    assert min(gains) > 0.7 * max(gains)  # no orientation does worse than the others


PHOTOGRAPHS = (
    "astronaut.png", "brick.png", "camera.png", "chelsea.png", "coffee.png", "coins.png",
    "grass.png", "gravel.png", "hubble_deep_field.jpg", "moon.png", "motorcycle_left.png",
    "rocket.jpg",
)  # fmt: skip


def test_photographs_move_towards_their_target_and_keep_their_cell(
    homing_s: Descriptor, codebook_256: Codebook, shipped: Callable[[str], Path]
) -> None:
    paths = [shipped(name) for name in PHOTOGRAPHS]
    before = homing_s.describe(paths)
    targets = codebook_256.target(before)
    results = good(list(Activator(homing_s, codebook_256, PAPER).run(paths)))
    gains = []
    files = homing_s.describe([result.data for result in results])
    for path, result, file, old, target in zip(paths, results, files, before, targets, strict=True):
        source = read_picture(path)
        compared = source.samples.compared_with(source.pixels)  # one is in Adobe RGB
        assert 42 <= compared(decode_pixels(result.data)) < 42.2
        assert result.ssim > 0.85
        gains.append(cosine(file, target) - cosine(old, target))
        assert cosine(file, old) > 0.8  # and stays itself
    assert np.median(gains) > 0.04
    assert min(gains) > -0.01  # one that is near its target as it is may gain nothing
    assert np.sum(np.array(gains) > 0.02) >= len(gains) - 1
    cells = codebook_256.cells(before)
    kept = codebook_256.cells(files) == cells
    assert kept.tolist() == [item.cell_kept for item in results]
    assert kept.mean() >= 0.8


def _on(device: str, homing_s: Descriptor, codebook: Codebook, source: bytes) -> None:
    there = homing_s.to(device)
    (result,) = good(list(Activator(there, codebook, PAPER).run([source])))
    assert 42 <= decibels(read_picture(source).pixels, decode_pixels(result.data)) < 42.2
    (before,) = homing_s.describe([source])
    (target,) = codebook.target(before[None])
    (after,) = homing_s.describe([result.data])
    assert cosine(after, target) > cosine(before, target) + 0.02


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_on_cuda(homing_s, codebook_256, astronaut, as_file) -> None:
    _on("cuda", homing_s, codebook_256, as_file(astronaut))


@pytest.mark.skipif(not torch.backends.mps.is_available(), reason="no MPS device here")
def test_on_mps(homing_s, codebook_256, astronaut, as_file) -> None:
    _on("mps", homing_s, codebook_256, as_file(astronaut))
