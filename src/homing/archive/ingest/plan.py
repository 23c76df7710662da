"""What is left to do for each input, seen against what the record holds already."""

import hashlib
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from homing.archive.inputs import Input
from homing.archive.table.location import Location, resolve_place
from homing.archive.table.table import Table
from homing.errors import PictureError
from homing.images import read_bytes, shown
from homing.options import Limits

# Inputs looked up at once. Each look scans all ids, however many are asked for; but a release takes
# so long that another process may meanwhile have done what was seen to be left.
_TO_ADD, _TO_RELEASE = 2048, 256


@dataclass(frozen=True)
class Planned:
    """An input, and why nothing is to be done with it (or None)."""

    item: Input
    skipped: str | None = None
    failed: str | None = None

    @property
    def to_do(self) -> bool:
        """Whether it is to be released or added."""
        return self.skipped is None and self.failed is None


def plan(
    table: Table, inputs: Iterable[Input], archive: Location, limits: Limits, *, release: bool
) -> Iterator[Planned]:
    """Go through inputs in their order and tell which are done, taken, or to do."""
    rest, size = iter(inputs), _TO_RELEASE if release else _TO_ADD
    while chunk := list(itertools.islice(rest, size)):
        known = table.lookup([item.id for item in chunk], ["source_sha256", "state", "file"])
        for item in chunk:
            row = known.get(item.id)
            yield Planned(item) if row is None else _against(item, row, archive, limits, release)


def _against(
    item: Input, row: dict[str, Any], archive: Location, limits: Limits, release: bool
) -> Planned:
    try:
        source = hashlib.sha256(read_bytes(item.path, limits=limits)).digest()
    except PictureError as error:
        return Planned(item, failed=str(error))
    if source != row["source_sha256"]:
        return Planned(
            item,
            failed=f"the id {item.id!r} is taken by another picture (SHA-256 "
            f"{row['source_sha256'].hex()[:12]}…); remove that entry first, or give this picture "
            "another id in a manifest",
        )
    if not release:
        return Planned(item, skipped=f"already {row['state']}")
    if row["state"] == "added":
        return Planned(item)
    file = resolve_place(row["file"], archive)
    return (
        Planned(item, skipped=f"already released as {shown(file)}")
        if file.exists()
        else Planned(item)
    )
