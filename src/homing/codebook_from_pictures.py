"""A codebook from a folder of pictures."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageEnhance, ImageFilter

from homing.codebooks import Codebook, parse_factory, train_codebook
from homing.errors import CodebookError, PictureError, UsageError
from homing.images import Source, read_squashed, shown, squash
from homing.options import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from homing.descriptors import Descriptor

_MOST_COPIES = 64


@dataclass(frozen=True)
class SamplingFailure:
    """One picture that gave no vectors.

    Attributes
    ----------
    source : str
        Its path, or ``"bytes"`` for a picture given as bytes.
    reason : str
        Why it could not be read.
    """

    source: str
    reason: str


@dataclass(frozen=True)
class TrainedCodebook:
    """A codebook, and what it was trained on.

    Attributes
    ----------
    codebook : Codebook
        The result.
    note : str
        In words, what it was trained on.
    failures : tuple of SamplingFailure
        Pictures that could not be read.
    """

    codebook: Codebook
    note: str
    failures: tuple[SamplingFailure, ...]


def train_codebook_on(
    pictures: Sequence[Source],
    descriptor: "Descriptor",
    factory: str,
    *,
    per_picture: int | None = None,
    seed: int = 0,
    limits: Limits = DEFAULT_LIMITS,
    progress: Callable[[int], None] | None = None,
) -> TrainedCodebook:
    """Train a codebook on pictures, multiplied by random crops and edits if they are few.

    Parameters
    ----------
    pictures : sequence of path or bytes
        Like those to be searched later.
    descriptor : Descriptor
        Whose vectors are quantized.
    factory : str
        In Faiss's notation, for example "IVF1024,PQ8x8".
    per_picture : int or None
        Vectors from each picture; None takes as many as the factory wants.
    seed : int
        Of edits and training.
    limits, progress
        Bounds on decoding; called with the number of pictures done so far.

    Raises
    ------
    CodebookError
        The factory is unknown, or the vectors are too few for it.
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
    except CodebookError as error:  # too few, and perhaps because of these
        raise CodebookError(f"{error}{_unread(failures, len(pictures))}") from error
    read = len(pictures) - len(failures)
    return TrainedCodebook(codebook, sampling_note(read, per_picture), failures)


def _unread(failures: Sequence[SamplingFailure], pictures: int) -> str:
    if not failures:
        return ""
    first = f"the first, {shown(failures[0].source)}: {failures[0].reason}"
    return f" {len(failures)} of {pictures} pictures could not be read; {first}"


_WINDOW = 32  # pictures that a worker takes at a time
_BATCH = 32
_SPARE = 2  # pictures are held at twice the network's size, so that crops keep their detail

Squashed = npt.NDArray[np.uint8]
Sampled = Squashed | PictureError


def training_vectors(
    sources: Iterable[Source],
    descriptor: "Descriptor",
    *,
    per_picture: int = 1,
    seed: int = 0,
    limits: Limits = DEFAULT_LIMITS,
    progress: Callable[[int], None] | None = None,
) -> tuple[npt.NDArray[np.float32], tuple[SamplingFailure, ...]]:
    """Descriptors of pictures and of random crops and edits of them.

    Parameters
    ----------
    sources : iterable of path or bytes
        Pictures; read one window at a time, so that memory stays flat.
    descriptor : Descriptor
    per_picture : int, default 1
        Vectors for each picture: the first of the picture as it is, the others of random edits.
    seed : int, default 0
        What is drawn for a picture depends on the seed and the picture's position alone.
    limits : Limits, optional
        Largest picture that is decoded.
    progress : callable, optional
        Called with the number of pictures done.

    Returns
    -------
    vectors : ndarray, shape (per_picture · pictures read, dimension), float32
        Those of one picture stand together, in the order of `sources`.
    failures : tuple of SamplingFailure
        Pictures that could not be read.

    Raises
    ------
    UsageError
        `per_picture` is not positive, or `seed` is negative.
    """
    if per_picture < 1 or seed < 0:
        raise UsageError(
            f"per_picture is at least 1 and the seed at least 0; got {per_picture} and {seed}."
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

    found = [np.empty((0, descriptor.dimension), np.float32)]
    failures: list[SamplingFailure] = []
    done = 0
    numbered = enumerate(sources)
    windows = iter(lambda: list(islice(numbered, _WINDOW)), [])
    for result in map_in_order(describe, windows):
        found.append(result.vectors)
        failures.extend(result.failures)
        done += result.pictures
        if progress is not None:
            progress(done)
    return np.concatenate(found), tuple(failures)


@dataclass(frozen=True)
class _Window:
    """What a worker made of some pictures."""

    pictures: int
    vectors: npt.NDArray[np.float32]
    failures: tuple[SamplingFailure, ...]


def sampling_note(pictures: int, per_picture: int) -> str:
    """Say in a sentence what the vectors were made of, for reports.

    Parameters
    ----------
    pictures : int
        Pictures that were read.
    per_picture : int
        Vectors for each.
    """
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
) -> Sampled:
    try:
        return _variants(source, size, count, np.random.default_rng(seed), limits)
    except PictureError as error:
        return error


def _variants(
    source: Source, size: int, count: int, generator: np.random.Generator, limits: Limits
) -> Squashed:
    if count == 1:
        return read_squashed(source, size, limits=limits)[None]
    image = Image.fromarray(read_squashed(source, _SPARE * size, limits=limits))
    edited = (_edit(image, generator) for _ in range(count - 1))
    return np.stack([squash(variant, size) for variant in (image, *edited)])


def _edit(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    """One random copy: cropped, sometimes turned or mirrored, its colours and pixels changed."""
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
        image = _compressed(image, int(generator.integers(25, 90)))
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


def _compressed(image: Image.Image, quality: int) -> Image.Image:
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")
