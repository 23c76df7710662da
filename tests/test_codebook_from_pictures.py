"""Codebooks trained on pictures, and the vectors made of these."""

import io
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

import homing
from homing.codebook_from_pictures import sampling_note, train_codebook_on, training_vectors
from homing.descriptors import Descriptor, descriptor_from_callable
from homing.errors import CodebookError, UsageError


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
    assert "2,560 vectors of 40 pictures" in trained.note  # 64 of each, the maximum
    vectors = descriptor.describe(pictures)
    assert len(np.unique(codebook.cells(vectors))) > 1
    error = np.linalg.norm(codebook.target(vectors) - vectors, axis=1)
    assert error.mean() < 0.5


def test_few_vectors_wanted_few_made(descriptor: Descriptor, pictures: list[bytes]) -> None:
    trained = train_codebook_on(pictures, descriptor, "LSH")
    each = int(trained.note.split(" vectors")[0].replace(",", "")) / 40
    assert 1 <= each < 64


def test_per_picture_and_progress(descriptor: Descriptor, pictures: list[bytes]) -> None:
    steps: list[homing.Progress] = []
    trained = train_codebook_on(
        pictures, descriptor, "IVF4,Flat", per_picture=8, progress=steps.append
    )
    done = [step.done for step in steps]
    assert {step.total for step in steps} == {40}
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
    done: list[homing.Progress] = []
    with pytest.raises(CodebookError, match="IVF"):
        train_codebook_on([b"x"], descriptor, "HNSW32", progress=done.append)
    assert done == []


def test_too_few_pictures(descriptor: Descriptor, pictures: list[bytes]) -> None:
    with pytest.raises(CodebookError, match="256"):
        train_codebook_on(pictures, descriptor, "PQ3x8", per_picture=1)
    with pytest.raises(CodebookError):
        train_codebook_on([], descriptor, "IVF4,Flat")


def _describe(squashed: np.ndarray, batch: int = 16) -> np.ndarray:
    """Mean colours of a 2 × 2 grid: cheap, and different for every crop."""
    blocks = squashed.reshape(len(squashed), 2, 16, 2, 16, 3).mean(axis=(2, 4))
    return blocks.reshape(len(squashed), 12).astype(np.float32)


@pytest.fixture
def means() -> Any:
    return SimpleNamespace(input_size=32, dimension=12, describe_squashed=_describe)


def _picture(seed: int, size: tuple[int, int] = (90, 70)) -> bytes:
    coarse = np.random.default_rng(seed).integers(256, size=(5, 5, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def many() -> list[bytes]:
    return [_picture(seed) for seed in range(70)]  # more than two windows


def test_each_picture_gives_the_requested_number_of_vectors(means: Any, many: list) -> None:
    vectors, failures = training_vectors(many, means, per_picture=3)
    assert vectors.shape == (210, 12)
    assert vectors.dtype == np.float32
    assert failures == ()
    assert len(np.unique(vectors, axis=0)) == 210  # every copy differs
    own = vectors.reshape(70, 3, 12)
    within = np.abs(own[:, 1:] - own[:, :1]).mean()
    across = np.abs(own[1:, :1] - own[:-1, :1]).mean()
    assert within < across  # and still resembles its picture


def test_the_first_vector_is_the_picture_itself(means: Any, many: list) -> None:
    several, _ = training_vectors(many[:5], means, per_picture=2)
    alone, _ = training_vectors(many[:5], means)
    assert alone.shape == (5, 12)
    np.testing.assert_allclose(several[::2], alone, atol=2)  # of 255 levels: another resampling


def test_what_is_drawn_depends_on_seed_and_position_alone(means: Any, many: list) -> None:
    everything, _ = training_vectors(many, means, per_picture=3, seed=5)
    again, _ = training_vectors(iter(many), means, per_picture=3, seed=5)
    np.testing.assert_array_equal(everything, again)
    part, _ = training_vectors(many[:40], means, per_picture=3, seed=5)
    np.testing.assert_array_equal(part, everything[:120])
    other, _ = training_vectors(many[:40], means, per_picture=3, seed=6)
    np.testing.assert_array_equal(other[::3], part[::3])
    assert (other[1::3] != part[1::3]).any(axis=1).all()


def test_bad_pictures_are_named_and_the_rest_goes_on(
    means: Any, many: list, tmp_path: Path
) -> None:
    missing = tmp_path / "missing.jpg"
    sources = [many[0], missing, many[1], b"not a picture", many[2]]
    vectors, failures = training_vectors(sources, means, per_picture=2)
    assert [failure.source for failure in failures] == [str(missing), "bytes"]
    assert all(failure.reason for failure in failures)
    good, _ = training_vectors(many[:1], means, per_picture=2)
    np.testing.assert_array_equal(vectors[:2], good)
    assert vectors.shape == (6, 12)


def test_no_pictures_give_no_vectors(means: Any) -> None:
    vectors, failures = training_vectors([b"bad"], means, per_picture=2)
    assert vectors.shape == (0, 12)
    assert len(failures) == 1
    assert training_vectors([], means)[0].shape == (0, 12)


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (300, 2)])
def test_tiny_pictures_can_be_cropped(means: Any, size: tuple[int, int]) -> None:
    vectors, failures = training_vectors([_picture(1, size)], means, per_picture=20)
    assert vectors.shape == (20, 12)
    assert failures == ()


def test_progress_counts_pictures(means: Any, many: list) -> None:
    steps: list[homing.Progress] = []
    training_vectors(many, means, progress=steps.append)
    seen = [step.done for step in steps]
    assert seen == sorted(seen)
    assert seen[-1] == 70
    assert len(seen) == 3


def test_wrong_arguments_are_refused(means: Any) -> None:
    for arguments in ({"per_picture": 0}, {"seed": -1}):
        with pytest.raises(UsageError):
            training_vectors([], means, **arguments)


def test_the_note_says_what_was_multiplied() -> None:
    assert sampling_note(1400, 1) == "1,400 vectors of 1,400 pictures."
    assert "each picture itself and 3 random crops" in sampling_note(10, 4)
    assert sampling_note(10, 4).startswith("40 vectors of 10 pictures")


def test_importing_it_does_not_import_torch() -> None:
    code = "import sys, homing.codebook_from_pictures; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
