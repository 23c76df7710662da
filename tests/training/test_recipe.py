"""The training recipe in miniature: a tiny network on generated pictures."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from recipe.loop import Settings, State, begin, processor_batches, settings_text, train
from recipe.losses import Bank
from recipe.material import Material, pack
from recipe.validation import Validation, make_validation
from torch.nn import functional as F

from homing.demo.generated import generated_picture
from homing.descriptors.pooling import generalised_mean

_PICTURES, _HELD_BACK = 120, 30
_SETTINGS = Settings(
    steps=60,
    pictures=12,
    strong=2,
    size=48,
    rate=3e-3,
    warm_up=5,
    average=0.9,
    frozen_blocks=0,
    validate_every=0,
    alike=0.999,
)


def _network(weights, pixels, power):
    """Three convolutions, normalised by picture: random weights have no folded normalisation."""
    maps = pixels
    for name in ("a", "b", "c"):
        maps = F.conv2d(maps, weights[f"{name}.weight"], weights[f"{name}.bias"], 2, 1)
        maps = F.relu(F.group_norm(maps, 4))
    pooled = generalised_mean(maps, power)
    return F.linear(pooled, weights["projection.weight"], weights["projection.bias"])


def _start(seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for name, shape in {"a": (16, 3, 3, 3), "b": (32, 16, 3, 3), "c": (64, 32, 3, 3)}.items():
        fan_in = shape[1] * 9
        weights[f"{name}.weight"] = torch.randn(shape, generator=generator) * (2 / fan_in) ** 0.5
        weights[f"{name}.bias"] = torch.zeros(shape[0])
    weights["projection.weight"] = torch.randn((32, 64), generator=generator) / 8
    weights["projection.bias"] = torch.zeros(32)
    return weights


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for number in range(_PICTURES):
        picture = generated_picture(np.random.default_rng([7, number]), (128, 96))
        picture.save(folder / f"{number}.png", compress_level=1)
    (folder / "broken.png").write_bytes(b"nothing of the kind")
    return folder


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def material(photos: Path, work: Path) -> Material:
    return pack([photos], work, generated=10, seed=0)


@pytest.fixture(scope="module")
def validation(material: Material, work: Path) -> Validation:
    return make_validation(material, _HELD_BACK, work, size=_SETTINGS.size, seed=0, draws=1)


def _begin(
    material: Material, settings: Settings = _SETTINGS, checkpoint: Path | None = None
) -> State:
    return begin(
        _start(),
        material,
        len(material) - _HELD_BACK,
        settings,
        device=torch.device("cpu"),
        network=_network,
        checkpoint=checkpoint,
    )


def _train(
    state: State,
    material: Material,
    validation: Validation,
    folder: Path,
    settings: Settings = _SETTINGS,
    save_every: int = 20,
) -> list[dict]:
    folder.mkdir(exist_ok=True)
    count = len(material) - _HELD_BACK
    batches = processor_batches(material, count, settings, state.step, workers=0)
    train(state, batches, validation, settings, folder, save_every=save_every)
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def _recall(validation: Validation, state: State) -> float:
    found = validation.recall(lambda views: state.describe(views, mean=True), state.bank.vectors)
    return float(np.mean(list(found.values())))


def test_material_is_packed_once_and_leaves_out_what_is_broken(
    material: Material, photos: Path, work: Path
) -> None:
    assert len(material) == _PICTURES + 10
    again = pack([photos], work, generated=10, seed=0)
    assert again.path == material.path
    assert pack([photos], work, generated=9, seed=0).path != material.path
    assert material.picture(len(material) - 1).shape == (96, 128, 3)


def test_the_loss_falls_and_recall_rises(
    material: Material, validation: Validation, tmp_path: Path
) -> None:
    state = _begin(material)
    before = _recall(validation, state)
    log = _train(state, material, validation, tmp_path)
    losses = [line["bank"] for line in log if "bank" in line]
    assert len(losses) == 3
    assert losses[-1] < 0.85 * losses[0]
    assert _recall(validation, state) > before + 0.1


def test_an_interrupted_run_ends_as_an_uninterrupted_one(
    material: Material, validation: Validation, tmp_path: Path
) -> None:
    settings = replace(_SETTINGS, steps=8)
    whole = _begin(material, settings)
    _train(whole, material, validation, tmp_path / "whole", settings, save_every=4)

    broken = _begin(material, settings)
    with pytest.raises(RuntimeError, match="broken off"):
        _train(
            _stopping(broken, after=6 * _SETTINGS.parts),
            material,
            validation,
            tmp_path / "b",
            settings,
            4,
        )
    resumed = _begin(material, settings, tmp_path / "b" / "checkpoint.safetensors")
    assert resumed.step == 4
    _train(resumed, material, validation, tmp_path / "b", settings, save_every=4)

    for name, weight in whole.mean.items():
        torch.testing.assert_close(resumed.mean[name], weight, rtol=0, atol=0)
    torch.testing.assert_close(resumed.bank.vectors, whole.bank.vectors, rtol=0, atol=0)


def _stopping(state: State, *, after: int) -> State:
    """Return the same state, whose network raises after some steps."""
    network, calls = state.network, iter(range(after))

    def stops(weights, pixels, power):
        if torch.is_grad_enabled() and next(calls, None) is None:
            raise RuntimeError("broken off")
        return network(weights, pixels, power)

    state.network = stops
    return state


def test_settings_name_all_but_the_number_of_steps() -> None:
    assert settings_text(_SETTINGS) == settings_text(replace(_SETTINGS, steps=9))
    assert settings_text(_SETTINGS) != settings_text(replace(_SETTINGS, seed=1))
    assert settings_text(_SETTINGS, pictures=1) != settings_text(_SETTINGS, pictures=2)


def test_the_rate_rises_stays_and_falls() -> None:
    settings = Settings(steps=100, warm_up=10, descent=0.4)
    rates = [settings.rate_at(step) for step in range(101)]
    assert rates[:10] == sorted(rates[:10])
    assert set(rates[9:61]) == {1.0}
    assert rates[60:] == sorted(rates[60:], reverse=True)
    assert rates[100] == 0.0


def test_a_bank_hides_near_duplicates_and_moves_slowly() -> None:
    vectors = F.normalize(torch.randn(6, 8, generator=torch.Generator().manual_seed(0)))
    vectors[4] = vectors[1]
    bank = Bank.of(vectors, alike=0.99)
    hidden = bank.hidden(torch.tensor([1, 0, 4]))
    assert torch.nonzero(hidden).tolist() == [[0, 4], [2, 1]]
    bank.update(torch.tensor([0]), vectors[2:3], momentum=0.5)
    torch.testing.assert_close(bank.vectors[0], F.normalize(vectors[0] + vectors[2], dim=0))
    torch.testing.assert_close(bank.vectors[1:], vectors[1:])
