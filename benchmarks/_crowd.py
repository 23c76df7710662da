"""Made-up vectors around those of pictures: millions, where there are pictures for less."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

_APART = 0.45  # share of a difference that a made-up vector moves: it is .8 similar to its picture
_BLOCK = 1 << 16

Vectors = npt.NDArray[np.float32]


class Crowd:
    """Unit vectors, each that of a picture moved along the difference of two others.

    So that ten million need not be held, each is made from three numbers when it is asked for.
    """

    def __init__(self, pictures: Vectors, count: int, *, seed: int = 0) -> None:
        generator = np.random.default_rng(seed)
        self._pictures = pictures
        self._made_from = generator.integers(len(pictures), size=(count, 3), dtype=np.int32)

    def __len__(self) -> int:
        """Count the vectors."""
        return len(self._made_from)

    def vectors(self, numbers: "npt.NDArray[np.int64] | slice") -> Vectors:
        """Return some of the vectors, (n, d)."""
        around, one, other = (self._pictures[each] for each in self._made_from[numbers].T)
        made = around + np.float32(_APART) * (one - other)
        made /= np.linalg.norm(made, axis=1, keepdims=True)
        return made

    def blocks(self) -> Iterator[Vectors]:
        """Yield all vectors, some at a time."""
        for first in range(0, len(self), _BLOCK):
            yield self.vectors(slice(first, first + _BLOCK))
