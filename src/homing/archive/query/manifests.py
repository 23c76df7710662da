"""C2PA manifests of entries: an index by their ids, and the manifest stores in their files.

An entry's metadata hold the id of its manifest, written by a release with Content Credentials, or
by a publisher whose manifests are stored elsewhere.
"""

import functools
import hashlib
import json
import threading
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from homing.archive.table.addresses import Runs, read_runs, removed_rows
from homing.archive.table.lance_internals import FRAGMENT_SHIFT
from homing.archive.table.location import Location, resolve_place
from homing.archive.table.rows import Row, row_from_values
from homing.archive.table.table import Table
from homing.c2pa import active_manifest
from homing.errors import PictureError
from homing.images import manifest_store, read_bytes
from homing.options import Limits

MANIFEST, ENDPOINT = "c2pa_manifest", "c2pa_endpoint"
"""Keys of an entry's metadata: the id of its manifest, and the API that serves it."""

_FILES = Limits(max_bytes=1 << 40)  # released files are written by homing, and trusted
_MARKED = f"metadata LIKE '%\"{MANIFEST}\"%'"


class ManifestIndex:
    """Index of entries by the id of their manifest; may be used from several threads.

    It follows the table: of a newer version it reads only the fragments that are new or have lost
    rows. It holds sixteen bytes for each entry with a manifest. `open_table` is called at the first
    query; nothing else may refresh that table.
    """

    def __init__(self, open_table: Callable[[], Table]) -> None:
        self._open_table = open_table
        self._lock = threading.Lock()
        self._version: int | None = None
        self._removed: dict[int, int] = {}  # rows removed of each fragment when it was read
        self._digests = np.empty(0, np.uint64)  # of the manifests' ids, ascending
        self._addresses = np.empty(0, np.uint64)  # of their rows
        self._runs = Runs.joined([])

    def find(self, manifest: str) -> list[Row]:
        """Return the entries with that manifest, as recorded now; none, one, or several copies."""
        with self._lock:
            self._table.refresh()
            return self._table.retry(lambda: self._rows(manifest))

    @functools.cached_property
    def _table(self) -> Table:
        return self._open_table()

    def _rows(self, manifest: str) -> list[Row]:
        if self._version != self._table.version:
            self._update()
        digest = _digests([manifest])[0]
        first = int(np.searchsorted(self._digests, digest, side="left"))
        last = int(np.searchsorted(self._digests, digest, side="right"))
        if first == last:
            return []
        positions = self._runs.numbers(self._addresses[first:last])
        columns = [name for name in self._table.schema.names if name != "vector"]
        values = self._table.take(positions.tolist(), columns).to_pylist()
        rows = [row_from_values(each, None, self._table.generations) for each in values]
        return [row for row in rows if (row.metadata or {}).get(MANIFEST) == manifest]

    def _update(self) -> None:
        """Bring the index to the table's version."""
        removed, runs = removed_rows(self._table), read_runs(self._table)
        unread = [number for number, count in removed.items() if self._removed.get(number) != count]
        fragments = self._addresses >> np.uint64(FRAGMENT_SHIFT)
        known = np.isin(fragments, list(removed.keys() - set(unread)))
        digests, addresses = self._read(unread)
        digests = np.concatenate([self._digests[known], digests])
        addresses = np.concatenate([self._addresses[known], addresses])
        order = np.argsort(digests, kind="stable")
        self._digests, self._addresses = digests[order], addresses[order]
        self._removed, self._runs, self._version = removed, runs, self._table.version

    def _read(self, fragments: Sequence[int]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """Return digest and address of each entry of some fragments that has a manifest."""
        digests, addresses = [np.empty(0, np.uint64)], [np.empty(0, np.uint64)]
        scan = self._table.batches(
            ["metadata"], condition=_MARKED, addresses=True, fragments=fragments
        )
        for batch in scan if fragments else ():
            ids = [_manifest_in(text) for text in batch.column("metadata").to_pylist()]
            named = np.array([each is not None for each in ids], dtype=bool)
            digests.append(_digests([each for each in ids if each is not None]))
            addresses.append(batch.column("_rowaddr").to_numpy()[named])
        return np.concatenate(digests), np.concatenate(addresses)


def read_manifest_store(row: Row, archive: Location) -> bytes:
    """Return the manifest store in the released file of an entry.

    Raises `PictureError` if the file is missing or changed, or carries another manifest.
    """
    if row.file is None:
        raise PictureError(f"the entry {row.id!r} has no released file")
    path = resolve_place(row.file, archive)
    data = read_bytes(path, limits=_FILES)
    if hashlib.sha256(data).digest() != row.file_sha256:
        raise PictureError(f"the file of {row.id!r} is not the one released (SHA-256 differs)")
    store = manifest_store(data)
    if store is None or active_manifest(store) != (row.metadata or {}).get(MANIFEST):
        raise PictureError(f"the file of {row.id!r} does not carry the manifest recorded")
    return store


def _manifest_in(metadata: str) -> str | None:
    found = json.loads(metadata).get(MANIFEST)
    return found if isinstance(found, str) else None


def _digests(manifests: Sequence[str]) -> NDArray[np.uint64]:
    whole = b"".join(hashlib.blake2b(each.encode(), digest_size=8).digest() for each in manifests)
    return np.frombuffer(whole, dtype=np.uint64)
