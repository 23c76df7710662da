"""Vectors for training, from pictures."""

import subprocess
import sys
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from homing.codebook_from_pictures import sampling_note, training_vectors
from homing.errors import UsageError


def _describe(squashed: np.ndarray, batch: int = 16) -> np.ndarray:
    """Mean colours of a 2 × 2 grid: cheap, and different for every crop."""
    blocks = squashed.reshape(len(squashed), 2, 16, 2, 16, 3).mean(axis=(2, 4))
    return blocks.reshape(len(squashed), 12).astype(np.float32)


@pytest.fixture
def descriptor() -> Any:
    return SimpleNamespace(input_size=32, dimension=12, describe_squashed=_describe)


def _picture(seed: int, size: tuple[int, int] = (90, 70)) -> bytes:
    coarse = np.random.default_rng(seed).integers(256, size=(5, 5, 3), dtype=np.uint8)
    buffer = BytesIO()
    Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def pictures() -> list[bytes]:
    return [_picture(seed) for seed in range(70)]  # more than two windows


def test_each_picture_gives_as_many_vectors_as_asked(descriptor: Any, pictures: list) -> None:
    vectors, failures = training_vectors(pictures, descriptor, per_picture=3)
    assert vectors.shape == (210, 12)
    assert vectors.dtype == np.float32
    assert failures == ()
    assert len(np.unique(vectors, axis=0)) == 210  # every copy is another
    own = vectors.reshape(70, 3, 12)
    within = np.abs(own[:, 1:] - own[:, :1]).mean()
    across = np.abs(own[1:, :1] - own[:-1, :1]).mean()
    assert within < across  # and still a copy of its picture


def test_the_first_vector_is_the_picture_itself(descriptor: Any, pictures: list) -> None:
    several, _ = training_vectors(pictures[:5], descriptor, per_picture=2)
    alone, _ = training_vectors(pictures[:5], descriptor)
    assert alone.shape == (5, 12)
    np.testing.assert_allclose(several[::2], alone, atol=2)  # of 255: by another resampling


def test_what_is_drawn_depends_on_seed_and_position_alone(descriptor: Any, pictures: list) -> None:
    everything, _ = training_vectors(pictures, descriptor, per_picture=3, seed=5)
    again, _ = training_vectors(iter(pictures), descriptor, per_picture=3, seed=5)
    np.testing.assert_array_equal(everything, again)
    part, _ = training_vectors(pictures[:40], descriptor, per_picture=3, seed=5)
    np.testing.assert_array_equal(part, everything[:120])
    other, _ = training_vectors(pictures[:40], descriptor, per_picture=3, seed=6)
    np.testing.assert_array_equal(other[::3], part[::3])
    assert (other[1::3] != part[1::3]).any(axis=1).all()


def test_bad_pictures_are_named_and_the_rest_goes_on(
    descriptor: Any, pictures: list, tmp_path: Path
) -> None:
    missing = tmp_path / "missing.jpg"
    sources = [pictures[0], missing, pictures[1], b"not a picture", pictures[2]]
    vectors, failures = training_vectors(sources, descriptor, per_picture=2)
    assert [failure.source for failure in failures] == [str(missing), "bytes"]
    assert all(failure.reason for failure in failures)
    good, _ = training_vectors(pictures[:1], descriptor, per_picture=2)
    np.testing.assert_array_equal(vectors[:2], good)
    assert vectors.shape == (6, 12)


def test_no_pictures_give_no_vectors(descriptor: Any) -> None:
    vectors, failures = training_vectors([b"bad"], descriptor, per_picture=2)
    assert vectors.shape == (0, 12)
    assert len(failures) == 1
    assert training_vectors([], descriptor)[0].shape == (0, 12)


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (300, 2)])
def test_tiny_pictures_can_be_cropped(descriptor: Any, size: tuple[int, int]) -> None:
    vectors, failures = training_vectors([_picture(1, size)], descriptor, per_picture=20)
    assert vectors.shape == (20, 12)
    assert failures == ()


def test_progress_counts_pictures(descriptor: Any, pictures: list) -> None:
    seen: list[int] = []
    training_vectors(pictures, descriptor, progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 70
    assert len(seen) == 3


def test_wrong_arguments_are_refused(descriptor: Any) -> None:
    for arguments in ({"per_picture": 0}, {"seed": -1}):
        with pytest.raises(UsageError):
            training_vectors([], descriptor, **arguments)


def test_the_note_says_what_was_multiplied() -> None:
    assert sampling_note(1400, 1) == "1,400 vectors of 1,400 pictures."
    assert "each picture itself and 3 random crops" in sampling_note(10, 4)
    assert sampling_note(10, 4).startswith("40 vectors of 10 pictures")


def test_importing_it_does_not_bring_torch() -> None:
    code = "import sys, homing.codebook_from_pictures; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
