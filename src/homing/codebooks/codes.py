"""Codes of vectors or residuals, by kind: encoded and decoded to the bit as Faiss does."""

from collections.abc import Mapping, Sequence

import faiss
import numpy as np
import numpy.typing as npt

from homing.codebooks.exact import nearest, squared_norms
from homing.codebooks.factory import Factory

Floats = npt.NDArray[np.float32]
Codes = npt.NDArray[np.uint8]
Arrays = Mapping[str, Floats]
Norms = Sequence[npt.NDArray[np.float64]]


def part_norms(arrays: Arrays) -> Norms:
    """Squared lengths of a product quantizer's code words, as :func:`encode` takes them."""
    return tuple(squared_norms(part) for part in arrays.get("pq", ()))


def encode(factory: Factory, arrays: Arrays, norms: Norms, values: Floats) -> Codes:
    """Return the codes, (n, code_size), of vectors or residuals, (n, d').

    A sign bit a component of LSH is 1 where the component is not negative.
    """
    codes: Codes
    if factory.fine == "Flat":
        flat = np.ascontiguousarray(values).view(np.uint8)
        return flat.reshape(len(values), factory.code_size(values.shape[1])).copy()
    if factory.fine == "LSH":
        return np.packbits(values >= 0, axis=1, bitorder="little")
    if factory.fine == "SQ8":
        codes = scalar_quantizer(arrays["scalar"]).compute_codes(np.ascontiguousarray(values))
        return codes
    if factory.fine == "RaBitQ":
        codes = _rabitq(values.shape[1]).compute_codes(np.ascontiguousarray(values))
        return codes
    parts = arrays["pq"]
    width = parts.shape[2]
    columns = [
        nearest(np.ascontiguousarray(values[:, i * width : (i + 1) * width]), part, norm)
        for i, (part, norm) in enumerate(zip(parts, norms, strict=True))
    ]
    words = np.stack(columns, axis=1).astype(np.uint8)
    if factory.bits == 8:
        return words
    words = np.pad(words, ((0, 0), (0, words.shape[1] % 2)))
    return np.asarray(words[:, ::2] | words[:, 1::2] << 4, np.uint8)


def decode(factory: Factory, arrays: Arrays, codes: Codes, dimension: int) -> Floats:
    """Return what codes stand for, (n, d'): vectors or residuals, for LSH the signs ±1."""
    if factory.fine == "Flat":
        return codes.view(np.float32).copy()
    if factory.fine == "LSH":
        bits = np.unpackbits(codes, axis=1, count=dimension, bitorder="little")
        return np.where(bits, np.float32(1), np.float32(-1))
    decoded: Floats
    if factory.fine == "SQ8":
        decoded = scalar_quantizer(arrays["scalar"]).decode(codes)
        return decoded
    if factory.fine == "RaBitQ":
        decoded = _rabitq(dimension).decode(codes)
        return decoded
    parts = arrays["pq"]
    words = codes
    if factory.bits != 8:
        halves = np.stack([codes & 15, codes >> 4], axis=2)
        words = halves.reshape(len(codes), 2 * codes.shape[1])[:, : len(parts)]
    return parts[np.arange(len(parts)), words].reshape(len(codes), dimension)


def scalar_quantizer(trained: Floats) -> faiss.ScalarQuantizer:
    """Make Faiss's scalar quantizer of one byte per component.

    `trained` is (2, d) float32: least value and range of each component.
    """
    quantizer = faiss.ScalarQuantizer(trained.shape[1], faiss.ScalarQuantizer.QT_8bit)
    faiss.copy_array_to_vector(trained.ravel(), quantizer.trained)
    return quantizer


def _rabitq(dimension: int) -> faiss.RaBitQuantizer:
    return faiss.RaBitQuantizer(dimension, faiss.METRIC_L2)
