"""The codebook: a frozen quantizer, as a value."""

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
from homing.codebooks.checks import check_cells, check_codes, check_vectors
from homing.codebooks.exact import LARGEST, linear, nearest, squared_norms
from homing.codebooks.factory import Factory
from homing.errors import CodebookError

METRIC = "L2"

Floats = npt.NDArray[np.float32]
Cells = npt.NDArray[np.int32]
Codes = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Codebook:
    """A frozen quantizer: which cell a vector falls in and which bytes stand for it there.

    Two codebooks are equal when their fingerprints are. Every method may be called from several
    threads at once, and what it says of one vector does not depend on which others are passed with
    it. The metric is squared L2 throughout.

    Parameters
    ----------
    factory : Factory
        What kind of quantizer this is.
    dimension : int
        Length of the vectors.
    arrays : mapping of str to ndarray, float32
        ``"coarse"`` (cells, d'), ``"pq"`` (m, 256, d'/m), ``"rotation"`` (d', d),
        ``"rotation_bias"`` (d',), ``"scalar"`` (2, d'), those that the factory needs and no
        others, d' being the length behind a reduction. Held as read-only copies.
    descriptor : str, optional
        Fingerprint of the descriptor it was trained for.
    descriptor_name : str, optional
        Name of that descriptor, for messages; not part of the fingerprint.

    Raises
    ------
    CodebookError
        The arrays are not those of the factory, or hold values that are not finite.
    """

    factory: Factory
    dimension: int
    arrays: Mapping[str, Floats] = field(repr=False)
    descriptor: str | None = None
    descriptor_name: str | None = None

    def __post_init__(self) -> None:
        self.factory.check_dimension(self.dimension)
        object.__setattr__(self, "arrays", _frozen(self.factory, self.dimension, self.arrays))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Codebook) and self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __reduce__(self) -> tuple[Any, ...]:
        state = (self.factory, self.dimension, dict(self.arrays))
        return Codebook, (*state, self.descriptor, self.descriptor_name)

    @property
    def cell_count(self) -> int:
        """Number of coarse cells; 1 if the codebook has none."""
        return self.factory.cells or 1

    @property
    def code_size(self) -> int:
        """Bytes of one code, the cell's number not included."""
        return self.factory.code_size(self.dimension)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (64 hexadecimal digits) of all that decides cells and codes.

        It covers the factory string, dimension, metric, descriptor's fingerprint and each array's
        name, type, shape and bytes.
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

    @property
    def title(self) -> str:
        """Its factory and the beginning of its fingerprint, for messages."""
        return f"{self.factory} ({self.fingerprint[:12]}…)"

    def check_descriptor(self, name: str, fingerprint: str, dimension: int) -> None:
        """Refuse a descriptor that this codebook is not for.

        Parameters
        ----------
        name, fingerprint : str
            Of the descriptor.
        dimension : int
            Of its vectors.

        Raises
        ------
        CodebookError
            It has other vectors, or is not the one that the codebook was trained for.
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

    def inner(self, vectors: npt.ArrayLike) -> Floats:
        """Vectors as they are quantized: behind the rotation or reduction, if there is one.

        Parameters
        ----------
        vectors : array_like, shape (n, dimension)

        Returns
        -------
        ndarray, shape (n, d'), float32

        Raises
        ------
        CodebookError
            Wrong shape, or values that are not finite.
        """
        checked = check_vectors(vectors, self.dimension, str(self.factory))
        if "rotation" not in self.arrays:
            return checked
        return linear(checked, self.arrays["rotation"], self.arrays.get("rotation_bias"))

    def cells(self, vectors: npt.ArrayLike) -> Cells:
        """Cell of each vector.

        Parameters
        ----------
        vectors : array_like, shape (n, dimension)
            Finite; taken as float32.

        Returns
        -------
        ndarray, shape (n,), int32
            The nearest centroid's number, the lowest of equals; zeros without coarse cells.

        Raises
        ------
        CodebookError
            Wrong shape, or values that are not finite.
        """
        return self._cells(self.inner(vectors))

    def encode(self, vectors: npt.ArrayLike, cells: npt.ArrayLike | None = None) -> Codes:
        """Code of each vector.

        Parameters
        ----------
        vectors : array_like, shape (n, dimension)
        cells : array_like of int, shape (n,), optional
            Cells relative to which to encode; by default those of :meth:`cells`.

        Returns
        -------
        ndarray, shape (n, code_size), uint8

        Raises
        ------
        CodebookError
            Wrong shapes, values that are not finite, or cells that do not exist.
        """
        inner = self.inner(vectors)
        chosen = (
            self._cells(inner) if cells is None else check_cells(cells, len(inner), self.factory)
        )
        return self._codes(inner, chosen)

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
            In the space of the vectors: a rotation in front is undone. For LSH the signs ±1
            brought back, whose length means nothing.

        Raises
        ------
        CodebookError
            Wrong shapes, or cells that do not exist.
        """
        held = check_codes(codes, self.code_size, self.factory)
        chosen = check_cells(cells, len(held), self.factory)
        return self._outward(self._reconstruct(chosen, held))

    def target(self, vectors: npt.ArrayLike) -> Floats:
        """Where activation pulls each vector, so that it stays what the codebook made of it.

        With a product quantizer it is the reconstruction q(x) of the paper (Fernandez, Douze,
        Jégou, Furon, "Active Image Indexing", 2023, eq. 5): centroid plus decoded residual. With
        ``Flat`` or ``SQ8`` codes, which stand for nearly the vector itself and so pull nowhere, it
        is the centroid of the cell. With LSH it is the signs brought back through the transposed
        projection, at unit length: moving towards it raises every |projection|, away from the
        borders where a bit flips.

        Parameters
        ----------
        vectors : array_like, shape (n, dimension)

        Returns
        -------
        ndarray, shape (n, dimension), float32
            In the space of the vectors; writable, shared with nothing.
        """
        inner = self.inner(vectors)
        if self.factory.fine == "LSH":
            signs = np.where(inner >= 0, np.float32(1), np.float32(-1))
            if self.factory.components:
                # Without the mean, which is no part of the direction in which projections grow.
                signs = linear(signs, np.ascontiguousarray(self.arrays["rotation"].T))
            lengths = np.linalg.norm(signs.astype(np.float64), axis=1, keepdims=True)
            return np.asarray(signs / lengths, np.float32)
        cells = self._cells(inner)
        if self.factory.fine == "PQ":
            return self._outward(self._reconstruct(cells, self._codes(inner, cells)))
        return self._outward(self.arrays["coarse"][cells])

    def index(self, cells: npt.ArrayLike | None = None, codes: npt.ArrayLike | None = None) -> Any:
        """Make a Faiss index with this codebook, empty or filled from stored cells and codes.

        Parameters
        ----------
        cells : array_like of int, shape (n,), optional
            Without coarse cells, zeros (or nothing).
        codes : array_like, shape (n, code_size), uint8, optional
            Entry i gets the id i. Nothing is encoded again.

        Returns
        -------
        faiss.Index
            A new one at each call; the caller may add to it.

        Raises
        ------
        CodebookError
            Wrong shapes, or cells that do not exist.
        """
        index = rebuild.empty_index(self.factory, self.dimension, self.arrays)
        if codes is None:
            if cells is not None:
                raise CodebookError("Cells were given without codes: pass both, or neither.")
            return index
        held = check_codes(codes, self.code_size, self.factory)
        if cells is None and self.factory.cells:
            raise CodebookError(f"{self.factory} has cells: pass those of the codes as well.")
        given = np.zeros(len(held), np.int32) if cells is None else cells
        rebuild.fill_index(index, check_cells(given, len(held), self.factory), held)
        return index

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the codebook to a file; see :func:`homing.codebooks.save_codebook`."""
        from homing.codebooks.storage import save_codebook

        return save_codebook(self, path, overwrite=overwrite)

    @cached_property
    def _coarse_norms(self) -> npt.NDArray[np.float64]:
        return squared_norms(self.arrays["coarse"])

    @cached_property
    def _part_norms(self) -> tuple[npt.NDArray[np.float64], ...]:
        return tuple(squared_norms(part) for part in self.arrays["pq"])

    def _outward(self, inner: Floats) -> Floats:
        if "rotation" not in self.arrays:
            return inner
        centred = inner - self.arrays.get("rotation_bias", np.float32(0))
        return linear(centred, np.ascontiguousarray(self.arrays["rotation"].T))

    def _cells(self, inner: Floats) -> Cells:
        if not self.factory.cells:
            return np.zeros(len(inner), np.int32)
        return nearest(inner, self.arrays["coarse"], self._coarse_norms)

    def _codes(self, inner: Floats, cells: Cells) -> Codes:
        if self.factory.fine == "Flat":
            return inner.view(np.uint8).reshape(len(inner), self.code_size).copy()
        if self.factory.fine == "LSH":
            return np.packbits(inner >= 0, axis=1, bitorder="little")
        residual = inner - self.arrays["coarse"][cells] if self.factory.cells else inner
        if self.factory.fine == "SQ8":
            quantizer = rebuild.scalar_quantizer(self.arrays["scalar"])
            codes: Codes = quantizer.compute_codes(np.ascontiguousarray(residual))
            return codes
        parts = self.arrays["pq"]
        width = parts.shape[2]
        columns = [
            nearest(np.ascontiguousarray(residual[:, i * width : (i + 1) * width]), part, norms)
            for i, (part, norms) in enumerate(zip(parts, self._part_norms, strict=True))
        ]
        return np.stack(columns, axis=1).astype(np.uint8)

    def _reconstruct(self, cells: Cells, codes: Codes) -> Floats:
        """Vectors behind the rotation that cells and codes stand for, (n, d')."""
        if self.factory.fine == "Flat":
            return codes.view(np.float32).copy()
        if self.factory.fine == "LSH":
            count = self.factory.inner_dimension(self.dimension)
            bits = np.unpackbits(codes, axis=1, count=count, bitorder="little")
            return np.where(bits, np.float32(1), np.float32(-1))
        if self.factory.fine == "SQ8":
            residual: Floats = rebuild.scalar_quantizer(self.arrays["scalar"]).decode(codes)
        else:
            parts = self.arrays["pq"]
            width = len(parts) * parts.shape[2]
            residual = parts[np.arange(len(parts)), codes].reshape(len(codes), width)
        return residual + self.arrays["coarse"][cells] if self.factory.cells else residual


def _frozen(factory: Factory, dimension: int, arrays: Mapping[str, Floats]) -> Mapping[str, Floats]:
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
