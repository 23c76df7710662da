"""Custom descriptors: folders and scripts, and the preprocessing that they name."""

import json
import warnings
from importlib import resources

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch

from homing.descriptors import load_descriptor
from homing.errors import DescriptorError

WEIGHTS = resources.files("homing.descriptors") / "weights" / "homing-s.safetensors"
LITE = {
    "architecture": "efficientnet-lite0",
    "dimension": 256,
    "input_size": 96,
    "mean": [0.5, 0.5, 0.5],
    "std": [0.5, 0.5, 0.5],
}


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(WEIGHTS.read_bytes())
    configure(folder)
    return folder


def configure(folder, **changes):
    config = {k: v for k, v in {**LITE, **changes}.items() if v is not None}
    (folder / "config.json").write_text(json.dumps(config))


def test_a_folder_is_a_descriptor(folder, homing_s):
    own = load_descriptor(folder)
    assert (own.name, own.version, own.input_size, own.dimension) == ("mine", "1", 96, 256)
    batch = torch.rand(1, 3, 96, 96)
    features = homing_s.network(2 * batch - 1)
    torch.testing.assert_close(own.forward(batch), torch.nn.functional.normalize(features))
    assert load_descriptor(str(folder)).fingerprint == own.fingerprint


def test_the_fingerprint_covers_what_is_computed(folder):
    first = load_descriptor(folder).fingerprint
    moved = folder.rename(folder.with_name("elsewhere"))
    assert load_descriptor(moved).fingerprint == first
    found = {first}
    for changes in (
        {"version": "2"},
        {"input_size": 128},
        {"mean": [0.4, 0.5, 0.5]},
        {"pooling_power": 4},
    ):
        configure(moved, **changes)
        found.add(load_descriptor(moved).fingerprint)
    assert len(found) == 5
    weights = safetensors.numpy.load(WEIGHTS.read_bytes())
    weights["trunk.stem.bias"] = weights["trunk.stem.bias"] + np.float16(0.01)
    (moved / "model.safetensors").write_bytes(safetensors.numpy.save(weights))
    configure(moved)
    assert load_descriptor(moved).fingerprint not in found


def test_the_power_of_the_pooling_counts(folder):
    batch = torch.rand(1, 3, 96, 96)
    cubic = load_descriptor(folder).forward(batch)
    configure(folder, pooling_power=1)
    assert (load_descriptor(folder).forward(batch) - cubic).norm() > 0.01


@pytest.mark.parametrize("prefix", ["", "backbone."])
def test_a_resnet_of_torchvision(published, tmp_path, prefix):
    state = {
        prefix + name.removeprefix("backbone."): weight.contiguous()
        for name, weight in published.state_dict().items()
    }
    (tmp_path / "r.safetensors").write_bytes(safetensors.torch.save(state))
    config = {
        "architecture": "resnet50", "name": "r", "dimension": 512, "input_size": 64,
        "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225],
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    batch = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        expected = published(batch)
    torch.testing.assert_close(
        load_descriptor(tmp_path).forward(batch), expected, atol=2e-5, rtol=0
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"architecture": "vit"}, "unknown architecture 'vit'"),
        ({"architecture": None}, "'architecture' is missing"),
        ({"dimension": 128}, r"projection.weight \(256, 1280\) instead of \(128, 1280\)"),
        ({"dimension": "256"}, "'dimension' is '256'"),
        ({"input_size": 0}, "'input_size' is 0"),
        ({"input_size": 100_000}, "input size 100000"),
        ({"mean": [0.5, 0.5]}, "'mean' is"),
        ({"std": [0.5, 0.5, 0]}, "above zero"),
        ({"pooling_power": 0.5}, "'pooling_power' is 0.5"),
        ({"sizes": 3}, "unknown keys sizes"),
        ({"weights": "../model.safetensors"}, "same folder"),
        ({"weights": "absent.safetensors"}, "absent.safetensors: the weights cannot be read"),
    ],
)
def test_faults_of_the_configuration_are_named(folder, changes, said):
    configure(folder, **changes)
    with pytest.raises(DescriptorError, match=said):
        load_descriptor(folder)


@pytest.mark.parametrize("content", ["{", "[1]", "\xff"])
def test_a_damaged_configuration(folder, content):
    (folder / "config.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(DescriptorError, match=r"config\.json"):
        load_descriptor(folder)


def test_missing_or_doubtful_files_are_reported(folder, tmp_path):
    (folder / "other.safetensors").write_bytes(b"")
    with pytest.raises(DescriptorError, match="2 files end in"):
        load_descriptor(folder)
    (folder / "config.json").unlink()
    with pytest.raises(DescriptorError, match="efficientnet-lite0"):
        load_descriptor(folder)
    (tmp_path / "weights.h5").write_bytes(b"")
    with pytest.raises(DescriptorError, match="TorchScript"):
        load_descriptor(tmp_path / "weights.h5")
    with pytest.raises(DescriptorError, match="by name"):
        load_descriptor(folder, weights=WEIGHTS)


def test_damaged_safetensors(folder):
    (folder / "model.safetensors").write_bytes(WEIGHTS.read_bytes()[:-5])
    with pytest.raises(DescriptorError, match="damaged"):
        load_descriptor(folder)


class Small(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer = torch.nn.Linear(3 * 8 * 8, 5)

    def forward(self, x):
        return self.layer(torch.nn.functional.adaptive_avg_pool2d(x, 8).flatten(1))


def script(path):
    model = Small().eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.script(model).save(path)
    return model


def test_a_script_with_its_configuration(tmp_path):
    path = tmp_path / "net.ts"
    model = script(path)
    (tmp_path / "net.json").write_text(
        json.dumps({"dimension": 5, "input_size": 32, "mean": [0.5] * 3, "std": [0.25] * 3})
    )
    own = load_descriptor(path)
    assert (own.name, own.dimension, own.input_size) == ("net", 5, 32)
    batch = torch.rand(2, 3, 32, 32, requires_grad=True)
    described = own.forward(batch)
    expected = torch.nn.functional.normalize(model((batch - 0.5) / 0.25))
    torch.testing.assert_close(described, expected)
    described.sum().backward()
    assert batch.grad.abs().max() > 0
    assert not any(p.requires_grad for p in own.network.module.parameters())
    assert own.double().forward(batch.double()).dtype == torch.float64
    assert own.forward(batch).dtype == torch.float32


def test_a_script_in_a_folder(tmp_path):
    script(tmp_path / "net.pt")
    (tmp_path / "config.json").write_text(
        json.dumps({"architecture": "torchscript", "dimension": 5, "input_size": 16})
    )
    assert load_descriptor(tmp_path).describe_squashed(
        np.zeros((3, 16, 16, 3), np.uint8)
    ).shape == (3, 5)


def test_a_script_needs_a_preprocessing(tmp_path):
    script(tmp_path / "net.pt")
    with pytest.raises(DescriptorError, match=r"net\.json"):
        load_descriptor(tmp_path / "net.pt")
    (tmp_path / "net.json").write_text(json.dumps({"dimension": 6, "input_size": 16}))
    with pytest.raises(DescriptorError, match=r"\(1, 5\)"):
        load_descriptor(tmp_path / "net.pt")
    (tmp_path / "net.pt").write_bytes(b"nonsense")
    with pytest.raises(DescriptorError, match="not a TorchScript file"):
        load_descriptor(tmp_path / "net.pt")


def test_a_published_script_is_known_by_its_name(tmp_path):
    script(tmp_path / "sscd_disc_large.torchscript.pt")
    with pytest.raises(DescriptorError, match=r"instead of \(1, 1024\)"):
        load_descriptor(tmp_path / "sscd_disc_large.torchscript.pt")
