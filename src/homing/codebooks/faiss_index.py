"""Faiss indexes as codebooks: with their codes where homing knows them, otherwise their cells."""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import faiss
import numpy as np

from homing.codebooks import rebuild
from homing.codebooks.any_codebook import AnyCodebook
from homing.codebooks.codebook import Codebook
from homing.codebooks.factory import Factory, parse_factory
from homing.codebooks.faiss_codebook import FaissCodebook, unwrapped
from homing.codebooks.partition import Linear, Normalised, Partition, joined
from homing.errors import CodebookError

_MAGIC = b"I"  # all of Faiss's indexes begin with it
_BINARY = b"IB"
_LONGEST, _SHORTEST = 1.01, 0.05  # of the centroids of unit vectors
_CODECS = (faiss.IndexFlatCodes, faiss.IndexFastScan)
_EXACT = (faiss.IndexFlat, faiss.IndexHNSW, faiss.IndexNSG, faiss.IndexNNDescent)
_METRICS = (faiss.METRIC_L2, faiss.METRIC_INNER_PRODUCT)

#: Bits of each part of the codes that homing knows, by class.
_PRODUCTS = {"IndexIVFPQ": 8, "IndexPQ": 8, "IndexIVFPQFastScan": 4, "IndexPQFastScan": 4}

#: Names of coarse quantizers in Faiss's notation, by class; other classes by their own name.
_COARSE = {"IndexFlat": "", "IndexFlatL2": "", "IndexFlatIP": "", "IndexHNSWFlat": "_HNSW"}


def codebook_from_faiss(
    index: Any, *, descriptor: str | None = None, descriptor_name: str | None = None
) -> Codebook | FaissCodebook:
    """Make a codebook of a trained Faiss index, so that pictures are activated for that index.

    Parameters
    ----------
    index : faiss.Index
        With inverted lists (IVF), whatever its codes and coarse quantizer; or codes alone (PQ, SQ,
        RaBitQ, additive, LSH). With L2 or inner product, and transforms in front. It is not
        changed, and its entries are not read.
    descriptor, descriptor_name : str, optional
        Fingerprint and name of the descriptor whose vectors it holds, saved with the codebook.

    Returns
    -------
    Codebook or FaissCodebook
        A `Codebook`, with all that an archive needs, if the index has one of the forms that homing
        trains. Otherwise a `FaissCodebook`, for activation: its `reason` says why.

    Raises
    ------
    CodebookError
        The index is untrained, or has neither cells nor codes.

    Warns
    -----
    UserWarning
        The index was trained on vectors that are not of unit length, as a descriptor's are.

    Examples
    --------
    >>> index = faiss.read_index("photos.faiss")
    >>> codebook = homing.codebook_from_faiss(index, descriptor=descriptor.fingerprint)
    >>> released = homing.activate(images, descriptor, codebook)
    """
    made = _convert(index, descriptor, descriptor_name)
    for note in notes_on(made):
        warnings.warn(note, stacklevel=2)
    return made


def is_faiss_file(path: Path) -> bool:
    """Return whether a file begins as Faiss's do, and not as a codebook of homing."""
    with path.open("rb") as file:
        start = file.read(9)
    return start.startswith(_MAGIC) and not start.endswith(b"{")


def read_faiss_codebook(path: Path) -> Codebook | FaissCodebook:
    """Make a codebook of an index file; its inverted lists, which may be elsewhere, are not read.

    `CodebookError` if the file is damaged, or holds no index that can be used.
    """
    with path.open("rb") as file:
        if file.read(2) == _BINARY:
            raise CodebookError(
                f"{path} is an index of binary vectors: a descriptor's vectors are of numbers."
            )
    flags = faiss.IO_FLAG_MMAP | faiss.IO_FLAG_SKIP_PRECOMPUTE_TABLE
    try:
        index = faiss.read_index(str(path), flags)
    except (RuntimeError, MemoryError) as error:
        reason = str(error).strip().splitlines()[-1:] or ["out of memory"]
        raise CodebookError(
            f"{path} is damaged or no index of this Faiss ({faiss.__version__}): {reason[0]}"
        ) from error
    try:
        return _convert(index, None, None)
    except CodebookError as error:
        raise CodebookError(f"{path}: {error}") from None


def write_faiss_index(index: Any, path: Path, probes: int) -> None:
    """Write a Faiss index that visits so many cells by default; OSError if that fails."""
    inner = unwrapped(index)[1]
    if isinstance(inner, faiss.IndexIVF):
        inner.nprobe = probes
    try:
        faiss.write_index(index, str(path))
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise OSError(f"Faiss cannot write it: {reason}") from error


def notes_on(codebook: AnyCodebook) -> tuple[str, ...]:
    """Return what a user should know of a codebook before pictures are activated for it."""
    partition = codebook.partition
    normalised = any(isinstance(step, Normalised) for step in partition.steps)
    # By inner product, centroids of any length give the same cells to vectors of any length.
    if partition.centroids is None or partition.metric == "IP" or normalised:
        return ()
    lengths = np.linalg.norm(partition.undo(partition.centroids), axis=1)
    middle = float(np.median(lengths))
    if _SHORTEST <= middle <= _LONGEST:
        return ()
    return (
        f"{codebook.form} was trained on vectors that are not of unit length (its centroids have a "
        f"median length of {middle:.3g}, those of unit vectors at most 1): descriptors of homing "
        "have unit length and would fall in other cells. Train it again on normalised vectors.",
    )


def _convert(
    index: Any, descriptor: str | None, descriptor_name: str | None
) -> Codebook | FaissCodebook:
    chain, coded = _checked(index)
    data = _assigning_part(chain, coded)
    form = _form(chain, coded)
    cells = FaissCodebook(form, index.d, data, descriptor, descriptor_name)
    if reason := _unknown(coded, cells.partition):
        return replace(cells, reason=reason)
    front = joined(cells.partition.steps)
    factory = _factory(coded, front)
    arrays = rebuild.coded_arrays(coded, factory)
    if front is not None:
        arrays["rotation"] = front.matrix
    if factory.components:
        assert front is not None
        zero = np.zeros(factory.components, np.float32)
        arrays["rotation_bias"] = zero if front.bias is None else front.bias
    return Codebook(factory, index.d, arrays, descriptor, descriptor_name)


def _checked(index: Any) -> tuple[list[Any], Any]:
    """Return the transforms and the index behind them; refuse what has neither cells nor codes."""
    if not isinstance(index, faiss.Index):
        raise CodebookError(
            f"{type(index).__name__} is no index of numbers in this computer's memory: give a "
            "faiss.Index."
        )
    chain, coded = unwrapped(index)
    kind = type(coded).__name__
    if not index.is_trained or not coded.is_trained:
        raise CodebookError(f"The index ({kind}) is not trained, and so has no cells yet.")
    if isinstance(coded, faiss.IndexIVF):
        quantizer = faiss.downcast_index(coded.quantizer)
        if quantizer is None or quantizer.ntotal != coded.nlist:
            has = 0 if quantizer is None else quantizer.ntotal
            raise CodebookError(f"The index has {has} centroids for {coded.nlist} cells.")
        if quantizer.metric_type not in _METRICS:
            raise CodebookError(
                "The index compares vectors neither by L2 nor by inner product; its cells have "
                "walls that no gradient leads away from."
            )
    elif isinstance(coded, _EXACT):
        raise CodebookError(
            f"The index ({kind}) has neither cells (IVF) nor codes: a picture has nothing there to "
            "stay in. Such an index compares exactly, and finds copies without activation."
        )
    elif not isinstance(coded, _CODECS):
        raise CodebookError(
            f"Indexes of the kind {kind} are not known: give the one inside that has inverted "
            "lists (IVF) or codes; of one on a GPU, what faiss.index_gpu_to_cpu returns."
        )
    return chain, coded


def _assigning_part(chain: Sequence[Any], coded: Any) -> bytes:
    """Return what gives a vector its cell, serialized: without cells, its code."""
    if isinstance(coded, faiss.IndexIVF):
        assigning = faiss.downcast_index(coded.quantizer)
    else:
        assigning = faiss.deserialize_index(faiss.serialize_index(coded))
        assigning.reset()
    if not chain:
        return bytes(faiss.serialize_index(assigning))
    front = faiss.IndexPreTransform(assigning)
    for each in reversed(chain):
        front.prepend_transform(each)
    return bytes(faiss.serialize_index(front))


def _form(chain: Sequence[Any], coded: Any) -> str:
    """Return the kind of an index for messages, close to Faiss's notation."""
    ends = ("Matrix", "Transform")
    parts = []
    for each in chain:
        name = type(each).__name__
        parts.append(next((name.removesuffix(end) for end in ends if name.endswith(end)), name))
    kind = type(coded).__name__.removeprefix("Index")
    if isinstance(coded, faiss.IndexIVF):
        coarse = type(faiss.downcast_index(coded.quantizer)).__name__
        parts.append(f"IVF{coded.nlist}" + _COARSE.get(coarse, f"({coarse})"))
        kind = kind.removeprefix("IVF")
    if hasattr(coded, "pq"):
        kind = kind.replace("PQ", f"PQ{coded.pq.M}x{coded.pq.nbits}")
    metric = ", inner product" if coded.metric_type == faiss.METRIC_INNER_PRODUCT else ""
    return ",".join((*parts, kind)) + metric


def _unknown(coded: Any, partition: Partition) -> str:
    """Say why homing does not know the codes of an index; "" if it does."""
    kind = type(coded).__name__
    front = joined(partition.steps)
    if partition.steps and front is None:
        return "a transform in front is not linear"
    if kind == "IndexLSH":
        return "" if coded.nbits <= coded.d else "it has more signs than components"
    if coded.metric_type != faiss.METRIC_L2:
        return "it compares by inner product"
    if isinstance(coded, faiss.IndexIVF):
        coarse = type(faiss.downcast_index(coded.quantizer)).__name__
        if _COARSE.get(coarse) != "" or partition.metric != "L2":
            return f"its cells are found by {coarse}"
        if kind not in ("IndexIVFFlat", "IndexIVFPQFastScan") and not coded.by_residual:
            return "its codes are of vectors, not of residuals (by_residual is off)"
    return _unknown_code(coded, kind, front)


def _unknown_code(coded: Any, kind: str, front: Linear | None) -> str:
    square = front is None or len(front.matrix) == front.matrix.shape[1]
    if kind in _PRODUCTS or kind == "IndexIVFRaBitQ":
        if kind in _PRODUCTS and coded.pq.nbits != _PRODUCTS[kind]:
            return f"its codes are of {coded.pq.nbits} bits a part"
        if kind == "IndexIVFRaBitQ" and coded.rabitq.nb_bits != 1:
            return f"its codes are of {coded.rabitq.nb_bits} bits a component"
        if not square or (front is not None and not (front.is_orthonormal and front.bias is None)):
            return "a transform in front is not a rotation"
        return ""
    if kind == "IndexIVFScalarQuantizer" and coded.sq.qtype != faiss.ScalarQuantizer.QT_8bit:
        return "its scalar quantizer is not SQ8"
    if kind not in ("IndexIVFFlat", "IndexIVFScalarQuantizer"):
        return f"its codes are of the kind {kind}"
    return "" if front is None else "a transform is in front"


def _factory(coded: Any, front: Linear | None) -> Factory:
    """Return the factory of an index whose codes are known."""
    cells = coded.nlist if isinstance(coded, faiss.IndexIVF) else 0
    if isinstance(coded, faiss.IndexLSH):
        return parse_factory("LSH" if front is None else f"PCA{len(front.matrix)},LSH")
    if isinstance(coded, faiss.IndexIVFFlat):
        return Factory("Flat", cells)
    if isinstance(coded, faiss.IndexIVFScalarQuantizer):
        return Factory("SQ8", cells)
    if isinstance(coded, faiss.IndexIVFRaBitQ):
        return Factory("RaBitQ", cells, turned=0 if front is None else len(front.matrix))
    parts, scan = coded.pq.M, _scan(coded)
    return Factory("PQ", cells, parts, rotation=0 if front is None else parts, scan=scan)


def _scan(coded: Any) -> Literal["", "fs", "fsr"]:
    """Return the kind of fast scan of an index of PQ codes."""
    if isinstance(coded, faiss.IndexIVFFastScan):
        return "fsr" if coded.by_residual else "fs"
    return "fs" if isinstance(coded, faiss.IndexFastScan) else ""
