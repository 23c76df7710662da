"""Training of a codebook on pictures and on random crops and edits of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageEnhance, ImageFilter

from homing.codebooks.codebook import Codebook
from homing.codebooks.factory import parse_factory
from homing.codebooks.training import train_codebook
from homing.errors import CodebookError, PictureError, UsageError
from homing.images.limits import Source, shown
from homing.images.read_small import read_squashed, squash
from homing.options import DEFAULT_LIMITS, Limits
from homing.progress import OnProgress, Progress

if TYPE_CHECKING:
    from homing.descriptors.descriptor import Descriptor

_Pixels = npt.NDArray[np.uint8]  # (pictures, S, S, 3)

_MOST_COPIES = 64  # vectors from each picture
_WINDOW = 32  # pictures that a worker takes at a time
_BATCH = 32
_SPARE = 2  # pictures are held at twice the network's size, so that crops have their detail


@dataclass(frozen=True)
class SamplingFailure:
    """A picture that could not be read."""

    source: str  # its path, or "bytes" for a picture given as bytes
    reason: str


@dataclass(frozen=True)
class TrainedCodebook:
    """A codebook and its training material."""

    codebook: Codebook
    note: str  # a sentence on the material
    failures: tuple[SamplingFailure, ...]


def train_codebook_on(
    pictures: Sequence[Source],
    descriptor: "Descriptor",
    factory: str,
    *,
    per_picture: int | None = None,
    seed: int = 0,
    limits: Limits = DEFAULT_LIMITS,
    progress: OnProgress | None = None,
) -> TrainedCodebook:
    """Train a codebook on pictures, multiplied by random crops and edits if they are few.

    `factory` is in Faiss's notation, for example "IVF1024,PQ8x8". `per_picture` is the number of
    vectors from each picture; None takes as many as the factory advises, at most 64. `progress` is
    called with a :class:`Progress` of pictures. Raises `CodebookError` if the factory is unknown or
    the vectors are too few for it.
    """
    parsed = parse_factory(factory)
    if per_picture is None:
        wanted = parsed.advised_vectors(descriptor.dimension)
        per_picture = min(max(math.ceil(wanted / max(len(pictures), 1)), 1), _MOST_COPIES)
    vectors, failures = training_vectors(
        pictures,
        descriptor,
        per_picture=per_picture,
        seed=seed,
        limits=limits,
        progress=progress,
    )
    try:
        codebook = train_codebook(
            vectors,
            parsed,
            seed=seed,
            descriptor=descriptor.fingerprint,
            descriptor_name=descriptor.name,
        )
    except CodebookError as error:  # too few, perhaps because of the failures
        raise CodebookError(f"{error}{_failure_note(failures, len(pictures))}") from error
    read = len(pictures) - len(failures)
    return TrainedCodebook(codebook, sampling_note(read, per_picture), failures)


def _failure_note(failures: Sequence[SamplingFailure], pictures: int) -> str:
    if not failures:
        return ""
    first = f"the first, {shown(failures[0].source)}: {failures[0].reason}"
    return f" {len(failures)} of {pictures} pictures could not be read; {first}"


def training_vectors(
    sources: Sequence[Source],
    descriptor: "Descriptor",
    *,
    per_picture: int = 1,
    seed: int = 0,
    limits: Limits = DEFAULT_LIMITS,
    progress: OnProgress | None = None,
) -> tuple[npt.NDArray[np.float32], tuple[SamplingFailure, ...]]:
    """Describe pictures and random crops and edits of them.

    The vectors are (`per_picture` · pictures read, D) float32, those of a picture together, its own
    first, in the order of `sources`. The draws depend on the seed and the picture's position alone.
    Pictures are read one window at a time, so that memory stays flat. Raises `UsageError` if
    `per_picture` is not positive or `seed` is negative.
    """
    if per_picture < 1 or seed < 0:
        raise UsageError(
            f"per_picture must be at least 1 and the seed at least 0, not {per_picture} and {seed}"
        )

    from homing.descriptors.workers import map_in_order

    def describe(window: Sequence[tuple[int, Source]]) -> _Window:
        sampled = [
            _sample(source, descriptor.input_size, per_picture, (seed, position), limits)
            for position, source in window
        ]
        pictures = [result for result in sampled if isinstance(result, np.ndarray)]
        failed = tuple(
            SamplingFailure("bytes" if isinstance(source, bytes) else str(source), str(result))
            for (_, source), result in zip(window, sampled, strict=True)
            if isinstance(result, PictureError)
        )
        if not pictures:
            return _Window(len(window), np.empty((0, descriptor.dimension), np.float32), failed)
        vectors = descriptor.describe_squashed(np.concatenate(pictures), batch=_BATCH)
        return _Window(len(window), vectors, failed)

    vectors = [np.empty((0, descriptor.dimension), np.float32)]
    failures: list[SamplingFailure] = []
    done = 0
    numbered = enumerate(sources)
    windows = iter(lambda: list(islice(numbered, _WINDOW)), [])
    for result in map_in_order(describe, windows):
        vectors.append(result.vectors)
        failures.extend(result.failures)
        done += result.pictures
        if progress is not None:
            progress(Progress(done, len(sources)))
    return np.concatenate(vectors), tuple(failures)


@dataclass(frozen=True)
class _Window:
    """Vectors of the pictures that a worker took at a time."""

    pictures: int
    vectors: npt.NDArray[np.float32]
    failures: tuple[SamplingFailure, ...]


def sampling_note(pictures: int, per_picture: int) -> str:
    """Describe in a sentence the vectors made of the pictures read, for reports."""
    total = f"{pictures * per_picture:,} vectors of {pictures:,} pictures"
    if per_picture == 1:
        return f"{total}."
    copies = per_picture - 1
    return (
        f"{total}: each picture itself and {copies} random crop{'s' * (copies > 1)} and edits of "
        "it. More pictures would serve better than more copies."
    )


def _sample(
    source: Source, size: int, count: int, seed: tuple[int, int], limits: Limits
) -> _Pixels | PictureError:
    try:
        return _variants(source, size, count, np.random.default_rng(seed), limits)
    except PictureError as error:
        return error


def _variants(
    source: Source, size: int, count: int, generator: np.random.Generator, limits: Limits
) -> _Pixels:
    if count == 1:
        return read_squashed(source, size, limits=limits)[None]
    image = Image.fromarray(read_squashed(source, _SPARE * size, limits=limits))
    edited = (_edit(image, generator) for _ in range(count - 1))
    return np.stack([squash(variant, size) for variant in (image, *edited)])


def _edit(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    """Make a random copy: cropped, sometimes turned or mirrored, its colours and pixels changed."""
    image = image.crop(_random_box(image.width, image.height, generator))
    if generator.random() < 0.3:
        image = image.rotate(generator.uniform(-35, 35), Image.Resampling.BILINEAR)
    if generator.random() < 0.3:
        turns = (
            Image.Transpose.ROTATE_90,
            Image.Transpose.ROTATE_270,
            Image.Transpose.FLIP_LEFT_RIGHT,
        )
        image = image.transpose(turns[generator.integers(len(turns))])
    for enhancer in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        if generator.random() < 0.4:
            image = enhancer(image).enhance(float(np.exp(generator.uniform(-0.7, 0.7))))
    if generator.random() < 0.2:
        image = image.filter(ImageFilter.GaussianBlur(generator.uniform(0.5, 4)))
    if generator.random() < 0.2:
        image = _compress(image, int(generator.integers(25, 90)))
    return image


def _random_box(
    width: int, height: int, generator: np.random.Generator
) -> tuple[int, int, int, int]:
    area = generator.uniform(0.3, 1)
    aspect = np.exp(generator.uniform(-0.3, 0.3))
    across = max(1, round(width * min(1.0, np.sqrt(area * aspect))))
    down = max(1, round(height * min(1.0, np.sqrt(area / aspect))))
    left = int(generator.integers(width - across + 1))
    top = int(generator.integers(height - down + 1))
    return left, top, left + across, top + down


def _compress(image: Image.Image, quality: int) -> Image.Image:
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")
