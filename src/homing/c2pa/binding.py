"""Soft binding that homing computes over a picture: its descriptor, as an archive records it.

The value is bytes; as text, it is in base64::

    0        1       layout, 1
    1        8       SHA-256 of the descriptor's fingerprint (as text), its first eight bytes
    9        8       the same of the codebook that the picture was activated for
    17       2·D     the descriptor's components, float16, little-endian

Vectors of different descriptors cannot be compared: the value therefore names its descriptor.
The codebook decides the picture's cell in an index; a search by the vector does not need it.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from homing.errors import UsageError

ALGORITHM = "org.pypi.homing.1"
"""Name of the algorithm: reversed domain name, and the version of the value's layout."""

_LAYOUT = b"\1"
_MARK = 8  # bytes of a fingerprint's digest
_HEAD = 1 + 2 * _MARK
_UNIT_TOLERANCE = 2e-2  # of a vector's length, rounded to half precision


@dataclass(frozen=True, eq=False)
class Binding:
    """Soft binding of a picture."""

    descriptor: bytes  # eight bytes of its fingerprint's digest
    codebook: bytes  # the same
    vector: NDArray[np.float16]  # (D,), the picture's descriptor, of unit length

    @classmethod
    def of(cls, vector: NDArray[np.floating], *, descriptor: str, codebook: str) -> "Binding":
        """Make the binding of a vector, from the fingerprints of its descriptor and codebook."""
        return cls(_mark(descriptor), _mark(codebook), vector.astype("<f2"))

    @classmethod
    def from_value(cls, value: bytes) -> "Binding":
        """Parse a value; `UsageError` if it has another layout or holds no unit vector."""
        if value[:1] != _LAYOUT or len(value) <= _HEAD or (len(value) - _HEAD) % 2:
            raise UsageError(
                f"{len(value)} bytes are no value of {ALGORITHM}: it begins with {_LAYOUT!r}, "
                f"then {2 * _MARK} bytes of fingerprints and two bytes for each component"
            )
        vector = np.frombuffer(value, dtype="<f2", offset=_HEAD)
        length = float(np.linalg.norm(vector.astype(np.float64)))
        if not abs(length - 1) < _UNIT_TOLERANCE:  # also if it is NaN
            raise UsageError(
                f"the value's vector has the length {length:g}; a descriptor has the length 1"
            )
        return cls(value[1 : 1 + _MARK], value[1 + _MARK : _HEAD], vector)

    @classmethod
    def from_text(cls, text: str) -> "Binding":
        """Parse a value in base64; `UsageError` if it is none."""
        try:
            value = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise UsageError(f"the value is not base64: {error}") from error
        return cls.from_value(value)

    @property
    def value(self) -> bytes:
        """The binding as bytes."""
        return b"".join((_LAYOUT, self.descriptor, self.codebook, self.vector.tobytes()))

    @property
    def text(self) -> str:
        """The binding in base64."""
        return base64.b64encode(self.value).decode()

    def is_of(self, descriptor: str) -> bool:
        """Return whether the descriptor has that fingerprint."""
        return self.descriptor == _mark(descriptor)


def _mark(fingerprint: str) -> bytes:
    return hashlib.sha256(fingerprint.encode()).digest()[:_MARK]
