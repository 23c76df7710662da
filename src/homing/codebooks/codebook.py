"""The codebook: a frozen quantizer, as an immutable value."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from homing.codebooks import rebuild
from homing.codebooks.any_codebook import AnyCodebook, sign_target
from homing.codebooks.checks import check_cells, check_codes, check_count, check_vectors
from homing.codebooks.codes import Norms, decode, encode, part_norms
from homing.codebooks.exact import LARGEST, nearest, nearest_several, squared_norms
from homing.codebooks.factory import Factory
from homing.codebooks.near_cells import count_near, spacing_of
from homing.codebooks.partition import Partition, linear_steps
from homing.errors import CodebookError

METRIC = "L2"

Floats = npt.NDArray[np.float32]
Cells = npt.NDArray[np.int32]
Codes = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Codebook(AnyCodebook):
    """A frozen quantizer: it gives each vector a cell, and a code inside that cell.

    Two codebooks are equal if their fingerprints are. All methods may be called from several
    threads at once, and the result for a vector does not depend on the other vectors of a call.
    They raise `CodebookError` for arrays of a wrong shape, values that are not finite, and cells
    that do not exist. The metric is squared L2 throughout.

    Parameters
    ----------
    factory : Factory
        The kind of quantizer.
    dimension : int
        Length of the vectors, d.
    arrays : mapping of str to ndarray, float32
        Those of ``"coarse"`` (cells, d'), ``"pq"`` (m, 256 or 16, d'/m), ``"rotation"`` (d', d),
        ``"rotation_bias"`` (d',) and ``"scalar"`` (2, d') that the factory needs, where d' is the
        length after a reduction. Stored as read-only copies.
    descriptor : str, optional
        Fingerprint of the descriptor it was trained for.
    descriptor_name : str, optional
        Name of that descriptor, for messages; not part of the fingerprint.

    Raises
    ------
    CodebookError
        The arrays are not those of the factory, or have values that are not finite.

    Examples
    --------
    >>> codebook = homing.load_codebook("homing-s-IVF1024-PQ8x8")
    >>> cells, codes = codebook.encode_with_cells(vectors)  # (n,) int32, (n, 8) uint8
    """

    factory: Factory
    dimension: int
    arrays: Mapping[str, Floats] = field(repr=False)
    descriptor: str | None = None
    descriptor_name: str | None = None

    def __post_init__(self) -> None:
        self.factory.check_dimension(self.dimension)
        object.__setattr__(self, "arrays", _freeze(self.factory, self.dimension, self.arrays))

    def __reduce__(self) -> tuple[Any, ...]:
        state = (self.factory, self.dimension, dict(self.arrays))
        return Codebook, (*state, self.descriptor, self.descriptor_name)

    @property
    def form(self) -> str:
        """Factory string."""
        return str(self.factory)

    @property
    def aims_at_code(self) -> bool:
        """Whether :meth:`target` is the reconstruction of a code."""
        return self.factory.fine == "PQ" and (self.factory.is_residual or not self.factory.cells)

    @cached_property
    def partition(self) -> Partition:
        """Steps in front of the quantizer, and the cells or signs that vectors fall in."""
        steps = linear_steps(self.arrays.get("rotation"), self.arrays.get("rotation_bias"))
        signs = self.factory.fine == "LSH"
        return Partition(steps, self.arrays.get("coarse"), signs=signs)

    @property
    def cell_count(self) -> int:
        """Number of coarse cells; 1 without coarse cells."""
        return self.factory.cells or 1

    @property
    def code_size(self) -> int:
        """Bytes of one code, without the cell's number."""
        return self.factory.code_size(self.dimension)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256, 64 hexadecimal digits, of all that decides cells and codes.

        Covers factory string, dimension, metric, the descriptor's fingerprint, and the arrays.
        """
        about = {
            "factory": str(self.factory),
            "dimension": self.dimension,
            "metric": METRIC,
            "descriptor": self.descriptor,
            "arrays": {name: ["float32", *array.shape] for name, array in self.arrays.items()},
        }
        digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
        for name in sorted(self.arrays):
            digest.update(self.arrays[name].astype("<f4", copy=False).tobytes())
        return digest.hexdigest()

    def inner(self, vectors: npt.ArrayLike) -> Floats:
        """Vectors as they are quantized: after the rotation or reduction, if there is one.

        Parameters
        ----------
        vectors : array_like, shape (n, dimension)

        Returns
        -------
        ndarray, shape (n, d'), float32
        """
        return self.partition.apply(check_vectors(vectors, self.dimension, str(self.factory)))

    def cells(self, vectors: npt.ArrayLike) -> Cells:
        """Cell of each vector.

        Parameters
        ----------
        vectors : array_like, shape (n, dimension)

        Returns
        -------
        ndarray, shape (n,), int32
            Number of the nearest centroid, the lowest of equals; zeros without coarse cells.
        """
        return self._cells(self.inner(vectors))

    def nearest_cells(self, vectors: npt.ArrayLike, count: int) -> Cells:
        """Cells in the order in which a search probes them.

        Parameters
        ----------
        vectors : array_like, shape (n, dimension)
        count : int
            At least 1; at most all cells are given.

        Returns
        -------
        ndarray, shape (n, count), int32
            Nearest first.
        """
        inner = self.inner(vectors)
        count = check_count(count, self.cell_count)
        if not self.factory.cells:
            return np.zeros((len(inner), 1), np.int32)
        return nearest_several(inner, self.arrays["coarse"], self._coarse_norms, count)

    def count_near_cells(
        self, vectors: npt.ArrayLike, margin: float, most: int
    ) -> npt.NDArray[np.int64]:
        """Count the cells nearly as near to each vector as its own, from 1 to `most`, (n,).

        An edited copy that has left its picture's cell is most often in one of them. `margin` is
        how much further they may be, in squared distances: a share of the median one between a
        centroid and its nearest neighbour.
        """
        inner = self.inner(vectors)
        if not self.factory.cells:
            return np.ones(len(inner), np.int64)
        further = margin * self._spacing
        return count_near(inner, self.arrays["coarse"], self._coarse_norms, further, most)

    def encode(self, vectors: npt.ArrayLike, cells: npt.ArrayLike | None = None) -> Codes:
        """Code of each vector.

        Parameters
        ----------
        vectors : array_like, shape (n, dimension)
        cells : array_like of int, shape (n,), optional
            Cells to encode in; by default those of :meth:`cells`.

        Returns
        -------
        ndarray, shape (n, code_size), uint8
        """
        inner = self.inner(vectors)
        if cells is None:
            return self._codes(inner, self._cells(inner))
        return self._codes(inner, check_cells(cells, len(inner), self.factory))

    def encode_with_cells(self, vectors: npt.ArrayLike) -> tuple[Cells, Codes]:
        """Cell and code of each vector: :meth:`cells` and :meth:`encode` in one pass."""
        inner = self.inner(vectors)
        cells = self._cells(inner)
        return cells, self._codes(inner, cells)

    def decode(self, cells: npt.ArrayLike, codes: npt.ArrayLike) -> Floats:
        """Vectors that cells and codes stand for, as Faiss's ``sa_decode`` gives them.

        Parameters
        ----------
        cells : array_like of int, shape (n,)
        codes : array_like, shape (n, code_size), uint8

        Returns
        -------
        ndarray, shape (n, dimension), float32
            In the space of the vectors: a rotation in front is undone. With LSH the signs ±1
            mapped back, whose length means nothing.
        """
        checked = check_codes(codes, self.code_size, self.factory)
        chosen = check_cells(cells, len(checked), self.factory)
        return self.partition.undo(self._reconstruct(chosen, checked))

    def target(self, vectors: npt.ArrayLike, cells: npt.ArrayLike | None = None) -> Floats:
        """Target that activation pulls each vector to, so that cell and code survive edits.

        With a product quantizer it is the reconstruction q(x), centroid plus decoded residual
        (Fernandez, Douze, Jégou, Furon, "Active Image Indexing", 2023, eq. 5). With ``Flat``,
        ``SQ8`` or ``RaBitQ`` codes, which stand for nearly the vector itself, and codes that are
        not of residuals (``x4fs``), it is the centroid of the cell.
        With LSH it is the signs mapped back through the transposed projection, at unit length:
        moving towards it raises every absolute projection, away from where a bit flips.

        Parameters
        ----------
        vectors : array_like, shape (n, dimension)
        cells : array_like of int, shape (n,), optional
            Cells to aim at; by default those of :meth:`cells`.

        Returns
        -------
        ndarray, shape (n, dimension), float32
            In the space of the vectors; a new, writable array.
        """
        inner = self.inner(vectors)
        if self.factory.fine == "LSH":
            return sign_target(self.partition, inner)
        own = self._cells(inner) if cells is None else check_cells(cells, len(inner), self.factory)
        if self.aims_at_code:
            return self.partition.undo(self._reconstruct(own, self._codes(inner, own)))
        return self.partition.undo(self.arrays["coarse"][own])

    def index(self, cells: npt.ArrayLike | None = None, codes: npt.ArrayLike | None = None) -> Any:
        """Make a Faiss index with this codebook, empty or filled from stored cells and codes.

        Parameters
        ----------
        cells : array_like of int, shape (n,), optional
            Not needed without coarse cells.
        codes : array_like, shape (n, code_size), uint8, optional
            Entry i gets the id i. Nothing is encoded again.

        Returns
        -------
        faiss.Index
            A new one at each call; the caller may add to it. All share their coarse quantizer.
        """
        if codes is None:
            if cells is not None:
                raise CodebookError("Cells were given without codes: pass both, or neither.")
            cells, codes = np.zeros(0, np.int32), np.zeros((0, self.code_size), np.uint8)
        checked = check_codes(codes, self.code_size, self.factory)
        if cells is None and self.factory.cells:
            raise CodebookError(f"{self.factory} has cells: pass those of the codes as well.")
        chosen = np.zeros(len(checked), np.int32) if cells is None else cells
        chosen = check_cells(chosen, len(checked), self.factory)
        quantizer = self._quantizer if self.factory.cells else None
        book = (self.factory, self.dimension, self.arrays)
        return rebuild.make_index(*book, quantizer, chosen, checked)

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the codebook to a file, whole or not at all.

        Parameters
        ----------
        path : str or Path
            Usually ending in ``.safetensors``; its folder must exist.
        overwrite : bool, default False
            Replace another file. One that has this codebook already is left alone.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        CodebookError
            The name is another file's, or the file cannot be written.
        """
        from homing.codebooks.storage import save_codebook

        return save_codebook(self, path, overwrite=overwrite)

    @cached_property
    def _quantizer(self) -> Any:
        return rebuild.coarse_quantizer(self.factory, self.arrays["coarse"])

    @cached_property
    def _coarse_norms(self) -> npt.NDArray[np.float64]:
        return squared_norms(self.arrays["coarse"])

    @cached_property
    def _spacing(self) -> float:
        return spacing_of(self.arrays["coarse"])

    @cached_property
    def _part_norms(self) -> Norms:
        return part_norms(self.arrays)

    def _cells(self, inner: Floats) -> Cells:
        if not self.factory.cells:
            return np.zeros(len(inner), np.int32)
        return nearest(inner, self.arrays["coarse"], self._coarse_norms)

    def _codes(self, inner: Floats, cells: Cells) -> Codes:
        values = inner - self.arrays["coarse"][cells] if self.factory.is_residual else inner
        return encode(self.factory, self.arrays, self._part_norms, values)

    def _reconstruct(self, cells: Cells, codes: Codes) -> Floats:
        """Return the vectors after the rotation that cells and codes stand for, (n, d')."""
        length = self.factory.inner_dimension(self.dimension)
        decoded = decode(self.factory, self.arrays, codes, length)
        return decoded + self.arrays["coarse"][cells] if self.factory.is_residual else decoded


def _freeze(factory: Factory, dimension: int, arrays: Mapping[str, Floats]) -> Mapping[str, Floats]:
    shapes = factory.array_shapes(dimension)
    found = {name: np.shape(array) for name, array in arrays.items()}
    if found != shapes:
        raise CodebookError(
            f"{factory} for vectors of length {dimension} is made of arrays {shapes}; got {found}."
        )
    copies: dict[str, Floats] = {}
    for name in sorted(shapes):
        copies[name] = np.array(arrays[name], np.float32, order="C")
        if not np.abs(copies[name]).max(initial=0) <= LARGEST:
            raise CodebookError(f"The array {name!r} of {factory} holds NaN or infinite values.")
        copies[name].setflags(write=False)
    return MappingProxyType(copies)
