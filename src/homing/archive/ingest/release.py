"""Release: pictures activated, written to files and recorded."""

import datetime
import hashlib
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from homing.archive.ingest.plan import PlannedInput, plan
from homing.archive.ingest.run import (
    UNOBSERVED,
    Observer,
    chunks,
    finite_psnr,
    outcome_with_file,
    outcome_without_file,
)
from homing.archive.ingest.staging import StagedFile, Staging, recover
from homing.archive.inputs import Input
from homing.archive.previews.recognition import Recognition
from homing.archive.previews.record import carry, record_rows
from homing.archive.previews.store import PreviewStore
from homing.archive.query.manifests import MANIFEST
from homing.archive.results import Outcome
from homing.archive.table.commit import quantize
from homing.archive.table.location import Location, recorded_place
from homing.archive.table.places import places_of
from homing.archive.table.rows import Row
from homing.codebooks.faiss_codebook import with_codes
from homing.errors import PictureError
from homing.files.durable import file_sha256
from homing.images.limits import shown
from homing.options import Activation

if TYPE_CHECKING:
    from homing.activation.activator import Activated, Activator
    from homing.archive.ingest.by_workers import Activate
    from homing.archive.ingest.sign import Seal
    from homing.archive.table.table import Table

_COMMIT = 64  # pictures recorded together, at most


@dataclass(frozen=True)
class ReleaseRun:
    """Everything that a release needs besides its pictures."""

    table: "Table"
    activator: "Activator"
    out: Path  # folder for the released files; made if need be
    archive: Location  # folder of the archive, which recorded places are relative to
    previews: PreviewStore
    owner: str  # identity of the archive; unfinished runs of others in `out` are left to them
    activation: Activation  # the activator's options
    generation: int = 1  # of the archive's codebooks, the activator's
    seal: "Seal | None" = None  # signs the files, as Content Credentials
    activate: "Activate | None" = None  # does the activator's work; None: the activator itself
    observer: Observer = UNOBSERVED

    def record(self, rows: pa.Table) -> set[str]:
        """Record rows that carry their previews; returns the ids that other pictures have."""
        return record_rows(self.table, self.previews, rows)


def release(run: ReleaseRun, inputs: Iterable[Input]) -> Generator[Outcome, None, None]:
    """Release pictures in order; an outcome comes once its picture is recorded."""
    recover(run.out, run.owner, run.record)
    with Staging(run.out, run.owner) as staging:
        steps = _Steps(run, staging)
        # Staged one by one as they come, so that no more than a batch of files is in memory.
        staged = (steps.stage(*activated) for activated in steps.activate(inputs))
        for chunk in chunks(staged, _COMMIT):
            yield from steps.commit(chunk)


@dataclass(frozen=True)
class _StagedPicture:
    """A picture activated and staged, before it is recorded."""

    item: Input
    activated: "Activated"  # without its file's bytes
    staged: StagedFile


class _Steps:
    """The steps of a run: activate, stage, commit."""

    def __init__(self, run: ReleaseRun, staging: Staging) -> None:
        self._run = run
        self._staging = staging
        self._clock = time.perf_counter()

    def activate(
        self, inputs: Iterable[Input]
    ) -> Iterator[tuple[PlannedInput, "Activated | PictureError | None"]]:
        """Pair every input with its activation; None for those that need none."""
        run = self._run
        waiting: deque[PlannedInput] = deque()

        def sources() -> Iterator[Path]:
            size = run.activator.descriptor.input_size
            known = Recognition(run.previews, size, run.activator.limits)
            given = run.activation
            for each in plan(run.table, inputs, run.archive, known, activation=given):
                planned = self._unless_taken(each) if each.to_do else each
                if run.observer.stopped():
                    return
                waiting.append(planned)
                if not planned.to_do:
                    run.observer.skipped()
                    continue
                run.observer.begun()
                yield planned.item.path

        for activated in self._activated(sources()):
            while not waiting[0].to_do:
                yield waiting.popleft(), None
            yield waiting.popleft(), activated
        yield from ((planned, None) for planned in waiting)

    def _activated(self, sources: Iterable[Path]) -> "Iterator[Activated | PictureError]":
        """Activate files, here or by workers, whose pictures come several at a time."""
        run, worked = self._run, self._run.observer.worked
        if run.activate is None:
            yield from run.activator.run(sources, worked)
            return
        for activated in run.activate(sources):
            worked()
            yield activated

    def _unless_taken(self, planned: PlannedInput) -> PlannedInput:
        """Return the plan of a picture, failed if another entry's file has its file's name.

        A file of no entry is left to the end: it may be the very one that will be written.
        """
        run, item = self._run, planned.item
        final = run.out / item.destination_as(run.activator.kind)
        try:
            if not final.is_file():
                return planned
            digest = file_sha256(final)
        except OSError:  # a name that cannot be, or a file that cannot be read
            return planned
        owners = run.table.lookup_files([digest], ["state", "file_sha256"])
        others = [row["id"] for row in owners if row["file_sha256"] == digest]
        if not others or item.id in others:
            return planned
        reason = f"{shown(final)} is the file of {min(others)!r}; release into another folder"
        return replace(planned, failed=reason)

    def stage(
        self, planned: PlannedInput, activated: "Activated | PictureError | None"
    ) -> Outcome | _StagedPicture:
        """Write the file of a picture, if it has one, and drop the file's bytes."""
        item, seal = planned.item, self._run.seal
        if seal is not None and activated is not None and not isinstance(activated, PictureError):
            try:
                item, activated = seal.put(item, activated)
            except PictureError as error:
                activated = error
        if activated is None or isinstance(activated, PictureError):
            failed = planned.failed if activated is None else str(activated)
            status = "skipped" if failed is None else "failed"
            reason = failed or planned.skipped
            return outcome_without_file(item, status, reason, planned.unrecorded)
        destination = item.destination_as(self._run.activator.kind)
        digest = hashlib.sha256(activated.data).digest()
        staged = self._staging.write(activated.data, destination, digest)
        notes = activated.notes if planned.note is None else (*activated.notes, planned.note)
        return _StagedPicture(item, replace(activated, data=b"", notes=notes), staged)

    def commit(self, chunk: Sequence[Outcome | _StagedPicture]) -> list[Outcome]:
        """Publish and record a chunk; return its outcomes in order."""
        pictures = [entry for entry in chunk if isinstance(entry, _StagedPicture)]
        fates: dict[str, str] = {}
        if pictures:
            committed = self._staging.commit(
                self._rows(pictures),
                [picture.staged for picture in pictures],
                self._run.record,
            )
            fates = {each.item.id: fate for each, fate in zip(pictures, committed, strict=True)}
        now = time.perf_counter()
        seconds, self._clock = (now - self._clock) / len(chunk), now
        return [
            self._outcome(entry, fates[entry.item.id], seconds)
            if isinstance(entry, _StagedPicture)
            else entry
            for entry in chunk
        ]

    def _rows(self, pictures: Sequence[_StagedPicture]) -> pa.Table:
        codebook, most = with_codes(self._run.activator.codebook), self._run.table.places
        vectors = np.stack([picture.activated.vector for picture in pictures])
        stored, cells, codes = quantize(codebook, vectors)
        further = places_of(codebook, stored.astype(np.float32), [True] * len(stored), most)
        now = datetime.datetime.now(datetime.UTC)
        rows = [
            Row(
                id=each.item.id,
                state="released",
                source_sha256=each.activated.source_sha256,
                file_sha256=each.staged.sha256,
                file=recorded_place(self._final(each), self._run.archive),
                width=each.activated.width,
                height=each.activated.height,
                psnr=finite_psnr(each.activated.psnr),
                created_at=now,
                vector=vector,
                generation=self._run.generation,
                cell=int(cell),
                code=code.tobytes(),
                metadata=each.item.metadata,
                places=places,
            )
            for each, vector, cell, code, places in zip(
                pictures, stored, cells, codes, further, strict=True
            )
        ]
        return carry(self._run.table.to_arrow(rows), [each.activated.preview for each in pictures])

    def _outcome(self, picture: _StagedPicture, fate: str, seconds: float) -> Outcome:
        item, final = picture.item, self._final(picture)
        if fate != "recorded":
            return outcome_without_file(item, "failed", _reason(fate, item, shown(final)))
        return outcome_with_file(
            item,
            picture.activated,
            final,
            status="released",
            seconds=seconds,
            c2pa_manifest=(item.metadata or {}).get(MANIFEST) if self._run.seal else None,
        )

    def _final(self, picture: _StagedPicture) -> Path:
        return self._run.out / picture.staged.destination


def _reason(fate: str, item: Input, file: str) -> str:
    """Say why a staged file was not released."""
    if fate == "name taken":
        return f"{file} exists and is another file; move it away, or release into another folder"
    if fate == "name refused":
        return (
            f"{file}: the file system does not allow a file of that name there; rename the "
            "picture, or release into another folder"
        )
    return f"the id {item.id!r} was taken by another picture meanwhile"
