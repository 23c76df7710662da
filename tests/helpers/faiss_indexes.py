"""Faiss indexes of many forms, trained quickly."""

import faiss
import numpy as np

from tests.helpers.vectors import clustered_unit_vectors

DIMENSION = 32
L2, IP = faiss.METRIC_L2, faiss.METRIC_INNER_PRODUCT

#: With cells: codes, coarse quantizers, transforms and wrappers of all kinds.
WITH_CELLS = (
    "IVF16,Flat",
    "IVF16,PQ4x4",
    "IVF16,PQ4x4fs",
    "IVF16,PQ4x4fsr",
    "IVF16,SQ4",
    "IVF16,SQfp16",
    "IVF16,RaBitQ",
    "IVF16,RaBitQfs",
    "IVF16,RQ2x4",
    "IVF16,LSQ2x3",
    "IVF16,PRQ2x2x4",
    "IVF16_HNSW8,SQ8",
    "IVF128_NSG16,SQ8",
    "IVF64(RQ2x3),SQ8",
    "IVF16(PQ4x4),SQ8",
    "IMI2x2,SQ8",
    "PCA16,IVF16,Flat",
    "PCAR16,IVF16,SQ8",
    "PCAW16,IVF16,SQ8",
    "RR16,IVF16,SQ8",
    "HR,IVF16,RaBitQ",
    "L2norm,IVF16,Flat",
    "Pad40,IVF16,Flat",
    "RR32,L2norm,PCA16,IVF16,SQ8",
    "IVF16,SQ8,RFlat",
    "IDMap,IVF16,SQ8",
    "IDMap2,IVF16,SQ8",
)
#: Without: all of which have a code.
WITH_CODES = (
    "PQ4x4",
    "RaBitQ",
    "RaBitQfs",
    "SQ8",
    "SQ4",
    "RQ2x4",
    "PRQ2x2x4",
    "PCA16,PQ4x4",
    "IDMap2,PQ4x4",
)
#: Whose codes homing knows, and the form it calls them.
KNOWN = {
    "IVF16,Flat": "IVF16,Flat",
    "IVF16,PQ4x8": "IVF16,PQ4x8",
    "IVF16,SQ8": "IVF16,SQ8",
    "OPQ4,IVF16,PQ4x8": "OPQ4,IVF16,PQ4x8",
    "RR32,IVF16,PQ4x8": "OPQ4,IVF16,PQ4x8",
    "IVF16,PQ4x4fs": "IVF16,PQ4x4fs",
    "IVF16,PQ4x4fsr": "IVF16,PQ4x4fsr",
    "OPQ4,IVF16,PQ4x4fsr": "OPQ4,IVF16,PQ4x4fsr",
    "PQ4x4fs": "PQ4x4fs",
    "IVF16,RaBitQ": "IVF16,RaBitQ",
    "PQ4x8": "PQ4x8",
    "IDMap,IVF16,SQ8": "IVF16,SQ8",
    "LSH": "LSH",
    "LSHt": "PCA32,LSH",
    "LSHr": "PCA32,LSH",
    "LSHrt": "PCA32,LSH",
    "LSH16": "PCA16,LSH",
    "PCA16,LSH": "PCA16,LSH",
    "RR32,PCA16,LSH": "PCA16,LSH",
}


def trained_index(form: str, metric: int = L2, vectors: np.ndarray | None = None) -> faiss.Index:
    """Train an index on clustered vectors, without the slow parts of training."""
    taken = clustered_unit_vectors(1000, 1) if vectors is None else vectors
    index = faiss.index_factory(taken.shape[1], form, metric)
    inner = behind(index)
    if hasattr(inner, "do_polysemous_training"):
        inner.do_polysemous_training = False
    if hasattr(inner, "pq"):
        inner.pq.cp.niter = 2
    if isinstance(index, faiss.IndexPreTransform):
        first = faiss.downcast_VectorTransform(index.chain.at(0))
        if isinstance(first, faiss.OPQMatrix):
            first.niter, first.max_train_points = 2, 512
    index.train(taken)
    return index


def behind(index: faiss.Index) -> faiss.Index:
    """Return the index behind its transforms and wrappers."""
    inner = faiss.downcast_index(index)
    while True:
        if isinstance(inner, faiss.IndexPreTransform | faiss.IndexIDMap):
            inner = faiss.downcast_index(inner.index)
        elif isinstance(inner, faiss.IndexRefine):
            inner = faiss.downcast_index(inner.base_index)
        else:
            return inner


def cells_by_faiss(index: faiss.Index, vectors: np.ndarray) -> np.ndarray:
    """Return the inverted list that each vector is added to."""
    filled = faiss.deserialize_index(faiss.serialize_index(index))
    if isinstance(faiss.downcast_index(filled), faiss.IndexIDMap):
        filled.add_with_ids(vectors, np.arange(len(vectors)))
    else:
        filled.add(vectors)
    lists = faiss.downcast_index(behind(filled)).invlists
    cells = np.full(len(vectors), -1)
    for cell in range(lists.nlist):
        size = lists.list_size(cell)
        ids = faiss.rev_swig_ptr(lists.get_ids(cell), size) if size else []
        cells[ids] = cell
    return cells
