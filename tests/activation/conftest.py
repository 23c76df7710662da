"""Networks, codebooks and pictures that the tests of homing.activation share."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import skimage
import torch
from PIL import Image
from torch.nn import functional as F

from homing.codebooks import Codebook, load_codebook, train_codebook
from homing.descriptors import Descriptor, descriptor_from_callable, load_descriptor

DIMENSION = 16


def _smooth(batch: torch.Tensor) -> torch.Tensor:
    """Two layers with a sine between, written so that rows cannot mix; differentiable."""
    generator = torch.Generator().manual_seed(5)
    pooled = F.avg_pool2d(batch, 2).flatten(1) - 0.5
    inputs = pooled.shape[1]
    first = torch.randn(32, inputs, generator=generator, dtype=torch.float64) * 3 / inputs**0.5
    second = torch.randn(DIMENSION, 32, generator=generator, dtype=torch.float64)
    hidden = torch.sin((pooled[:, None] * first.to(batch)).sum(2))
    return (hidden[:, None] * second.to(batch)).sum(2)


@pytest.fixture(scope="session")
def tiny() -> Descriptor:
    """A smooth network on 16 × 16 pixels, used as a real descriptor is."""
    return descriptor_from_callable(_smooth, name="tiny", dimension=DIMENSION, input_size=16)


@pytest.fixture(scope="session")
def minute() -> Descriptor:
    """The same on 8 × 8, for finite differences in every direction."""
    return descriptor_from_callable(_smooth, name="minute", dimension=DIMENSION, input_size=8)


@pytest.fixture(scope="session")
def tiny_codebook(tiny: Descriptor) -> Codebook:
    generator = np.random.default_rng(11)
    coarse = generator.integers(0, 256, (1200, 4, 4, 3), dtype=np.uint8)
    vectors = tiny.describe_squashed(coarse.repeat(4, 1).repeat(4, 2))
    return train_codebook(vectors, "IVF8,PQ4x8", descriptor=tiny.fingerprint)


@pytest.fixture(scope="session")
def homing_s() -> Descriptor:
    return load_descriptor("homing-s")


@pytest.fixture(scope="session")
def codebook_256() -> Codebook:
    return load_codebook("homing-s-IVF256-PQ8x8")


@pytest.fixture(scope="session")
def shipped() -> Callable[[str], Path]:
    """Paths of the photographs that scikit-image's wheel holds."""
    folder = Path(skimage.__file__).parent / "data"
    return lambda name: folder / name


@pytest.fixture(scope="session")
def astronaut(shipped: Callable[[str], Path]) -> np.ndarray:
    """A photograph, (192, 256, 3) uint8."""
    with Image.open(shipped("astronaut.png")) as image:
        cropped = image.convert("RGB").crop((0, 0, 512, 384))
        return np.asarray(cropped.resize((256, 192), Image.Resampling.LANCZOS))


@pytest.fixture(scope="session")
def as_file() -> Callable[..., bytes]:
    """``as_file(pixels, "PNG", **options)``: encoded by Pillow."""

    def encode(pixels: np.ndarray, kind: str = "PNG", **options: object) -> bytes:
        array = pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels
        stream = io.BytesIO()
        Image.fromarray(array).save(stream, kind, **options)
        return stream.getvalue()

    return encode


@pytest.fixture(scope="session")
def scene() -> Callable[..., np.ndarray]:
    """``scene(height, width, channels, dtype)``: smooth colours and grain, away from the ends."""

    def make(height: int, width: int, channels: int = 3, dtype: str = "u1", seed: int = 0):
        generator = np.random.default_rng(seed)
        y, x = np.mgrid[0:height, 0:width]
        phases = np.arange(channels) + 2 * np.pi * generator.random()
        speed = generator.uniform(5, 20, 2)
        waves = np.sin(x[..., None] / speed[0] + phases) + np.cos(y[..., None] / speed[1] - phases)
        grain = generator.normal(0, 0.02, waves.shape)
        peak = np.iinfo(dtype).max
        return np.clip((waves / 5 + 0.5 + grain) * peak, 0, peak).astype(dtype)

    return make


@pytest.fixture(scope="session")
def turned() -> Callable[[np.ndarray, int], bytes]:
    """``turned(pixels, orientation)``: a JPEG of `pixels`, stored with this EXIF orientation."""

    def write(pixels: np.ndarray, orientation: int) -> bytes:
        inverse = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Pillow's Transpose values
        image = Image.fromarray(pixels)
        if orientation > 1:
            image = image.transpose(Image.Transpose(inverse[orientation]))
        exif = Image.Exif()
        exif[0x0112] = orientation
        stream = io.BytesIO()
        image.save(stream, "JPEG", quality=95, subsampling=0, exif=exif)
        return stream.getvalue()

    return write
