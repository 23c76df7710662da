"""Release: activate, write the file, record it."""

import dataclasses
import datetime
import hashlib
import math
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from homing.activation import Activated, Activator
from homing.archive.ingest.activate_by_workers import Activate
from homing.archive.ingest.plan import Planned, plan
from homing.archive.ingest.sign import Seal
from homing.archive.ingest.staging import Staged, Staging, recover
from homing.archive.inputs import Input
from homing.archive.query.manifests import MANIFEST
from homing.archive.results import Outcome
from homing.archive.table.commit import commit_rows, quantize
from homing.archive.table.location import Location, recorded_place
from homing.archive.table.rows import Row
from homing.archive.table.table import Table
from homing.errors import PictureError
from homing.images import shown

_COMMIT = 64  # pictures recorded together, at most
_SECONDS = 20.0  # a commit waits no longer: what is not recorded is lost by an interruption

_Item = tuple[Planned, Activated | PictureError | None]


@dataclass(frozen=True)
class _Written:
    """A picture activated and staged, before it is recorded."""

    item: Input
    activated: Activated
    staged: Staged


def release(
    table: Table,
    activator: Activator,
    inputs: Iterable[Input],
    out: Path,
    archive: Location,
    *,
    owner: str,
    generation: int = 1,
    seal: Seal | None = None,
    activate: Activate | None = None,
) -> Generator[Outcome, None, None]:
    """Release pictures; an outcome comes once its picture is recorded, in the order given.

    Parameters
    ----------
    table : Table
        Where the rows go.
    activator : Activator
        How pictures are changed.
    inputs : iterable of Input
        What to release.
    out : Path
        Folder for the released files; it is made if need be.
    archive : Path
        Folder of the archive, which recorded places are relative to.
    owner : str
        Identity of the archive: what runs of others left unfinished in `out` is theirs to finish.
    generation : int
        Of the archive's codebooks, the activator's.
    seal : Seal or None
        Signs the files, as Content Credentials.
    activate : callable or None
        Has others do what the activator stands for; None: the activator does it.
    """
    recover(out, owner, lambda rows: commit_rows(table, rows))
    with Staging(out, owner) as staging:
        run = _Run(table, activator, generation, staging, archive, seal, activate)
        # Staged one by one as they come, so that no more than a batch of files is in memory.
        for chunk in _chunks(run.stage(*item) for item in run.activate(inputs)):
            yield from run.commit(chunk)


def _chunks(outcomes: Iterable["Outcome | _Written"]) -> Iterator[list["Outcome | _Written"]]:
    chunk, start = [], time.monotonic()
    for outcome in outcomes:
        chunk.append(outcome)
        if len(chunk) >= _COMMIT or time.monotonic() - start >= _SECONDS:
            yield chunk
            chunk, start = [], time.monotonic()
    if chunk:
        yield chunk


class _Run:
    def __init__(
        self,
        table: Table,
        activator: Activator,
        generation: int,
        staging: Staging,
        archive: Location,
        seal: Seal | None,
        activate: Activate | None,
    ) -> None:
        self._table = table
        self._activator = activator
        self._generation = generation
        self._staging = staging
        self._archive = archive
        self._seal = seal
        self._activate = activate or activator.run
        self._clock = time.perf_counter()

    def activate(self, inputs: Iterable[Input]) -> Iterator[_Item]:
        """Pair every input with its activation; nothing for those that need none."""
        waiting: deque[Planned] = deque()

        def sources() -> Iterator[Path]:
            planned = plan(self._table, inputs, self._archive, self._activator.limits, release=True)
            for entry in planned:
                waiting.append(entry)
                if entry.to_do:
                    yield entry.item.path

        for result in self._activate(sources()):
            while not waiting[0].to_do:
                yield waiting.popleft(), None
            yield waiting.popleft(), result
        yield from ((entry, None) for entry in waiting)

    def commit(self, chunk: Sequence["Outcome | _Written"]) -> list[Outcome]:
        """Publish and record a chunk; its outcomes in order."""
        written = [entry for entry in chunk if isinstance(entry, _Written)]
        fates: dict[str, str] = {}
        if written:
            found = self._staging.commit(
                self._rows(written),
                [entry.staged for entry in written],
                lambda rows: commit_rows(self._table, rows),
            )
            fates = {entry.item.id: fate for entry, fate in zip(written, found, strict=True)}
        now = time.perf_counter()
        seconds, self._clock = (now - self._clock) / len(chunk), now
        return [
            self._outcome(entry, fates[entry.item.id], seconds)
            if isinstance(entry, _Written)
            else entry
            for entry in chunk
        ]

    def stage(
        self, planned: Planned, activated: Activated | PictureError | None
    ) -> "Outcome | _Written":
        """Write the file of a picture, if there is one, and let go of its bytes."""
        item = planned.item
        if isinstance(activated, Activated) and self._seal is not None:
            try:
                item, activated = self._seal.put(item, activated)
            except PictureError as error:
                activated = error
        if isinstance(activated, Activated):
            destination = item.destination_as(self._activator.kind)
            digest = hashlib.sha256(activated.data).digest()
            staged = self._staging.write(activated.data, destination, digest)
            return _Written(item, dataclasses.replace(activated, data=b""), staged)
        failed = str(activated) if isinstance(activated, PictureError) else planned.failed
        return Outcome(
            source=shown(item.path),
            status="skipped" if failed is None else "failed",
            id=item.id,
            reason=failed or planned.skipped,
        )

    def _rows(self, written: Sequence[_Written]) -> pa.Table:
        vectors, cells, codes = quantize(
            self._activator.codebook, np.stack([entry.activated.vector for entry in written])
        )
        now = datetime.datetime.now(datetime.UTC)
        rows = [
            Row(
                id=entry.item.id,
                state="released",
                source_sha256=entry.activated.source_sha256,
                file_sha256=entry.staged.sha256,
                file=recorded_place(self._staging.out / entry.staged.destination, self._archive),
                width=entry.activated.width,
                height=entry.activated.height,
                psnr=_finite(entry.activated.psnr),
                created_at=now,
                vector=vector,
                generation=self._generation,
                cell=int(cell),
                code=code.tobytes(),
                metadata=entry.item.metadata,
            )
            for entry, vector, cell, code in zip(written, vectors, cells, codes, strict=True)
        ]
        return self._table.to_arrow(rows)

    def _outcome(self, entry: _Written, fate: str, seconds: float) -> Outcome:
        source, item = shown(entry.item.path), entry.item
        if fate != "recorded":
            reason = _refusal(entry, self._staging.out, fate)
            return Outcome(source=source, status="failed", id=item.id, reason=reason)
        return Outcome(
            source=source,
            status="released",
            id=item.id,
            file=shown(self._staging.out / entry.staged.destination),
            psnr=_finite(entry.activated.psnr),
            ssim=entry.activated.ssim,
            cell_kept=entry.activated.cell_kept,
            also_kept=entry.activated.also_kept,
            seconds=seconds,
            notes=entry.activated.notes,
            c2pa_manifest=(item.metadata or {}).get(MANIFEST) if self._seal else None,
        )


def _refusal(entry: _Written, out: Path, fate: str) -> str:
    if fate == "name taken":
        return (
            f"{shown(out / entry.staged.destination)} exists and is another file; "
            "move it away, or release into another folder"
        )
    if fate == "name refused":
        return (
            f"{shown(out / entry.staged.destination)}: there can be no file of that name, or not "
            "there; rename the picture, or release into another folder"
        )
    return f"the id {entry.item.id!r} was taken by another picture meanwhile"


def _finite(psnr: float) -> float | None:
    return None if math.isinf(psnr) else psnr
