"""Between Faiss's trained indexes and the plain arrays that a codebook is saved as.

This module and `training` are the only ones that touch a codebook's Faiss objects.
"""

from collections.abc import Mapping
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from homing.codebooks.factory import Factory

_BITS = 8

Arrays = Mapping[str, npt.NDArray[np.float32]]


def arrays_of(index: Any, factory: Factory) -> dict[str, npt.NDArray[np.float32]]:
    """Arrays of a trained index, under the names and shapes of :meth:`Factory.array_shapes`.

    Parameters
    ----------
    index : faiss.Index
        Trained, made from `factory`.
    factory : Factory

    Returns
    -------
    dict of str to ndarray, float32
    """
    flat: dict[str, Any] = {}
    inner: Any = faiss.downcast_index(index)
    if factory.rotation or factory.components:
        transform: Any = faiss.downcast_VectorTransform(inner.chain.at(0))
        flat["rotation"] = faiss.vector_to_array(transform.A)
        flat["rotation_bias"] = faiss.vector_to_array(transform.b)
        inner = faiss.downcast_index(inner.index)
    if factory.cells:
        flat["coarse"] = inner.quantizer.reconstruct_n(0, inner.nlist)
    if factory.fine == "PQ":
        flat["pq"] = faiss.vector_to_array(inner.pq.centroids)
    if factory.fine == "SQ8":
        flat["scalar"] = faiss.vector_to_array(inner.sq.trained)
    shapes = factory.array_shapes(index.d)
    return {name: flat[name].astype(np.float32).reshape(shape) for name, shape in shapes.items()}


def empty_index(factory: Factory, dimension: int, arrays: Arrays) -> Any:
    """Make a trained index without entries, the same to the bit as the one the arrays came from.

    Parameters
    ----------
    factory : Factory
    dimension : int
        Length of the vectors.
    arrays : mapping of str to ndarray, float32
        Names and shapes as :meth:`Factory.array_shapes` says.

    Returns
    -------
    faiss.Index
        It shares nothing with `arrays`.
    """
    inner = factory.inner_dimension(dimension)
    coded = _ivf_index(factory, inner, arrays) if factory.cells else _flat_index(factory, inner)
    if factory.fine == "PQ":
        faiss.copy_array_to_vector(arrays["pq"].ravel(), coded.pq.centroids)
    if factory.fine == "SQ8":
        faiss.copy_array_to_vector(arrays["scalar"].ravel(), coded.sq.trained)
    coded.is_trained = True
    if factory.fine == "PQ" and factory.cells:
        coded.precompute_table()
    if not (factory.rotation or factory.components):
        return coded
    transform = faiss.LinearTransform(dimension, inner, "rotation_bias" in arrays)
    faiss.copy_array_to_vector(arrays["rotation"].ravel(), transform.A)
    if "rotation_bias" in arrays:
        faiss.copy_array_to_vector(arrays["rotation_bias"], transform.b)
    transform.set_is_orthonormal()
    transform.is_trained = True
    return faiss.IndexPreTransform(transform, coded)


def _flat_index(factory: Factory, inner: int) -> Any:
    if factory.fine == "LSH":
        return faiss.IndexLSH(inner, inner, False, False)  # no rotation, no thresholds
    return faiss.IndexPQ(inner, factory.sub_quantizers, _BITS)


def _ivf_index(factory: Factory, inner: int, arrays: Arrays) -> Any:
    quantizer = faiss.IndexFlatL2(inner)
    quantizer.add(np.ascontiguousarray(arrays["coarse"]))
    if factory.fine == "PQ":
        return faiss.IndexIVFPQ(quantizer, inner, factory.cells, factory.sub_quantizers, _BITS)
    if factory.fine == "SQ8":
        kind = faiss.ScalarQuantizer.QT_8bit
        return faiss.IndexIVFScalarQuantizer(quantizer, inner, factory.cells, kind)
    return faiss.IndexIVFFlat(quantizer, inner, factory.cells)


def fill_index(index: Any, cells: npt.NDArray[np.int32], codes: npt.NDArray[np.uint8]) -> None:
    """Put stored cells and codes into an empty index; nothing is encoded.

    Entry i gets the id i. Each inverted list is allocated once at its final size, in the order
    that adding the vectors one by one would have given.

    Parameters
    ----------
    index : faiss.Index
        From :func:`empty_index`, without entries.
    cells : ndarray, shape (n,), int32
        Cell numbers, checked by the caller; ignored where the index has no cells.
    codes : ndarray, shape (n, code_size), uint8
    """
    coded = faiss.downcast_index(index)
    if isinstance(coded, faiss.IndexPreTransform):
        coded = faiss.downcast_index(coded.index)
    if isinstance(coded, faiss.IndexIVF):
        _fill_lists(coded, cells, codes)
        coded.ntotal = len(codes)
    elif len(codes):
        coded.add_sa_codes(np.ascontiguousarray(codes))
    index.ntotal = len(codes)


def _fill_lists(coded: Any, cells: npt.NDArray[np.int32], codes: npt.NDArray[np.uint8]) -> None:
    order = np.argsort(cells, kind="stable").astype(np.int64, copy=False)
    counts = np.bincount(cells, minlength=coded.nlist)
    ends = np.cumsum(counts)
    for cell in np.flatnonzero(counts):
        ids = np.ascontiguousarray(order[ends[cell] - counts[cell] : ends[cell]])
        held = np.ascontiguousarray(codes[ids])  # one list at a time: no second copy of all codes
        coded.invlists.add_entries(int(cell), len(ids), faiss.swig_ptr(ids), faiss.swig_ptr(held))


def scalar_quantizer(trained: npt.NDArray[np.float32]) -> Any:
    """Faiss's scalar quantizer of one byte a component.

    Parameters
    ----------
    trained : ndarray, shape (2, d), float32
        Least value and range of each component.

    Returns
    -------
    faiss.ScalarQuantizer
    """
    quantizer = faiss.ScalarQuantizer(trained.shape[1], faiss.ScalarQuantizer.QT_8bit)
    faiss.copy_array_to_vector(trained.ravel(), quantizer.trained)
    return quantizer
