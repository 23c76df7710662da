"""Encoders: descriptors and hashes, which make comparable rows of pictures."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from homing.bench.encode.hashes import HASHES, hash_vectors
from homing.bench.encode.variants import EncoderInput

if TYPE_CHECKING:  # it brings torch, which whoever made the descriptor has loaded already
    from homing.descriptors import Descriptor

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Encoder:
    """A descriptor or a hash."""

    name: str  # of its column in tables
    fingerprint: str  # identifies what it computes
    input: EncoderInput
    dimension: int  # of its vectors; the bits of a hash
    # from the workers' rows to the rows that are cached
    finish: Callable[[npt.NDArray[np.uint8]], Array]
    descriptor: bool = True  # near duplicates are searched among a descriptor's neighbours

    def vectors(self, rows: Array) -> npt.NDArray[np.float32]:
        """Turn cached rows into unit vectors, (n, dimension) float32."""
        return rows if self.descriptor else hash_vectors(rows)


def descriptor_encoder(descriptor: "Descriptor", name: str | None = None) -> Encoder:
    """Make a descriptor an encoder, under another name if one is given."""
    return Encoder(
        name or descriptor.name,
        descriptor.fingerprint,
        descriptor.input_size,
        descriptor.dimension,
        partial(descriptor.describe_squashed, pad=True),
    )


def hash_encoders() -> tuple[Encoder, ...]:
    """Return pHash, dHash and PDQ as encoders."""
    return tuple(
        Encoder(name, f"{name}-{bits}", name, bits, np.copy, descriptor=False)
        for name, bits in HASHES.items()
    )
