"""Codebook training: once, before an archive is made, and never again while it is used."""

from dataclasses import replace
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from homing.codebooks.checks import check_vectors
from homing.codebooks.codebook import Codebook
from homing.codebooks.factory import Factory, parse_factory
from homing.codebooks.rebuild import arrays_of
from homing.errors import CodebookError

_MOST_SEED = 2**31 - 1  # Faiss takes a C int


def train_codebook(
    vectors: npt.ArrayLike,
    factory: str | Factory,
    *,
    seed: int = 0,
    descriptor: str | None = None,
    descriptor_name: str | None = None,
) -> Codebook:
    """Train a codebook from descriptors.

    Parameters
    ----------
    vectors : array_like, shape (n, d)
        Descriptors of pictures like those to be archived, with edits among them; taken as float32.
        39 per centroid are sound; at most 256 per centroid are used.
    factory : str or Factory
        One of the accepted forms, for example ``"IVF1024,PQ8x8"``.
    seed : int, default 0
        From 0 to 2³¹ − 1. The same vectors and seed give the same codebook on the same machine.
    descriptor, descriptor_name : str, optional
        Fingerprint and name of the descriptor that made the vectors, saved with the codebook.

    Returns
    -------
    Codebook

    Raises
    ------
    CodebookError
        The factory string has another form or does not fit the vectors' length, or the vectors are
        too few or not finite.

    Examples
    --------
    >>> vectors = descriptor.describe(paths)
    >>> codebook = homing.train_codebook(
    ...     vectors, "IVF256,PQ8x8", descriptor=descriptor.fingerprint
    ... )
    >>> codebook.save("book.safetensors")
    """
    parsed = parse_factory(factory)
    taken = check_vectors(vectors, None, f"Training {parsed}")
    count, dimension = taken.shape
    parsed.check_dimension(dimension)
    least = parsed.least_vectors(dimension)
    if count < least:
        raise CodebookError(
            f"Training {parsed} needs at least {least} vectors, and "
            f"{parsed.advised_vectors(dimension)} to be sound; got {count}. "
            "Use more pictures, more edited copies of each, or a codebook with fewer cells."
        )
    if not 0 <= seed <= _MOST_SEED:
        raise CodebookError(f"The seed is a whole number from 0 to {_MOST_SEED}; got {seed}.")
    arrays = _train(replace(parsed, links=0), taken, seed)  # a graph is of the same centroids
    return Codebook(parsed, dimension, arrays, descriptor, descriptor_name)


def _train(
    factory: Factory, vectors: npt.NDArray[np.float32], seed: int
) -> dict[str, npt.NDArray[np.float32]]:
    dimension = vectors.shape[1]
    index: Any = faiss.index_factory(dimension, str(factory), faiss.METRIC_L2)
    inner: Any = index
    # Faiss stores a bare pointer to the rotation's quantizer: this name must outlive the training.
    rotation_quantizer = faiss.ProductQuantizer(dimension, factory.rotation or 1, 8)
    if isinstance(index, faiss.IndexPreTransform):
        chain: Any = index.chain
        transform: Any = faiss.downcast_VectorTransform(chain.at(0))
        inner = faiss.downcast_index(index.index)
        if factory.turned:
            transform.init(seed)
        if factory.rotation:
            _seed(rotation_quantizer.cp, seed)
            transform.pq = rotation_quantizer
    if factory.cells:
        _seed(inner.cp, seed)
    if factory.fine == "PQ":
        _seed(inner.pq.cp, seed)
        # Polysemous training takes half of the time and only renumbers centroids for a search by
        # Hamming distance, which nothing here does.
        if not factory.scan:
            inner.do_polysemous_training = False
    index.train(vectors)
    return arrays_of(index, factory)


def _seed(parameters: Any, seed: int) -> None:
    parameters.seed = seed
    parameters.min_points_per_centroid = 1  # `train_codebook` refuses too few
