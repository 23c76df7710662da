"""Perceptual hashes as baselines: pHash and dHash [1]_, PDQ [2]_.

A hash of B bits is also a unit vector of ±1/√B, whose inner product is 1 − 2 · Hamming distance/B:
exact in float32, for B is a power of four. Hashes thus go through the same exact search, and the
same measures, as descriptors.

References
----------
.. [1] The package imagehash, after N. Krawetz, hackerfactor.com.
.. [2] The package pdqhash, Meta's reference code: "The TMK+PDQF Video-Hashing Algorithm and the
   PDQ Image-Hashing Algorithm", 2019.
"""

from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from PIL import Image

HASHES = MappingProxyType({"pHash": 64, "dHash": 64, "PDQ": 256})
"""Bits of each hash, by name."""


def hash_of(name: str, image: Image.Image) -> npt.NDArray[np.uint8]:
    """Hash an 8-bit RGB picture; the packed bits, (bits / 8,) uint8."""
    if name == "PDQ":
        import pdqhash

        bits, _ = pdqhash.compute(np.ascontiguousarray(np.asarray(image)))
        return np.packbits(np.asarray(bits).astype(bool))
    import imagehash

    function = {"pHash": imagehash.phash, "dHash": imagehash.dhash}[name]
    return np.packbits(np.asarray(function(image).hash, dtype=bool).ravel())


def hash_vectors(codes: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Turn packed hashes, (n, bytes), into unit vectors of ±1/√B, (n, 8 · bytes) float32."""
    bits = np.unpackbits(codes, axis=1)
    return (bits.astype(np.float32) * 2 - 1) / np.float32(np.sqrt(bits.shape[1]))
