import hashlib
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import skimage.data
import torch
from PIL import Image

from homing.descriptors import load_descriptor, registry
from homing.errors import DescriptorError, UsageError

GOLDEN = json.loads((Path(__file__).parent / "golden_homing_s.json").read_text())
WEIGHTS = resources.files("homing.descriptors") / "weights" / "homing-s.safetensors"


def convolve(x, weight, bias, stride, *, depthwise):
    """TensorFlow's "same" convolution of (C, h, w), in float64, straight from its definition."""
    kernel = weight.shape[-1]
    paddings = []
    for size in x.shape[1:]:
        outputs = -(-size // stride)
        total = max((outputs - 1) * stride + kernel - size, 0)
        paddings.append((total // 2, total - total // 2))
    x = np.pad(x, [(0, 0), *paddings])
    windows = np.lib.stride_tricks.sliding_window_view(x, (kernel, kernel), axis=(1, 2))
    windows = windows[:, ::stride, ::stride]
    if depthwise:
        y = np.einsum("chwij,cij->chw", windows, weight[:, 0])
    else:
        y = np.tensordot(weight, windows, axes=((1, 2, 3), (0, 3, 4)))
    return y + bias[:, None, None]


def slow_descriptor(pixels):
    """Homing-s of one picture (3, 160, 160) in [0, 1], by nothing but the table and numpy."""
    weights = safetensors.numpy.load(WEIGHTS.read_bytes())
    weights = {name: weight.astype(np.float64) for name, weight in weights.items()}

    def layer(x, name, stride=1, *, depthwise=False, active=True):
        w, b = weights[f"{name}.weight"], weights[f"{name}.bias"]
        x = convolve(x, w, b, stride, depthwise=depthwise)
        return np.clip(x, 0, 6) if active else x

    x = layer(2 * pixels - 1, "trunk.stem", 2)
    # The first stride of each stage and its repeats, as published.
    strides = [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1]
    for number, stride in enumerate(strides):
        name, y = f"trunk.blocks.{number}", x
        if number > 0:
            y = layer(y, f"{name}.e")
        y = layer(y, f"{name}.d", stride, depthwise=True)
        y = layer(y, f"{name}.p", active=False)
        x = x + y if x.shape == y.shape else y
    x = layer(x, "trunk.head")
    pooled = np.mean(np.maximum(x, 1e-6) ** 3, axis=(1, 2)) ** (1 / 3)
    y = weights["projection.weight"] @ pooled + weights["projection.bias"]
    return y / np.linalg.norm(y)


@pytest.fixture(scope="module")
def pictures(squashed):
    return torch.from_numpy(squashed[:2].astype(np.float64) / 255).permute(0, 3, 1, 2)


def test_agrees_with_an_independent_forward_pass(homing_s, pictures):
    expected = np.stack([slow_descriptor(picture.numpy()) for picture in pictures])
    double = homing_s.double().forward(pictures).numpy()
    np.testing.assert_allclose(double, expected, atol=1e-12)
    single = homing_s.forward(pictures.float())
    assert single.dtype == torch.float32
    np.testing.assert_allclose(single.numpy(), expected, atol=2e-6)


def test_gradient_agrees_with_finite_differences(homing_s, pictures):
    double = homing_s.double()
    generator = torch.Generator().manual_seed(5)
    target = torch.nn.functional.normalize(
        torch.randn(2, 256, dtype=torch.float64, generator=generator)
    )
    batch = pictures.clone().requires_grad_()
    (double.forward(batch) * target).sum().backward()
    for _ in range(3):
        direction = torch.randn(batch.shape, dtype=torch.float64, generator=generator)
        step = 1e-9  # the network is piecewise smooth: small enough to cross no kink
        with torch.no_grad():
            up = (double.forward(pictures + step * direction) * target).sum()
            down = (double.forward(pictures - step * direction) * target).sum()
        expected = (up - down) / (2 * step)
        torch.testing.assert_close((batch.grad * direction).sum(), expected, rtol=1e-5, atol=1e-6)


def test_gradient_in_single_precision_is_that_in_double(homing_s, pictures):
    gradients = []
    for descriptor, batch in ((homing_s, pictures.float()), (homing_s.double(), pictures)):
        leaf = batch.clone().requires_grad_()
        described = descriptor.forward(leaf)
        (described[:, :7].sum()).backward()
        gradients.append(leaf.grad.double())
    difference = (gradients[0] - gradients[1]).norm() / gradients[1].norm()
    assert difference < 5e-3  # a unit within rounding of ReLU6's kinks may take the other slope


def test_no_weight_requires_a_gradient(homing_s):
    assert not any(weight.requires_grad for weight in homing_s.network.weights.values())


def test_of_a_black_picture_the_gradient_is_finite(homing_s):
    batch = torch.zeros(1, 3, 160, 160, requires_grad=True)
    homing_s.forward(batch)[0, 0].backward()
    assert torch.isfinite(batch.grad).all()
    assert batch.grad.abs().max() > 0


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_golden_pictures(homing_s, name):
    picture = Image.fromarray(getattr(skimage.data, name)())
    vector = homing_s.describe([picture])[0]
    np.testing.assert_allclose(vector[:16], GOLDEN[name], atol=1e-3)


def test_vectors_have_unit_length(homing_s, squashed):
    vectors = homing_s.describe_squashed(squashed[:5])
    assert vectors.shape == (5, 256)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors.astype(np.float64), axis=1), 1, atol=1e-6)


def test_companions_and_place_change_no_bit(homing_s, squashed):
    whole = homing_s.describe_squashed(squashed, batch=8)
    for part in ([3], [3, 4], [19, 0, 3], list(range(19, -1, -1))):
        again = homing_s.describe_squashed(squashed[part], batch=8, pad=True)
        np.testing.assert_array_equal(again, whole[part])


def test_padding_is_not_described(homing_s, squashed):
    alone = homing_s.describe_squashed(squashed[:1])
    padded = homing_s.describe_squashed(squashed[:1], pad=True)
    assert alone.shape == padded.shape == (1, 256)
    np.testing.assert_allclose(alone, padded, atol=1e-5)


def test_two_threads_get_what_one_gets(homing_s, squashed):
    expected = homing_s.describe_squashed(squashed[:4], batch=4)
    with ThreadPoolExecutor(2) as threads:
        found = list(
            threads.map(lambda _: homing_s.describe_squashed(squashed[:4], batch=4), range(6))
        )
    for vectors in found:
        np.testing.assert_array_equal(vectors, expected)


def test_fingerprint_is_the_same_everywhere(homing_s):
    assert homing_s.fingerprint == (
        "a8f9b85587f3822079444ec3af6b76da2c510df5e5a8689f779a81e9d1b103d5"
    )
    assert homing_s.double().fingerprint == homing_s.fingerprint


def test_is_immutable(homing_s):
    with pytest.raises(AttributeError):
        homing_s.name = "other"
    with pytest.raises(TypeError):
        homing_s.network.weights["trunk.stem.bias"] = torch.zeros(32)


def test_registry_tells_the_truth_of_the_file():
    info = next(info for info in registry() if info.name == "homing-s")
    data = WEIGHTS.read_bytes()
    assert info.bundled
    assert info.size_bytes == len(data)
    assert info.sha256 == hashlib.sha256(data).hexdigest()
    assert str(info.input_rule).startswith("RGB squashed to 160x160")


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


def test_unknown_names_and_devices():
    with pytest.raises(DescriptorError, match="sscd_disc_mixup"):
        load_descriptor("homing-xl")
    with pytest.raises(UsageError, match="nonsense"):
        load_descriptor(device="nonsense")
    assert load_descriptor(device="auto").device.type in {"cpu", "cuda", "mps"}


def test_wrong_shapes_are_refused(homing_s):
    with pytest.raises(UsageError, match="160"):
        homing_s.forward(torch.zeros(1, 3, 128, 160))
    with pytest.raises(UsageError, match="float32"):
        homing_s.describe_squashed(np.zeros((1, 160, 160, 3), np.float32))
    with pytest.raises(UsageError, match="at least 1"):
        homing_s.describe_squashed(np.zeros((1, 160, 160, 3), np.uint8), batch=0)


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
