"""Checks of previews against their packs."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from homing.archive.previews.store import PreviewStore
from homing.archive.results import Problem
from homing.archive.table.rows import PreviewReference, Row
from homing.errors import PictureError
from homing.images.limits import shown
from homing.images.preview import read_preview

_HELD = 8  # packs in memory: rows of one commit are mostly side by side

_AGAIN = "'homing previews' makes it again"


class PreviewCheck:
    """Check of the previews of an archive's rows, `checked` of which had one.

    Packs are read whole and compared with their names, and each preview is decoded, or with
    `read=False` they need only be there.
    """

    def __init__(self, store: PreviewStore, *, read: bool = True) -> None:
        self.checked = 0
        self._store = store
        self._read = read
        self._packs = set(store.packs())
        self._held: OrderedDict[str, bytes | None] = OrderedDict()

    def problems(self, rows: Sequence[Row]) -> Iterator[Problem]:
        """Check rows; yield what is wrong with their previews."""
        with_previews = [(row.id, row.preview) for row in rows if row.preview is not None]
        self.checked += len(with_previews)
        with ThreadPoolExecutor() as pool:
            parts = [self._part(text) for _, text in with_previews]
            reasons = pool.map(_reason, parts)
            for (name, _), reason in zip(with_previews, reasons, strict=True):
                if reason is not None:
                    yield Problem(name, reason)

    def _part(self, text: str) -> bytes | str | None:
        """Return a preview, why there is none, or None if it is there and not to be read."""
        try:
            reference = PreviewReference.parse(text)
        except ValueError:
            return f"its preview cannot be found by {text!r}; {_AGAIN}"
        place = shown(str(self._store.folder / reference.pack))
        if reference.pack not in self._packs:
            return f"its preview is missing with {place}; {_AGAIN}"
        if not self._read:
            return None
        pack = self._pack(reference.pack)
        if pack is None:
            return f"its preview is in {place}, which is damaged: remove that file, then {_AGAIN}"
        end = reference.offset + reference.length
        if not 0 <= reference.offset < end <= len(pack):
            return f"its preview lies outside of {place}; {_AGAIN}"
        return pack[reference.offset : end]

    def _pack(self, name: str) -> bytes | None:
        if name not in self._held:
            self._held[name] = self._store.read_pack(name)
            if len(self._held) > _HELD:
                self._held.popitem(last=False)
        return self._held[name]


def _reason(part: bytes | str | None) -> str | None:
    if not isinstance(part, bytes):
        return part
    try:
        read_preview(part)
    except PictureError as error:
        return f"{error}; {_AGAIN}"
    return None
