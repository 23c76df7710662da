"""Descriptors loaded by name."""

import hashlib
import subprocess
import sys
from importlib import resources

import numpy as np
import pytest
import safetensors.numpy
import torch

from homing.descriptors import load_descriptor, registry
from homing.errors import DescriptorError, UsageError

WEIGHTS = resources.files("homing.descriptors") / "weights" / "homing-s.safetensors"


def test_damaged_weights_are_refused(monkeypatch, tmp_path):
    damaged = bytearray(WEIGHTS.read_bytes())
    damaged[-1] ^= 1
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "homing-s.safetensors").write_bytes(damaged)
    monkeypatch.setattr("homing.descriptors.loading.resources.files", lambda _: tmp_path)
    found = hashlib.sha256(damaged).hexdigest()
    with pytest.raises(DescriptorError, match=found) as caught:
        load_descriptor()
    assert next(info.sha256 for info in registry() if info.bundled) in str(caught.value)


def test_own_weights_in_its_layout(homing_s, tmp_path):
    weights = safetensors.numpy.load(WEIGHTS.read_bytes())
    weights["projection.bias"] = weights["projection.bias"] + np.float16(0.5)
    path = tmp_path / "better.safetensors"
    path.write_bytes(safetensors.numpy.save(weights))
    other = load_descriptor("homing-s", weights=path)
    assert other.fingerprint != homing_s.fingerprint
    batch = torch.full((1, 3, 160, 160), 0.5)
    assert not torch.allclose(other.forward(batch), homing_s.forward(batch))


def test_unknown_names_and_devices():
    with pytest.raises(DescriptorError, match="sscd_disc_mixup"):
        load_descriptor("homing-xl")
    with pytest.raises(UsageError, match="nonsense"):
        load_descriptor(device="nonsense")
    assert load_descriptor(device="auto").device.type in {"cpu", "cuda", "mps"}


def test_loads_without_network_or_home(tmp_path):
    # No home, no cache, every socket refused: the bundled descriptor needs none of them.
    script = (
        "import socket\n"
        "def refuse(*a, **k): raise RuntimeError('network')\n"
        "socket.socket.connect = refuse\n"
        "from homing.descriptors import load_descriptor\n"
        "print(load_descriptor().fingerprint)\n"
    )
    environment = {"PATH": "/usr/bin:/bin", "HOMING_CACHE": "/dev/null/nowhere"}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == load_descriptor().fingerprint
