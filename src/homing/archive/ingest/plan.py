"""The plan of a run: what is left to do for each input, given the rows already in the table."""

import hashlib
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from homing.archive.inputs import Input
from homing.archive.table.location import Location, resolve_place
from homing.errors import PictureError
from homing.images.limits import read_bytes, shown
from homing.options import Limits

if TYPE_CHECKING:
    from homing.archive.table.table import Table

# Inputs looked up at once. Each lookup scans all ids, however many it is for; but a release takes
# so long that another process may meanwhile have done what a lookup showed as left to do.
_TO_ADD, _TO_RELEASE = 2048, 256


@dataclass(frozen=True)
class PlannedInput:
    """An input, and why it is skipped or has failed; neither if it is to do."""

    item: Input
    skipped: str | None = None
    failed: str | None = None

    @property
    def to_do(self) -> bool:
        """Return whether the picture is to be released or added."""
        return self.skipped is None and self.failed is None


def plan(
    table: "Table", inputs: Iterable[Input], archive: Location, limits: Limits, *, release: bool
) -> Iterator[PlannedInput]:
    """Decide for each input, in order, whether it is done, its id is taken, or it is to do."""
    rest, size = iter(inputs), _TO_RELEASE if release else _TO_ADD
    while chunk := list(itertools.islice(rest, size)):
        rows = table.lookup([item.id for item in chunk], ["source_sha256", "state", "file"])
        for item in chunk:
            row = rows.get(item.id)
            if row is None:
                yield PlannedInput(item)
            else:
                yield _compare(item, row, archive, limits, release=release)


def _compare(
    item: Input, row: dict[str, Any], archive: Location, limits: Limits, *, release: bool
) -> PlannedInput:
    """Plan an input whose id has a row."""
    try:
        source = hashlib.sha256(read_bytes(item.path, limits=limits)).digest()
    except PictureError as error:
        return PlannedInput(item, failed=str(error))
    if source != row["source_sha256"]:
        return PlannedInput(
            item,
            failed=f"the id {item.id!r} is taken by another picture (SHA-256 "
            f"{row['source_sha256'].hex()[:12]}…); remove that entry first, or give this picture "
            "another id in a manifest",
        )
    if not release:
        return PlannedInput(item, skipped=f"already {row['state']}")
    if row["state"] == "added":
        return PlannedInput(item)
    file = resolve_place(row["file"], archive)
    if file.exists():
        return PlannedInput(item, skipped=f"already released as {shown(file)}")
    return PlannedInput(item)
