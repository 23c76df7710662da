"""Conversion between Faiss's trained indexes and the plain arrays that a codebook is saved as.

Only this module, `codes`, `training` and `faiss_index` touch a codebook's Faiss objects.
"""

from collections.abc import Mapping
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from homing.codebooks.factory import Factory

_LARGEST_TABLE = 256 << 20  # bytes of sums of centroids and code words: quicker searches
_EFFORT = 128  # centroids that a walk over the graph keeps in view: four of four nearest are found

Arrays = Mapping[str, npt.NDArray[np.float32]]


def arrays_of(index: Any, factory: Factory) -> dict[str, npt.NDArray[np.float32]]:
    """Return the arrays of a trained index, by the names of :meth:`Factory.array_shapes`."""
    inner: Any = faiss.downcast_index(index)
    arrays: dict[str, Any] = {}
    if factory.has_rotation:
        transform: Any = faiss.downcast_VectorTransform(inner.chain.at(0))
        matrix = faiss.vector_to_array(transform.A)
        arrays["rotation"] = matrix.reshape(transform.d_out, transform.d_in)
        if factory.components:
            arrays["rotation_bias"] = faiss.vector_to_array(transform.b)
        inner = faiss.downcast_index(inner.index)
    return arrays | coded_arrays(inner, factory)


def coded_arrays(index: Any, factory: Factory) -> dict[str, npt.NDArray[np.float32]]:
    """Return the arrays of a trained index behind its rotation or reduction."""
    flat: dict[str, Any] = {}
    if factory.cells:
        flat["coarse"] = index.quantizer.reconstruct_n(0, index.nlist)
    if factory.fine == "PQ":
        flat["pq"] = faiss.vector_to_array(index.pq.centroids)
    if factory.fine == "SQ8":
        flat["scalar"] = faiss.vector_to_array(index.sq.trained)
    shapes = factory.array_shapes(factory.components or index.d)
    return {name: flat[name].astype(np.float32).reshape(shapes[name]) for name in flat}


def coarse_quantizer(factory: Factory, centroids: npt.NDArray[np.float32]) -> Any:
    """Make what finds the cells that a search visits: all centroids compared, or a graph of them.

    The graph is the same each time, and so are the answers: more threads would link it as they
    happen to run.
    """
    dimension = centroids.shape[1]
    if not factory.links:
        flat = faiss.IndexFlatL2(dimension)
        flat.add(centroids)
        return flat
    graph = faiss.IndexHNSWFlat(dimension, factory.links)
    graph.hnsw.efSearch = _EFFORT
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)  # of the calling thread alone
    try:
        graph.add(centroids)
    finally:
        faiss.omp_set_num_threads(threads)
    return graph


def make_index(
    factory: Factory,
    dimension: int,
    arrays: Arrays,
    quantizer: Any,
    cells: npt.NDArray[np.int32],
    codes: npt.NDArray[np.uint8],
) -> Any:
    """Make a trained index, equal to the bit to the one the arrays came from, of cells and codes.

    It takes vectors of length `dimension` and shares nothing with `arrays`, but the
    :func:`coarse_quantizer` with all that are given the same one; None without cells. Entry i gets
    the id i; nothing is encoded. The caller has checked the cells, which are ignored without
    coarse cells.
    """
    inner = factory.inner_dimension(dimension)
    coded = _ivf_index(factory, inner, quantizer) if factory.cells else _flat_index(factory, inner)
    if factory.fine == "PQ":
        faiss.copy_array_to_vector(arrays["pq"].ravel(), coded.pq.centroids)
    if factory.fine == "SQ8":
        faiss.copy_array_to_vector(arrays["scalar"].ravel(), coded.sq.trained)
    coded.is_trained = True
    _fill(coded, cells, codes)
    if factory.scan:
        coded = _fast_scan(coded, quantizer)
    if factory.is_residual and factory.fine == "PQ" and _table_bytes(factory) <= _LARGEST_TABLE:
        coded.precompute_table()
    if not factory.has_rotation:
        return coded
    transform = faiss.LinearTransform(dimension, inner, "rotation_bias" in arrays)
    faiss.copy_array_to_vector(arrays["rotation"].ravel(), transform.A)
    if "rotation_bias" in arrays:
        faiss.copy_array_to_vector(arrays["rotation_bias"], transform.b)
    transform.set_is_orthonormal()
    transform.is_trained = True
    return faiss.IndexPreTransform(transform, coded)


def _table_bytes(factory: Factory) -> int:
    """Return the bytes of the sums of centroids and code words."""
    return 4 * factory.cells * factory.sub_quantizers << factory.bits


def _flat_index(factory: Factory, inner: int) -> Any:
    if factory.fine == "LSH":
        return faiss.IndexLSH(inner, inner, False, False)  # no rotation, no thresholds
    return faiss.IndexPQ(inner, factory.sub_quantizers, factory.bits)


def _ivf_index(factory: Factory, inner: int, quantizer: Any) -> Any:
    cells = factory.cells
    if factory.fine == "PQ":
        made = faiss.IndexIVFPQ(quantizer, inner, cells, factory.sub_quantizers, factory.bits)
        made.by_residual = factory.is_residual
        return made
    if factory.fine == "SQ8":
        kind = faiss.ScalarQuantizer.QT_8bit
        return faiss.IndexIVFScalarQuantizer(quantizer, inner, cells, kind)
    if factory.fine == "RaBitQ":
        return faiss.IndexIVFRaBitQ(quantizer, inner, cells)
    return faiss.IndexIVFFlat(quantizer, inner, cells)


def _fast_scan(coded: Any, quantizer: Any) -> Any:
    """Return an index of 4-bit codes with these packed in blocks, as Faiss scans them."""
    if not isinstance(coded, faiss.IndexIVF):
        return faiss.IndexPQFastScan(coded)
    packed: Any = faiss.IndexIVFPQFastScan(coded)
    packed.referenced_objects = [quantizer]  # Faiss stores a bare pointer
    return packed


def _fill(coded: Any, cells: npt.NDArray[np.int32], codes: npt.NDArray[np.uint8]) -> None:
    """Fill an index; each list is allocated once, in the order that adding one by one gives."""
    if isinstance(coded, faiss.IndexIVF):
        _fill_lists(coded, cells, codes)
        coded.ntotal = len(codes)
    elif len(codes):
        coded.add_sa_codes(np.ascontiguousarray(codes))


def _fill_lists(coded: Any, cells: npt.NDArray[np.int32], codes: npt.NDArray[np.uint8]) -> None:
    order = np.argsort(cells, kind="stable").astype(np.int64, copy=False)
    counts = np.bincount(cells, minlength=coded.nlist)
    ends = np.cumsum(counts)
    for cell in np.flatnonzero(counts):
        ids = np.ascontiguousarray(order[ends[cell] - counts[cell] : ends[cell]])
        held = np.ascontiguousarray(codes[ids])  # one list at a time: no second copy of all codes
        coded.invlists.add_entries(int(cell), len(ids), faiss.swig_ptr(ids), faiss.swig_ptr(held))
