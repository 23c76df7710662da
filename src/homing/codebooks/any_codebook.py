"""The base of all codebooks: what activation needs of one."""

from abc import ABC, abstractmethod

import numpy as np
import numpy.typing as npt

from homing.codebooks.partition import Partition
from homing.errors import CodebookError

Floats = npt.NDArray[np.float32]
Cells = npt.NDArray[np.int32]


class AnyCodebook(ABC):
    """A frozen quantizer as activation sees it: cells, targets and the walls between cells.

    Two are equal if their fingerprints are.
    """

    dimension: int
    descriptor: str | None
    descriptor_name: str | None

    @property
    @abstractmethod
    def form(self) -> str:
        """Kind of quantizer, in Faiss's notation."""

    @property
    @abstractmethod
    def cell_count(self) -> int:
        """Number of coarse cells; 1 without coarse cells."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """SHA-256, 64 hexadecimal digits, of all that decides cells and codes."""

    @property
    @abstractmethod
    def partition(self) -> Partition:
        """Steps and walls, for gradients."""

    @property
    @abstractmethod
    def aims_at_code(self) -> bool:
        """Whether :meth:`target` is the reconstruction of a code."""

    @abstractmethod
    def cells(self, vectors: npt.ArrayLike) -> Cells:
        """Cell of each vector, (n,) int32."""

    @abstractmethod
    def nearest_cells(self, vectors: npt.ArrayLike, count: int) -> Cells:
        """Cells in the order in which a search probes them, (n, count) int32."""

    @abstractmethod
    def target(self, vectors: npt.ArrayLike, cells: npt.ArrayLike | None = None) -> Floats:
        """Target that activation pulls each vector to, in its own cell or those given."""

    @property
    def title(self) -> str:
        """Form and first digits of the fingerprint, for messages."""
        return f"{self.form} ({self.fingerprint[:12]}…)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AnyCodebook) and self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def check_descriptor(self, name: str, fingerprint: str, dimension: int) -> None:
        """Refuse a descriptor that the codebook was not trained for.

        Parameters
        ----------
        name, fingerprint : str
        dimension : int
            Length of the descriptor's vectors.

        Raises
        ------
        CodebookError
            It has another dimension, or another fingerprint than the codebook's descriptor.
        """
        if self.dimension != dimension:
            raise CodebookError(
                f"the codebook {self.title} is for {self.dimension} dimensions, but descriptor "
                f"{name!r} has {dimension}"
            )
        if self.descriptor not in {None, fingerprint}:
            raise CodebookError(
                f"the codebook {self.title} was trained for the descriptor {self.descriptor}, but "
                f"{name!r} is {fingerprint}; train one for it with 'homing codebook train'"
            )


def sign_target(partition: Partition, inner: Floats) -> Floats:
    """Return the signs of vectors after the steps, (n, k), mapped back, at unit length, (n, D).

    Moving towards it raises every absolute projection, away from where a bit flips.
    """
    signs = np.where(inner >= 0, np.float32(1), np.float32(-1))
    for step in reversed(partition.steps):
        # Without the bias, which is no part of the direction in which projections grow.
        signs = step.direction(signs)
    lengths = np.linalg.norm(signs.astype(np.float64), axis=1, keepdims=True)
    return np.asarray(signs / lengths, np.float32)
