"""The plan of a run: what is left to do for each input, given the rows already in the table."""

import hashlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homing.archive.inputs import Input
from homing.archive.previews.recognition import CHANGED, Recognition
from homing.archive.query.manifests import ENDPOINT, MANIFEST
from homing.archive.table.location import Location, recorded_place, resolve_place
from homing.archive.table.rows import is_source, metadata_of
from homing.errors import PictureError
from homing.files.durable import file_sha256
from homing.images.kinds import KINDS
from homing.images.limits import read_bytes, shown
from homing.options import Activation

if TYPE_CHECKING:
    from homing.archive.table.table import Table

# Inputs looked up at once. Each lookup scans all ids, however many it is for; but a release takes
# so long that another process may meanwhile have done what a lookup showed as left to do.
_TO_ADD, _TO_RELEASE = 2048, 256
# Files looked up at once, by their checksums: so many are read before the first is activated. Among
# a million entries a lookup takes 0.05 s, and activating so many pictures half a minute.
_FILES = 32

_AGAIN = "record the file as it is now with 'homing add'"

_COLUMNS = ("source_sha256", "file_sha256", "state", "file", "psnr", "created_at")
_OF_IDS = (*_COLUMNS, "metadata")

_Row = dict[str, Any]


@dataclass(frozen=True)
class PlannedInput:
    """An input, and why it is skipped or has failed; neither if it is to do."""

    item: Input
    skipped: str | None = None
    failed: str | None = None
    note: str | None = None  # on a picture that is to do
    changed: "ChangedFile | None" = None  # to be recorded anew, with nothing else to do
    unrecorded: tuple[str, ...] = ()  # fields of its metadata that the entry there does not have

    @property
    def to_do(self) -> bool:
        """Return whether the picture is to be released or added."""
        return self.skipped is None and self.failed is None and self.changed is None


@dataclass(frozen=True)
class ChangedFile:
    """The file of an entry whose bytes have changed and whose picture has not."""

    old: bytes  # SHA-256 recorded
    new: bytes
    file: str | None  # where it lies, as recorded; None of a picture that was added


def plan(
    table: "Table",
    inputs: Iterable[Input],
    archive: Location,
    recognition: Recognition,
    *,
    activation: Activation | None = None,
) -> Iterator[PlannedInput]:
    """Decide for each input, in order, whether it is done, its id is taken, or it is to do.

    `activation` is that of a release; None: the pictures are to be added. Then a file that has
    changed since it was recorded, of the same picture, is to be recorded anew.
    """
    columns = [*_OF_IDS, *(c for c in recognition.columns if c in table.schema.names)]
    ids = _Ids(table, archive, recognition)
    rest, size = iter(inputs), _TO_ADD if activation is None else _TO_RELEASE
    while chunk := list(itertools.islice(rest, size)):
        found = table.lookup([item.written for item in chunk], columns)
        rows = [found.get(item.written) for item in chunk]
        chunk = [_as_known(item, row) for item, row in zip(chunk, rows, strict=True)]
        if activation is None:
            yield from map(_with_unrecorded, map(ids.plan_to_add, chunk, rows), rows)
            continue
        for start in range(0, len(chunk), _FILES):
            part = slice(start, start + _FILES)
            planned = _plan_to_release(table, chunk[part], rows[part], ids, activation)
            yield from map(_with_unrecorded, planned, rows[part])


def released_files(table: "Table", digests: Sequence[bytes]) -> dict[bytes, str]:
    """Return, by SHA-256, why files that the archive released are left as they are."""
    rows = table.lookup_files(digests, _COLUMNS)
    return {row["file_sha256"]: _is_released(row) for row in rows if row["state"] == "released"}


def _as_known(item: Input, row: _Row | None) -> Input:
    """Return an input under the id of its entry, which may be older than composed ids."""
    return item if row is None or row["id"] == item.id else replace(item, known=row["id"])


def _keeping(item: Input, row: _Row) -> Input:
    """Return an input whose entry is there and is replaced: it keeps what is not given anew.

    What names the manifest of the file that is replaced goes with it.
    """
    kept = {k: v for k, v in metadata_of(row).items() if k not in (MANIFEST, ENDPOINT)}
    return replace(item, metadata={**kept, **(item.metadata or {})} or None)


def _with_unrecorded(planned: PlannedInput, row: _Row | None) -> PlannedInput:
    """Name the given fields that the entry of a picture with nothing to do does not have so."""
    given = planned.item.metadata
    if row is None or not given or planned.to_do or planned.failed is not None:
        return planned
    there = metadata_of(row)
    return replace(planned, unrecorded=tuple(k for k, v in given.items() if there.get(k) != v))


def _plan_to_release(
    table: "Table",
    items: Sequence[Input],
    rows: Sequence[_Row | None],
    ids: "_Ids",
    activation: Activation,
) -> Iterator[PlannedInput]:
    """Plan some inputs together: files that other entries have are found in one lookup."""
    planned: list[PlannedInput] = []
    digests: list[bytes | None] = []  # of files that other entries may have
    for item, row in zip(items, rows, strict=True):
        try:
            digest = ids.digest(item)
        except PictureError as error:
            # Without a row, the attempt to release it says why it cannot be read.
            planned.append(PlannedInput(item, failed=None if row is None else str(error)))
            digests.append(None)
            continue
        planned.append(ids.plan_to_release(item, digest, row, activation))
        digests.append(None if planned[-1].skipped else digest)
    owners = table.lookup_files([d for d in digests if d is not None], _COLUMNS)
    for each, file in zip(planned, digests, strict=True):
        yield each if file is None else _beside_others(each, file, owners)


@dataclass(frozen=True)
class _Ids:
    """Plans of inputs by the rows of their ids."""

    table: "Table"
    archive: Location
    recognition: Recognition

    def digest(self, item: Input) -> bytes:
        """Return the SHA-256 of a file."""
        return hashlib.sha256(read_bytes(item.path, limits=self.recognition.limits)).digest()

    def plan_to_add(self, item: Input, row: _Row | None) -> PlannedInput:
        """Plan an input by the row of its id."""
        if row is None:  # whether the archive released the file is looked up when it has been read
            return PlannedInput(item)
        try:
            digest = self.digest(item)
        except PictureError as error:
            return PlannedInput(item, failed=str(error))
        if is_source(digest, row):
            return PlannedInput(item, skipped=f"already {row['state']}")
        if digest == row["file_sha256"]:  # of a folder of released files all: no scan for each
            return PlannedInput(item, skipped=_is_released(row))
        if released := released_files(self.table, [digest]):
            return PlannedInput(item, skipped=released[digest])
        if not self.recognition.recognises(item.path, row):
            return _refused(item, row)
        if row["file"] is None:
            return PlannedInput(item, changed=ChangedFile(row["file_sha256"], digest, None))
        recorded, place = resolve_place(row["file"], self.archive), item.path.absolute()
        if _has_digest(recorded, row["file_sha256"]):
            return PlannedInput(
                item,
                skipped=f"it is the released file of {row['id']!r}, {CHANGED}; the one recorded, "
                f"{shown(recorded)}, is there and unchanged",
            )
        place = recorded if _same_file(recorded, place) else place
        file = recorded_place(place, self.archive)
        return PlannedInput(item, changed=ChangedFile(row["file_sha256"], digest, file))

    def plan_to_release(
        self, item: Input, digest: bytes, row: _Row | None, activation: Activation
    ) -> PlannedInput:
        """Plan an input by the row of its id."""
        if row is None:
            return PlannedInput(item)
        if row["state"] == "added" and is_source(digest, row):
            return PlannedInput(_keeping(item, row))
        if digest == row["source_sha256"]:
            file = resolve_place(row["file"], self.archive)
            if not file.exists():
                return PlannedInput(_keeping(item, row))
            reason = f"already released as {shown(file)}{_unapplied(row, activation)}"
            return PlannedInput(item, skipped=reason)
        if digest == row["file_sha256"]:
            return PlannedInput(item, skipped=_is_released(row))
        if not self.recognition.recognises(item.path, row):
            return _refused(item, row)
        if row["state"] == "released":
            reason = f"it is the released file of {row['id']!r}, {CHANGED}: left as it is; {_AGAIN}"
            return PlannedInput(item, skipped=reason)
        reason = f"it is the picture added as {row['id']!r}, {CHANGED}: {_AGAIN}, and then release"
        return PlannedInput(item, failed=reason)


def _has_digest(file: Path, digest: bytes) -> bool:
    try:
        return file_sha256(file) == digest
    except OSError:
        return False


def _same_file(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _beside_others(planned: PlannedInput, digest: bytes, owners: Sequence[_Row]) -> PlannedInput:
    """Plan an input whose file may be that of other entries, whatever their ids."""
    item = planned.item
    for row in owners:
        if row["state"] == "released" and row["file_sha256"] == digest and row["id"] != item.id:
            return PlannedInput(item, skipped=_is_released(row))
    same = [r["id"] for r in owners if r["source_sha256"] == digest and r["id"] != item.id]
    if planned.to_do and same:
        more = f" and of {len(same) - 1} more" if len(same) > 1 else ""
        return PlannedInput(item, note=f"the file is the source of {min(same)!r}{more} too")
    return planned


def _refused(item: Input, row: _Row) -> PlannedInput:
    """Plan an input whose id another picture has, or the same one with other pixels."""
    return PlannedInput(
        item,
        failed=f"the id {item.id!r} is taken by another picture (SHA-256 "
        f"{row['source_sha256'].hex()[:12]}…), or by this one before it was changed; remove that "
        "entry first, or give this picture another id in a manifest",
    )


def _is_released(row: _Row) -> str:
    recorded = row["created_at"].date().isoformat()
    return f"it is the released file of {row['id']!r}, recorded {recorded}: left as it is"


def _unapplied(row: _Row, activation: Activation) -> str:
    """Say what a released file has that settings of now may contradict; nothing if they do not.

    Rows keep the PSNR and the kind of a file, and no other settings.
    """
    psnr, kind = row["psnr"], activation.format
    differs = (psnr is not None and psnr < activation.psnr) or (
        kind is not None
        and KINDS.get("." + row["file"].rpartition(".")[2].lower()) != KINDS["." + kind.lower()]
    )
    if not differs and activation == Activation():
        return ""
    has = "unchanged" if psnr is None else f"with a PSNR of {psnr:.2f} dB"
    which = "the settings given now" if differs else "settings given now that differ from then"
    return f" {has}; {which} were not applied: remove the entry to release it anew"
