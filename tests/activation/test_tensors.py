"""Activation of tensors, as a function and as a layer of a pipeline."""

import copy

import numpy as np
import pytest
import torch
from PIL import Image

import homing
from tests.helpers.faiss_indexes import trained_index
from tests.helpers.vectors import unit_vectors


@pytest.fixture
def batch(scene) -> torch.Tensor:
    pictures = np.stack([scene(40, 56, seed=seed) for seed in range(3)])
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous()


def test_a_batch_is_what_its_pictures_are(tiny, tiny_codebook, batch) -> None:
    found = homing.activate_tensors(batch, tiny, tiny_codebook, psnr=40)
    assert (found.shape, found.dtype) == (batch.shape, torch.uint8)
    images = [Image.fromarray(each.permute(1, 2, 0).numpy()) for each in batch]
    expected = homing.activate(images, tiny, tiny_codebook, psnr=40)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.permute(1, 2, 0).numpy(), np.asarray(other))
    error = (found.double() - batch.double()).square().mean(dim=(1, 2, 3))
    assert (10 * torch.log10(255**2 / error) >= 40).all()
    assert (error > 0).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_floats_come_out_as_they_went_in(tiny, tiny_codebook, batch, dtype) -> None:
    whole = homing.activate_tensors(batch[:1], tiny, tiny_codebook)
    given = (batch[:1].to(dtype) / 255).requires_grad_()
    found = homing.activate_tensors(given, tiny, tiny_codebook)
    assert (found.dtype, found.requires_grad) == (dtype, False)
    assert torch.equal((found.double() * 255).round().to(torch.uint8), whole)


def test_the_last_layer_of_a_generator(tiny, tiny_codebook, batch) -> None:
    layer = homing.ActivationLayer(tiny, tiny_codebook)
    decoder = torch.nn.Conv2d(4, 3, 1)
    generator = copy.deepcopy(torch.nn.Sequential(decoder, torch.nn.Sigmoid(), layer))
    latents = torch.rand(2, 4, 24, 24, generator=torch.Generator().manual_seed(0))
    made = generator(latents)
    assert made.shape == (2, 3, 24, 24)
    assert not made.requires_grad
    assert list(layer.parameters()) == []
    with torch.no_grad():
        assert torch.equal(generator(latents), made)
    with torch.inference_mode():
        assert torch.equal(generator(latents), made)
    assert torch.is_grad_enabled()


def test_cells_of_an_index_elsewhere_are_kept(tiny, batch) -> None:
    vectors = unit_vectors(600, 0, tiny.dimension)
    cells = homing.codebook_from_faiss(trained_index("IVF4,SQ4", vectors=vectors))
    found = homing.activate_tensors(batch, tiny, cells)
    assert (found != batch).any()


def test_grey_and_empty_batches(tiny, tiny_codebook, batch) -> None:
    grey = homing.activate_tensors(batch[:1, :1], tiny, tiny_codebook)
    assert grey.shape == (1, 1, 40, 56)
    assert homing.activate_tensors(batch[:0], tiny, tiny_codebook).shape == (0, 3, 40, 56)


@pytest.mark.parametrize(
    "wrong",
    [
        torch.zeros(3, 8, 8),
        torch.zeros(1, 4, 8, 8),
        torch.zeros(1, 3, 8, 8, dtype=torch.bfloat16),
        torch.full((1, 3, 8, 8), torch.nan),
    ],
)
def test_what_is_no_batch_is_refused(tiny, tiny_codebook, wrong) -> None:
    with pytest.raises(homing.UsageError):
        homing.activate_tensors(wrong, tiny, tiny_codebook)


def test_options_are_checked_before_the_pipeline_runs(tiny, tiny_codebook, minute) -> None:
    for wrong in ({"psnr": 3}, {"method": "none"}, {"format": "png"}):
        with pytest.raises(homing.UsageError):
            homing.ActivationLayer(tiny, tiny_codebook, **wrong)
    with pytest.raises(homing.CodebookError):
        homing.ActivationLayer(minute, tiny_codebook)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_the_network_follows_the_pictures(tiny, tiny_codebook, batch) -> None:
    layer = homing.ActivationLayer(tiny, tiny_codebook)
    found = layer(batch.cuda())
    assert found.is_cuda
    assert layer.descriptor.device.type == "cuda"
