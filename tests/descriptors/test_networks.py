"""Networks and weights that do not fit them."""

from importlib import resources

import numpy as np
import pytest
import safetensors.numpy
import torch

from homing.descriptors import load_descriptor
from homing.errors import DescriptorError

WEIGHTS = resources.files("homing.descriptors") / "weights" / "homing-s.safetensors"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda w: w.pop("trunk.head.bias"), "missing: trunk.head.bias"),
        (lambda w: w.update(extra=np.zeros(3, np.float16)), "unexpected: extra"),
        (lambda w: w.update({"projection.bias": np.zeros(7, np.float16)}), r"\(7,\) instead of"),
        (lambda w: w["trunk.stem.bias"].fill(np.nan), "not finite numbers: trunk.stem.bias"),
    ],
)
def test_weights_that_do_not_fit_are_named(tmp_path, change, said):
    weights = {n: w.copy() for n, w in safetensors.numpy.load(WEIGHTS.read_bytes()).items()}
    change(weights)
    path = tmp_path / "w.safetensors"
    path.write_bytes(safetensors.numpy.save(weights))
    with pytest.raises(DescriptorError, match=said):
        load_descriptor("homing-s", weights=path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s.pop("backbone.layer4.2.bn3.running_var"), "missing: .*layer4.2.bn3.running_v"),
        (lambda s: s.update({"embeddings.1.weight": torch.zeros(3)}), "unexpected: embeddings.1.w"),
        (lambda s: s.update({"backbone.fc.weight": torch.zeros(1000, 2048)}), r"\(512, 2048\)"),
    ],
)
def test_published_weights_that_do_not_fit_are_named(published, tmp_path, change, said):
    state = dict(published.state_dict())
    change(state)
    path = tmp_path / "weights.pt"
    torch.save(state, path)
    with pytest.raises(DescriptorError, match=said):
        load_descriptor("sscd_disc_mixup", weights=path)
