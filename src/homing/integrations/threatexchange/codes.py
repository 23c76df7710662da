"""Signals as text: a descriptor in 352 characters, which say whose it is and that they are whole.

A unit vector is kept as its direction: 256 components scaled so that the largest is ±127, rounded
to bytes. The cosine of two such directions differs from that of the vectors by less than 0.001. In
front stand the first four bytes of the descriptor's fingerprint, behind it a CRC-32, and all is
written in URL-safe Base64.
"""

import base64
import binascii
import math

import numpy as np
from numpy.typing import NDArray

from homing.errors import UsageError

DESCRIPTOR = "homing-s"
DIMENSION = 256
TAG = bytes.fromhex("a8f9b855")
"""Beginning of the fingerprint of homing-s, version 3."""

CHARACTERS = 352
THRESHOLD = 0.10
"""Largest distance, 1 - cosine, of a match; `false_alarm_rate` says how often chance reaches it."""

_LARGEST = 127

#: Tail of the similarity of 1,000 photographs to the nearest of 14,000 others: see
#: `docs/guides/threatexchange.md`.
_OBSERVED, _SHARE, _FROM, _EXPONENT = 14_000, 0.1, 0.769, 8.618


def false_alarm_rate(distance: float, entries: int) -> float:
    """Return the share of strange photographs that match at least one of so many entries.

    As observed for homing-s; distances above 0.23 are no better than that.
    """
    beyond = min(distance / (1 - _FROM), 1.0)
    once: float = _SHARE * math.pow(beyond, _EXPONENT)
    return -math.expm1(entries / _OBSERVED * math.log1p(-once))


def to_codes(vectors: NDArray[np.float32]) -> NDArray[np.int8]:
    """Round vectors (n, 256), of any length, to directions, (n, 256)."""
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    codes: NDArray[np.int8] = np.rint(vectors * (_LARGEST / largest)).astype(np.int8)
    return codes


def to_vectors(codes: NDArray[np.int8]) -> NDArray[np.float32]:
    """Return the unit vectors, (n, 256), of directions."""
    vectors = codes.astype(np.float32)
    found: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return found


def distance(one: NDArray[np.int8], other: NDArray[np.int8]) -> float:
    """Return 1 − the cosine of two directions, to four digits, and the same on every machine."""
    a, b = one.astype(np.int64), other.astype(np.int64)
    return round(1 - int(a @ b) / math.sqrt(int(a @ a) * int(b @ b)), 4)


def to_signal(codes: NDArray[np.int8]) -> str:
    """Write a direction, (256,), as a signal."""
    body = TAG + codes.tobytes()
    return base64.urlsafe_b64encode(body + _crc(body)).decode()


def from_signal(signal: str) -> NDArray[np.int8]:
    """Read a signal, which must be whole and of this descriptor; UsageError otherwise."""
    text = signal.strip()
    try:
        data = base64.b64decode(text.encode(), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise UsageError(f"{_short(text)} is no signal of {DESCRIPTOR}: {error}") from error
    if len(text) != CHARACTERS or len(data) != len(TAG) + DIMENSION + 4:
        raise UsageError(
            f"{_short(text)} is no signal of {DESCRIPTOR}, which has {CHARACTERS} characters, not "
            f"{len(text)}"
        )
    body, crc = data[:-4], data[-4:]
    if crc != _crc(body):
        raise UsageError(f"the signal {_short(text)} is damaged: its checksum differs")
    if not body.startswith(TAG):
        raise UsageError(
            f"the signal {_short(text)} is of another descriptor ({body[:4].hex()}…, not "
            f"{TAG.hex()}…): hash the picture again"
        )
    codes: NDArray[np.int8] = np.frombuffer(body, np.int8, offset=len(TAG))
    if np.abs(codes.astype(np.int16)).max() != _LARGEST:
        raise UsageError(f"the signal {_short(text)} was not written by homing: it is not scaled")
    return codes


def _crc(body: bytes) -> bytes:
    return binascii.crc32(body).to_bytes(4, "big")


def _short(text: str) -> str:
    return repr(text if len(text) <= 24 else f"{text[:20]}…")
