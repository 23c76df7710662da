"""Encoders: descriptors and hashes, as what makes comparable rows of pictures."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from homing.bench.encode.hashes import HASHES, hash_vectors
from homing.bench.encode.variants import Want

if TYPE_CHECKING:  # it brings torch, which whoever made the descriptor has loaded already
    from homing.descriptors import Descriptor

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Encoder:
    """What makes comparable rows of pictures: a descriptor or a hash.

    Attributes
    ----------
    name : str
        The column's in tables.
    fingerprint : str
        What it computes.
    want : Want
        What it takes from the worker processes.
    dimension : int
        Of its vectors; a hash's bits.
    finish : callable
        From the workers' uint8 rows to the rows that are kept.
    descriptor : bool
        Whether it is a descriptor, so that twins are sought among its neighbours.
    """

    name: str
    fingerprint: str
    want: Want
    dimension: int
    finish: Callable[[npt.NDArray[np.uint8]], Array]
    descriptor: bool = True

    def vectors(self, rows: Array) -> npt.NDArray[np.float32]:
        """Unit vectors, (n, dimension) float32, of rows as they are kept."""
        return rows if self.descriptor else hash_vectors(rows)


def descriptor_encoder(descriptor: "Descriptor", name: str | None = None) -> Encoder:
    """Make a descriptor an encoder.

    Parameters
    ----------
    descriptor : Descriptor
    name : str, optional
        The column's; the descriptor's own without it.
    """
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
