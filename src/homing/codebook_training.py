"""A codebook from a folder of pictures."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from homing.codebooks import Codebook, parse_factory, train_codebook
from homing.errors import CodebookError
from homing.images import DEFAULT_LIMITS, Limits, Source, shown
from homing.sampling import SamplingFailure, sampling_note, training_vectors

if TYPE_CHECKING:
    from homing.descriptors import Descriptor

_MOST_COPIES = 64


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
