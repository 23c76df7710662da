"""A codebook from pictures."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from homing.codebook_from_pictures import train_codebook_on
from homing.descriptors import Descriptor, descriptor_from_callable
from homing.errors import CodebookError


def _colours(batch: torch.Tensor) -> torch.Tensor:
    return F.adaptive_avg_pool2d(batch, 2).flatten(1) - 0.5


@pytest.fixture(scope="module")
def descriptor() -> Descriptor:
    """Mean colours of a 2 × 2 grid: cheap, and different for every crop."""
    return descriptor_from_callable(_colours, name="colours", dimension=12, input_size=16)


@pytest.fixture(scope="module")
def pictures() -> list[bytes]:
    found = []
    for seed in range(40):
        coarse = np.random.default_rng(seed).integers(256, size=(5, 5, 3), dtype=np.uint8)
        stream = io.BytesIO()
        Image.fromarray(coarse).resize((64, 48), Image.Resampling.BICUBIC).save(stream, "PNG")
        found.append(stream.getvalue())
    return found


def test_a_small_folder_is_multiplied(descriptor: Descriptor, pictures: list[bytes]) -> None:
    trained = train_codebook_on(pictures, descriptor, "IVF4,PQ3x8")
    codebook = trained.codebook
    assert str(codebook.factory) == "IVF4,PQ3x8"
    assert codebook.descriptor == descriptor.fingerprint
    assert codebook.descriptor_name == "colours"
    assert trained.failures == ()
    assert "2,560 vectors of 40 pictures" in trained.note  # 64 each, the most
    vectors = descriptor.describe(pictures)
    assert len(np.unique(codebook.cells(vectors))) > 1
    error = np.linalg.norm(codebook.target(vectors) - vectors, axis=1)
    assert error.mean() < 0.5


def test_few_vectors_wanted_few_made(descriptor: Descriptor, pictures: list[bytes]) -> None:
    trained = train_codebook_on(pictures, descriptor, "LSH")
    each = int(trained.note.split(" vectors")[0].replace(",", "")) / 40
    assert 1 <= each < 64


def test_per_picture_and_progress(descriptor: Descriptor, pictures: list[bytes]) -> None:
    done: list[int] = []
    trained = train_codebook_on(
        pictures, descriptor, "IVF4,Flat", per_picture=8, progress=done.append
    )
    assert "320 vectors" in trained.note
    assert done == sorted(done)
    assert done[-1] == 40


def test_the_seed_decides(descriptor: Descriptor, pictures: list[bytes]) -> None:
    prints = [
        train_codebook_on(
            pictures, descriptor, "IVF4,Flat", per_picture=8, seed=seed
        ).codebook.fingerprint
        for seed in (1, 1, 2)
    ]
    assert prints[0] == prints[1] != prints[2]


def test_bad_pictures_are_named_and_left_out(
    descriptor: Descriptor, pictures: list[bytes], tmp_path
) -> None:
    missing = tmp_path / "missing.jpg"
    trained = train_codebook_on(
        [missing, *pictures, b"no picture"], descriptor, "IVF4,Flat", per_picture=8
    )
    assert [failure.source for failure in trained.failures] == [str(missing), "bytes"]
    assert all(failure.reason for failure in trained.failures)
    assert "of 40 pictures" in trained.note


def test_an_unknown_factory_is_refused_before_any_picture_is_read(descriptor: Descriptor) -> None:
    done: list[int] = []
    with pytest.raises(CodebookError, match="IVF"):
        train_codebook_on([b"x"], descriptor, "HNSW32", progress=done.append)
    assert done == []


def test_too_few_pictures(descriptor: Descriptor, pictures: list[bytes]) -> None:
    with pytest.raises(CodebookError, match="256"):
        train_codebook_on(pictures, descriptor, "PQ3x8", per_picture=1)
    with pytest.raises(CodebookError):
        train_codebook_on([], descriptor, "IVF4,Flat")
