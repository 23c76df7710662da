"""Background that ships: descriptors of pictures that match nothing, for the bundled descriptor.

They say what an archive of a few entries cannot: how similar other pictures are to a query. A page
of print is surrounded by pages there even if the archive holds photographs alone.

The file holds `vectors`, (m, D) int8, to be scaled to unit length. Its metadata name the descriptor
by its fingerprint, and say what the pictures were; ``benchmarks/background.py`` makes it.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open

_FILE = Path(__file__).with_name("data") / "background-homing-s.safetensors"


@lru_cache(maxsize=8)
def load_background(fingerprint: str, dimension: int) -> NDArray[np.float32]:
    """Load the background of a descriptor, (m, D) of unit length; (0, D) if none ships for it."""
    with safe_open(_FILE, framework="numpy") as file:
        if file.metadata()["descriptor_fingerprint"] != fingerprint:
            return np.empty((0, dimension), np.float32)
        vectors: NDArray[np.float32] = file.get_tensor("vectors").astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors.flags.writeable = False
    return vectors


def nearest_background(
    queries: NDArray[np.float32], background: NDArray[np.float32], count: int
) -> NDArray[np.float32]:
    """Return the highest similarities of queries, (n, D), to the background: (n, ≤ count)."""
    alike: NDArray[np.float32] = queries @ background.T
    if alike.shape[1] <= count:
        return alike
    return np.partition(alike, -count, axis=1)[:, -count:]
