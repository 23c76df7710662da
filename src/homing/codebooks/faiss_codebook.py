"""Codebooks of Faiss indexes whose codes homing does not know: cells alone, or a target alone."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import faiss
import numpy as np
import numpy.typing as npt

from homing.codebooks.any_codebook import AnyCodebook, Cells, Floats, sign_target
from homing.codebooks.checks import check_count, check_vectors
from homing.codebooks.codebook import Codebook
from homing.codebooks.exact import nearest, nearest_several, squared_norms
from homing.codebooks.partition import Linear, Normalised, Partition, Step
from homing.errors import CodebookError

_PROBES = 64  # vectors on which the steps are compared with Faiss's own
_TOLERANCE = 1e-3  # of the largest component


@dataclass(frozen=True, eq=False)
class FaissCodebook(AnyCodebook):
    """The cells of a Faiss index, all that activation needs; homing holds no code of it.

    Made by :func:`codebook_from_faiss` and :func:`load_codebook`. It serves :func:`activate`; an
    archive needs a :class:`Codebook`. All methods may be called from several threads at once, and
    the result for a vector does not depend on the other vectors of a call.

    Parameters
    ----------
    name : str
        Kind of index, close to Faiss's notation, for messages.
    dimension : int
        Length of the vectors, d.
    data : bytes
        The transforms and the coarse quantizer, as Faiss serializes them; of an index without
        cells the index itself, without its entries.
    descriptor, descriptor_name : str, optional
        Fingerprint and name of the descriptor whose vectors the index holds.
    reason : str
        Why homing does not know the codes.

    Raises
    ------
    CodebookError
        The data cannot be read, or hold a transform, metric or index that cannot be used.
    """

    name: str
    dimension: int
    data: bytes = field(repr=False)
    descriptor: str | None = None
    descriptor_name: str | None = None
    reason: str = ""

    def __post_init__(self) -> None:
        try:
            self._check_steps()
        except (RuntimeError, AssertionError, ValueError, MemoryError) as error:
            raise CodebookError(f"{self.form} cannot be used: {error}.") from error

    def __reduce__(self) -> tuple[Any, ...]:
        state = (self.name, self.dimension, self.data)
        return FaissCodebook, (*state, self.descriptor, self.descriptor_name, self.reason)

    @property
    def form(self) -> str:
        """Kind of index, close to Faiss's notation."""
        return self.name

    @property
    def cell_count(self) -> int:
        """Number of coarse cells; 1 without coarse cells."""
        return max(1, int(self._index.ntotal))

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256, 64 hexadecimal digits, of all that decides cells, and of the descriptor's."""
        about = {"kind": "faiss", "dimension": self.dimension, "descriptor": self.descriptor}
        digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
        digest.update(self.data)
        return digest.hexdigest()

    @property
    def aims_at_code(self) -> bool:
        """Whether :meth:`target` is the reconstruction of a code: without cells or signs."""
        return self.partition.centroids is None and not self.partition.signs

    @cached_property
    def partition(self) -> Partition:
        """Steps in front of the quantizer, and the cells or signs that vectors fall in."""
        chain, inner = unwrapped(self._index)
        steps = tuple(step for each in chain for step in _steps_of(each))
        if isinstance(inner, faiss.IndexLSH):
            return Partition((*steps, *_steps_of_signs(inner)), signs=True)
        if not inner.ntotal:
            return Partition(steps)
        by_product = inner.metric_type == faiss.METRIC_INNER_PRODUCT
        metric: Literal["IP", "L2"] = "IP" if by_product else "L2"
        centroids = np.asarray(inner.reconstruct_n(0, inner.ntotal), np.float32)
        return Partition(steps, centroids, metric)

    def cells(self, vectors: npt.ArrayLike) -> Cells:
        """Cell of each vector, as Faiss assigns it.

        Parameters
        ----------
        vectors : array_like, shape (n, dimension)

        Returns
        -------
        ndarray, shape (n,), int32
            Number of the inverted list, the lowest of equals; zeros without coarse cells.
        """
        checked = check_vectors(vectors, self.dimension, self.form)
        if self.partition.centroids is None:
            return np.zeros(len(checked), np.int32)
        if self._is_exact:
            return nearest(self.partition.apply(checked), self.partition.centroids, self._norms)
        return self._searched(checked, 1)[:, 0]

    def nearest_cells(self, vectors: npt.ArrayLike, count: int) -> Cells:
        """Cells in the order in which Faiss probes them, (n, count) int32; at most all."""
        checked = check_vectors(vectors, self.dimension, self.form)
        count = check_count(count, self.cell_count)
        if self.partition.centroids is None:
            return np.zeros((len(checked), 1), np.int32)
        if self._is_exact:
            inner = self.partition.apply(checked)
            return nearest_several(inner, self.partition.centroids, self._norms, count)
        return self._searched(checked, count)

    def target(self, vectors: npt.ArrayLike, cells: npt.ArrayLike | None = None) -> Floats:
        """Target that activation pulls each vector to, (n, dimension) float32.

        The centroid of its cell, or of the cell given; without cells the reconstruction of its
        code, or of LSH the signs mapped back.
        """
        checked = check_vectors(vectors, self.dimension, self.form)
        if self.partition.signs:
            return sign_target(self.partition, self.partition.apply(checked))
        if self.partition.centroids is not None:
            own = self.cells(checked) if cells is None else np.asarray(cells)
            return self.partition.undo(self.partition.centroids[own])
        inner = self.partition.apply(checked)
        _, index = unwrapped(self._index)
        decoded = [index.sa_decode(index.sa_encode(row)) for row in _rows(inner)]
        return self.partition.undo(np.concatenate(decoded) if decoded else inner)

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the codebook to a file, whole or not at all; as :meth:`Codebook.save`."""
        from homing.codebooks.storage import save_codebook

        return save_codebook(self, path, overwrite=overwrite)

    @cached_property
    def _index(self) -> Any:
        return faiss.deserialize_index(np.frombuffer(self.data, np.uint8))

    @cached_property
    def _is_exact(self) -> bool:
        """Whether Faiss looks at all centroids, with their plain values."""
        _, inner = unwrapped(self._index)
        return type(inner) in (faiss.IndexFlat, faiss.IndexFlatL2, faiss.IndexFlatIP)

    @cached_property
    def _norms(self) -> npt.NDArray[np.float64] | None:
        assert self.partition.centroids is not None
        return squared_norms(self.partition.centroids) if self.partition.metric == "L2" else None

    def _searched(self, vectors: Floats, count: int) -> Cells:
        """Cells by Faiss's own search: a graph's answer is not always the nearest cell."""
        found = [self._index.search(row, count)[1] for row in _rows(vectors)]
        joined = np.concatenate(found) if found else np.zeros((0, count))
        return joined.astype(np.int32)

    def _check_steps(self) -> None:
        """Refuse transforms that the steps do not equal."""
        drawn = np.random.default_rng(0).standard_normal((_PROBES, self.dimension))
        probes = Normalised().apply(drawn.astype(np.float32))
        chain, inner = unwrapped(self._index)
        theirs = probes
        for each in chain:
            theirs = each.apply(theirs)
        if isinstance(inner, faiss.IndexLSH):
            signs = np.where(self.partition.apply(probes) >= 0, 1, -1)
            same = bool(np.mean(_signs_of(inner, theirs) == signs) > 1 - _TOLERANCE)
        else:
            ours = self.partition.apply(probes)
            most = _TOLERANCE * np.abs(theirs).max()
            same = ours.shape == theirs.shape and bool(np.abs(ours - theirs).max() <= most)
        if not same:
            names = ", ".join(type(each).__name__ for each in chain)
            raise CodebookError(f"The transforms in front of {self.form} are not known: {names}.")


def with_codes(codebook: AnyCodebook) -> Codebook:
    """Return a codebook that has codes; CodebookError for the cells of an index alone."""
    if isinstance(codebook, Codebook):
        return codebook
    reason = codebook.reason if isinstance(codebook, FaissCodebook) else "no codebook of homing"
    raise CodebookError(
        f"Codes are needed, and of {codebook.title} homing knows the cells alone "
        f"({reason}): it serves 'homing activate' and --also."
    )


def unwrapped(index: Any) -> tuple[list[Any], Any]:
    """Return the transforms in front of an index, in their order, and the index behind them.

    Maps of ids and refinements, which change no cell, are taken off.
    """
    chain: list[Any] = []
    inner = faiss.downcast_index(index)
    while True:
        if isinstance(inner, faiss.IndexPreTransform):
            parts: Any = inner.chain
            numbers = range(parts.size())
            chain += (faiss.downcast_VectorTransform(parts.at(number)) for number in numbers)
            inner = faiss.downcast_index(inner.index)
        elif isinstance(inner, faiss.IndexIDMap):
            inner = faiss.downcast_index(inner.index)
        elif isinstance(inner, faiss.IndexRefine):
            inner = faiss.downcast_index(inner.base_index)
        else:
            return chain, inner


def _rows(vectors: Floats) -> Iterator[Floats]:
    """Yield vectors one at a time: in a batch, the last bits depend on the others."""
    yield from (vectors[number : number + 1] for number in range(len(vectors)))


def _steps_of(transform: Any) -> tuple[Step, ...]:
    """Return a Faiss transform as steps."""
    if isinstance(transform, faiss.NormalizationTransform):
        return (Normalised(),)
    if isinstance(transform, faiss.ITQTransform):
        mean = faiss.vector_to_array(transform.mean)
        centred = Linear(np.eye(len(mean), dtype=np.float32), -mean)
        return (centred, Normalised(), *_steps_of(transform.pca_then_itq))
    if isinstance(transform, faiss.LinearTransform):
        matrix = faiss.vector_to_array(transform.A).reshape(transform.d_out, transform.d_in)
        bias = faiss.vector_to_array(transform.b) if transform.have_bias else None
        return (Linear(matrix, bias),)
    zero = transform.apply(np.zeros((1, transform.d_in), np.float32))[0]
    columns = transform.apply(np.eye(transform.d_in, dtype=np.float32)) - zero
    return (Linear(np.ascontiguousarray(columns.T), zero if zero.any() else None),)


def _steps_of_signs(index: Any) -> tuple[Step, ...]:
    """Return what an IndexLSH does before it takes signs: a rotation, and thresholds."""
    steps: tuple[Step, ...] = _steps_of(index.rrot) if index.rotate_data else ()
    thresholds = faiss.vector_to_array(index.thresholds) if index.train_thresholds else None
    if steps and thresholds is None:
        return steps
    if not steps and thresholds is None and index.nbits == index.d:
        return ()
    matrix = np.eye(index.nbits, index.d if not steps else index.nbits, dtype=np.float32)
    return (*steps, Linear(matrix, None if thresholds is None else -thresholds))


def _signs_of(index: Any, vectors: Floats) -> npt.NDArray[np.int64]:
    codes = index.sa_encode(np.ascontiguousarray(vectors))
    bits = np.unpackbits(codes, axis=1, count=index.nbits, bitorder="little")
    return np.where(bits, 1, -1)
