"""Staging: a crash at any instant of a release loses nothing and leaves nothing half done.

Files are written in full into a staging folder inside the output folder. A journal then says which
file gets which name and row. Only then are names given and rows committed. The next run in the
output folder finds the journal of a run that died (its lock is free) and completes it.

::

    OUT/.homing-XXXXXXXX/lock          held while the run lives
    OUT/.homing-XXXXXXXX/0, 1, 2 …     files, complete before the journal names them
    OUT/.homing-XXXXXXXX/journal.arrow the rows about to be committed, one commit at a time
"""

import hashlib
import logging
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from homing.errors import ArchiveError, UsageError
from homing.files.durable import (
    file_sha256,
    make_folder,
    publish,
    refuses_name,
    sync_file,
    sync_folder,
    write_durably,
)
from homing.files.regular import read_regular
from homing.files.run_folders import HeldFolder, abandoned_folders, new_folder

_log = logging.getLogger(__name__)

STAGING_PREFIX = ".homing-"
_JOURNAL = "journal.arrow"
_OURS = re.compile(r"\d+|lock|journal\.arrow(\.new)?")  # all names in a staging folder
_OWNER = b"homing archive"
_MARK = b"SHA-256:"  # at the end of a journal, with its checksum

#: Commits rows to the table; returns the ids that it refused, because another picture has them.
Commit = Callable[[pa.Table], set[str]]


@dataclass(frozen=True)
class StagedFile:
    """A complete file that waits for its final name."""

    name: str  # in the staging folder
    destination: Path  # final name, relative to the output folder
    sha256: bytes


class Staging:
    """The staging folder of one run; a context manager that holds its lock.

    The output folder is made if need be. `owner` is the identity of the archive with the rows.
    """

    def __init__(self, out: Path, owner: str = "") -> None:
        try:
            make_folder(out)
            self._held = new_folder(out, STAGING_PREFIX)
            sync_folder(out)
        except OSError as error:
            raise UsageError(f"nothing can be written to {str(out)!r}: {error}") from error
        self.folder = self._held.path
        self.out = out
        self._owner = owner
        self._count = 0

    def __enter__(self) -> "Staging":
        """Return the staging folder, whose lock is held."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the folder, unless a commit is unfinished, which the next run completes."""
        unfinished = (self.folder / _JOURNAL).exists()
        if unfinished:
            self._held.close()
        else:
            self._held.remove()

    def write(self, data: bytes, destination: Path, sha256: bytes) -> StagedFile:
        """Write a file in full; its destination is relative to the output folder."""
        name = str(self._count)
        self._count += 1
        write_durably(self.folder / name, data)
        return StagedFile(name, destination, sha256)

    def discard(self, staged: StagedFile) -> None:
        """Remove a file that will not be published."""
        (self.folder / staged.name).unlink(missing_ok=True)

    def commit(self, rows: pa.Table, files: Sequence[StagedFile], commit: Commit) -> list[str]:
        """Publish files and commit their rows, as one step that a crash cannot tear.

        `rows` has one row per file, in order. `commit` may be called again with the same rows.
        Returns for each file "recorded", "name taken" (another file has its name and is left
        alone), "name refused" (the file system does not allow that name there) or "id taken" (the
        table refused the row, and the file is withdrawn).
        """
        _write_journal(self.folder, rows, files, self._owner)
        fates = _publish_and_commit(self.folder, self.out, rows, files, commit)
        for staged in files:
            (self.folder / staged.name).unlink(missing_ok=True)
        return fates


def recover(out: Path, owner: str, commit: Commit) -> int:
    """Complete an archive's runs that died in this output folder; return how many rows were added.

    An unfinished commit of another archive is left to that archive's next run.
    """
    recovered = 0
    for left in _abandoned(out):
        with closing(left):
            journal = left.path / _JOURNAL
            if journal.exists():
                rows, files, whose = _read_journal(journal)
                if whose != owner:
                    continue
                fates = _publish_and_commit(left.path, out, rows, files, commit)
                recovered += fates.count("recorded")
                _log.info("completed %d pictures of a run that died, in %s", len(fates), out)
            # A run without a journal died before it named any file: its files are thrown away.
            left.remove()
    return recovered


def clear(out: Path) -> None:
    """Remove what runs that died left in this output folder, except unfinished commits."""
    for left in _abandoned(out):
        with closing(left):
            if not (left.path / _JOURNAL).exists():
                left.remove()


def _abandoned(out: Path) -> Iterator[HeldFolder]:
    return abandoned_folders(out, STAGING_PREFIX, _OURS)


def _publish_and_commit(
    folder: Path, out: Path, rows: pa.Table, files: Sequence[StagedFile], commit: Commit
) -> list[str]:
    placed = [_place(folder, out, staged) for staged in files]
    placed_rows = rows.filter(pa.array([place in {"new", "same"} for place in placed], pa.bool_()))
    refused = commit(placed_rows) if placed_rows.num_rows else set()
    fates = []
    for staged, place, row in zip(files, placed, rows.column("id").to_pylist(), strict=True):
        if place in {"taken", "refused"}:
            fates.append(f"name {place}")
        elif row in refused:
            if place == "new":
                (out / staged.destination).unlink()
                sync_folder((out / staged.destination).parent)
            fates.append("id taken")
        else:
            fates.append("recorded")
    (folder / _JOURNAL).unlink()
    sync_folder(folder)
    return fates


def _place(folder: Path, out: Path, staged: StagedFile) -> str:
    """Give a staged file its final name, and return what became of it.

    "new": this or a died run gave it; "same": an equal file was there; "taken": another file was
    there; "refused": the file system does not allow that name.
    """
    source, final = folder / staged.name, out / staged.destination
    try:
        make_folder(final.parent)
        publish(source, final)
    except (FileExistsError, NotADirectoryError, FileNotFoundError):
        # Not a directory: a file stands where the name needs a folder. Not found: a run that died
        # had moved it already, on a file system where publishing is moving.
        if not final.is_file() or file_sha256(final) != staged.sha256:
            return "taken"
        sync_file(final)  # the run that gave it that name may have died before it did
        sync_folder(final.parent)
        # A file that a died run published counts as new too: it may have to be withdrawn.
        return "new" if not source.exists() or source.samefile(final) else "same"
    except OSError as error:
        if not refuses_name(error):
            raise
        return "refused"
    sync_folder(final.parent)
    return "new"


def damaged_journals(out: Path) -> Iterator[str]:
    """Read the journals of unfinished commits in an output folder; yield what is wrong."""
    for journal in sorted(out.glob(f"{STAGING_PREFIX}*/{_JOURNAL}")):
        try:
            _read_journal(journal)
        except ArchiveError as error:
            if journal.exists():  # else its run, or another one, has completed it
                yield str(error)


def _write_journal(folder: Path, rows: pa.Table, files: Sequence[StagedFile], owner: str) -> None:
    columns = {
        "staged_name": pa.array([staged.name for staged in files], pa.string()),
        "staged_destination": pa.array([os.fsencode(s.destination) for s in files], pa.binary()),
    }
    table = rows
    for name, column in columns.items():
        table = table.append_column(name, column)
    table = table.replace_schema_metadata({_OWNER: owner})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    temporary = folder / (_JOURNAL + ".new")
    data = sink.getvalue().to_pybytes()
    write_durably(temporary, data + _MARK + hashlib.sha256(data).digest())
    temporary.rename(folder / _JOURNAL)
    sync_folder(folder)


def _read_journal(journal: Path) -> tuple[pa.Table, list[StagedFile], str]:
    """Read the rows and files of an unfinished commit, and the identity of its archive."""
    try:
        with pa.ipc.open_file(pa.BufferReader(_checked(read_regular(journal)))) as reader:
            table = reader.read_all()
    except (OSError, ValueError, pa.ArrowException) as error:
        raise ArchiveError(
            f"{journal}, left by a run that died, is damaged ({error}); remove its folder and run "
            "'homing verify'"
        ) from error
    owner = (table.schema.metadata or {}).get(_OWNER, b"").decode()
    names = table.column("staged_name").to_pylist()
    destinations = table.column("staged_destination").to_pylist()
    digests = table.column("file_sha256").to_pylist()
    files = [
        StagedFile(name, Path(os.fsdecode(destination)), digest)
        for name, destination, digest in zip(names, destinations, digests, strict=True)
    ]
    rows = table.drop_columns(["staged_name", "staged_destination"])
    return rows.replace_schema_metadata(None), files, owner


def _checked(data: bytes) -> bytes:
    """Return a journal without its checksum, which must be right; older ones have none."""
    end = len(data) - len(_MARK) - hashlib.sha256().digest_size
    body, mark, digest = data[:end], data[end:][: len(_MARK)], data[end:][len(_MARK) :]
    if mark != _MARK and data.endswith(b"ARROW1"):
        return data
    if mark != _MARK or hashlib.sha256(body).digest() != digest:
        raise ValueError("its checksum differs")
    return body
