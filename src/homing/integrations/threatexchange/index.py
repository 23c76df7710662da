"""An index of signals: inner products by Faiss, exact, and no pickle in its file."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any, BinaryIO, TypeVar

import faiss
import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray
from threatexchange.signal_type.index import (
    IndexMatchUntyped,
    SignalSimilarityInfo,
    SignalSimilarityInfoWithSingleDistance,
    SignalTypeIndex,
)

from homing.errors import UsageError
from homing.integrations.threatexchange.codes import (
    DIMENSION,
    TAG,
    THRESHOLD,
    distance,
    from_signal,
    to_codes,
    to_vectors,
)
from homing.integrations.threatexchange.entries import from_plain, to_plain

T = TypeVar("T")

_FORMAT = "homing-threatexchange-1"
_NO_INDEX = (safetensors.SafetensorError, KeyError, RecursionError, TypeError, ValueError)
_MARGIN = 1e-4  # of Faiss's distances, which are rounded otherwise


class HomingIndex(SignalTypeIndex[T]):
    """Signals with what is kept beside each; 1 kB of memory and 256 bytes of file a signal.

    A query is compared with every signal: 20 ms among a million.
    """

    def __init__(self, entries: Iterable[tuple[str, T]] = ()) -> None:
        super().__init__()
        self._index = faiss.IndexFlatIP(DIMENSION)
        self._kept: list[T] = []
        self.add_all(entries)

    def __len__(self) -> int:
        """Count the signals."""
        return len(self._kept)

    def query(self, query: str) -> Sequence[IndexMatchUntyped[SignalSimilarityInfo, T]]:
        """Find the signals within the threshold, nearest first; none for the signal of nothing."""
        if not query:
            return []
        codes = from_signal(query)
        vector = to_vectors(codes[np.newaxis])
        _, _, numbers = self._index.range_search(vector, 1 - THRESHOLD - _MARGIN)
        found = [(distance(self._codes(int(n), 1)[0], codes), int(n)) for n in numbers]
        return [
            IndexMatchUntyped(SignalSimilarityInfoWithSingleDistance(away), self._kept[n])
            for away, n in sorted(found)
            if away <= THRESHOLD
        ]

    def add(self, signal_str: str, entry: T) -> None:
        """Add one signal."""
        self.add_all([(signal_str, entry)])

    def add_all(self, entries: Iterable[tuple[str, T]]) -> None:
        """Add signals, all or none of them."""
        given = list(entries)
        if given:
            self._add(np.stack([from_signal(signal) for signal, _ in given]), [e for _, e in given])

    def _add(self, codes: NDArray[np.int8], kept: list[T]) -> None:
        if len(codes):
            self._index.add(to_vectors(codes))
        self._kept += kept

    def _codes(self, first: int, count: int) -> NDArray[np.int8]:
        return to_codes(self._index.reconstruct_n(first, count))

    def serialize(self, fout: BinaryIO) -> None:
        """Write the index: safetensors, with a checksum."""
        codes = self._codes(0, len(self)) if len(self) else np.empty((0, DIMENSION), np.int8)
        about = {"format": _FORMAT, "tag": TAG.hex(), "entries": [to_plain(e) for e in self._kept]}
        text = np.frombuffer(json.dumps(about).encode(), np.uint8)
        arrays = {"codes": codes, "about": text, "sha256": _digest(codes, text)}
        fout.write(safetensors.numpy.save(arrays))

    @classmethod
    def deserialize(cls, fin: BinaryIO) -> "HomingIndex[Any]":
        """Read an index; UsageError if it is damaged, or of another descriptor."""
        try:
            arrays = safetensors.numpy.load(fin.read())
            codes, text = arrays["codes"], arrays["about"]
            whole = bool((arrays["sha256"] == _digest(codes, text)).all())
            about = dict(json.loads(text.tobytes())) if whole else {}
        except _NO_INDEX as error:
            raise UsageError(f"this is no index of homing: {error}; build it again") from error
        if not whole:
            raise UsageError("the index is damaged: its checksum differs; build it again")
        if (about.get("format"), about.get("tag")) != (_FORMAT, TAG.hex()):
            raise UsageError(
                f"the index is of {about.get('format')}, descriptor {about.get('tag')}…, not of "
                f"{_FORMAT}, {TAG.hex()}…: build it again"
            )
        entries: Any = about.get("entries")
        # A checksum is no signature: who edits a file may write that too.
        sound = isinstance(entries, list) and codes.dtype == np.int8
        if not sound or codes.shape != (len(entries), DIMENSION) or not codes.any(axis=1).all():
            raise UsageError("the index has other signals than entries: build it again")
        made: HomingIndex[Any] = cls()
        made._add(codes, [from_plain(each) for each in entries])
        return made


def _digest(*arrays: NDArray[Any]) -> NDArray[np.uint8]:
    digest = hashlib.sha256(b"".join(array.tobytes() for array in arrays)).digest()
    return np.frombuffer(digest, np.uint8)
