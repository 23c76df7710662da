"""Releasing files so that a crash at any instant loses nothing and leaves nothing half done.

Files are written in full into a staging folder inside the output folder; a journal then says which
file gets which name and row; only then are names given and the rows committed. Whoever opens the
output folder next finds the journal of a run that died (its lock is free) and brings it to its end.

::

    OUT/.homing-XXXXXXXX/lock          held while the run lives
    OUT/.homing-XXXXXXXX/0, 1, 2 …     files, complete before the journal names them
    OUT/.homing-XXXXXXXX/journal.arrow the rows about to be committed, one commit at a time
"""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import pyarrow as pa

from homing.errors import ArchiveError, UsageError
from homing.files.durable import file_sha256, publish, refuses_name, sync_folder, write_durably
from homing.files.run_folders import HeldFolder, abandoned, new_folder

STAGING_PREFIX = ".homing-"
_JOURNAL = "journal.arrow"
_OURS = re.compile(r"\d+|lock|journal\.arrow(\.new)?")  # all that a staging folder ever holds
_OWNER = b"homing archive"

#: Writes rows to the record; returns the ids it refused because another picture has them.
Commit = Callable[[pa.Table], set[str]]


@dataclass(frozen=True)
class Staged:
    """A complete file that waits for its name.

    Attributes
    ----------
    name : str
        Its name in the staging folder.
    destination : Path
        Its final name, relative to the output folder.
    sha256 : bytes
        Of its bytes.
    """

    name: str
    destination: Path
    sha256: bytes


class Staging:
    """The staging folder of one run; a context manager that holds its lock.

    Parameters
    ----------
    out : Path
        The output folder; it is made if need be.
    owner : str
        Identity of the archive that the rows belong to.
    """

    def __init__(self, out: Path, owner: str = "") -> None:
        try:
            out.mkdir(parents=True, exist_ok=True)
            self._held = new_folder(out, STAGING_PREFIX)
        except OSError as error:
            raise UsageError(f"nothing can be written to {str(out)!r}: {error}") from error
        self.folder = self._held.path
        self.out = out
        self._owner = owner
        self._count = 0

    def __enter__(self) -> "Staging":
        """Return the staging folder, its lock held."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave nothing behind, unless a commit is unfinished: the next run will finish it."""
        unfinished = (self.folder / _JOURNAL).exists()
        if unfinished:
            self._held.close()
        else:
            self._held.remove()

    def write(self, data: bytes, destination: Path, sha256: bytes) -> Staged:
        """Write a file in full. Its destination is relative to the output folder."""
        name = str(self._count)
        self._count += 1
        write_durably(self.folder / name, data)
        return Staged(name, destination, sha256)

    def discard(self, staged: Staged) -> None:
        """Forget a file that will not be published."""
        (self.folder / staged.name).unlink(missing_ok=True)

    def commit(self, rows: pa.Table, files: Sequence[Staged], commit: Commit) -> list[str]:
        """Publish files and commit their rows, as one step that a crash cannot tear.

        Parameters
        ----------
        rows : pa.Table
            One row a file, in the same order.
        files : sequence of Staged
            What to publish.
        commit : callable
            Writes a table of rows to the record and returns the ids that it refused; may be
            called again with the same rows.

        Returns
        -------
        list of str
            For each file "recorded", "name taken" (another file has its name: left as it is),
            "name refused" (the file system does not have such names, or not there) or "id taken"
            (the record refused the row: the file is withdrawn).
        """
        _write_journal(self.folder, rows, files, self._owner)
        fates = _publish_and_commit(self.folder, self.out, rows, files, commit)
        for staged in files:
            (self.folder / staged.name).unlink(missing_ok=True)
        return fates


def recover(out: Path, owner: str, commit: Commit) -> int:
    """Bring an archive's runs that died in this output folder to their end.

    An unfinished commit of another archive is left for that archive's next run.

    Returns
    -------
    int
        How many rows of unfinished commits were brought in.
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
            # Without a journal it died before it had named anything: its files are thrown away.
            left.remove()
    return recovered


def clear(out: Path) -> None:
    """Remove what runs that died left in this output folder, but for unfinished commits."""
    for left in _abandoned(out):
        with closing(left):
            if not (left.path / _JOURNAL).exists():
                left.remove()


def _abandoned(out: Path) -> Iterator[HeldFolder]:
    return abandoned(out, STAGING_PREFIX, _OURS)


def _publish_and_commit(
    folder: Path, out: Path, rows: pa.Table, files: Sequence[Staged], commit: Commit
) -> list[str]:
    placed = [_place(folder, out, staged) for staged in files]
    kept = rows.filter(pa.array([place in {"new", "same"} for place in placed], pa.bool_()))
    refused = commit(kept) if kept.num_rows else set()
    fates = []
    for staged, place, row in zip(files, placed, rows.column("id").to_pylist(), strict=True):
        if place in {"taken", "refused"}:
            fates.append(f"name {place}")
        elif row in refused:
            if place == "new":
                (out / staged.destination).unlink()
            fates.append("id taken")
        else:
            fates.append("recorded")
    (folder / _JOURNAL).unlink()
    sync_folder(folder)
    return fates


def _place(folder: Path, out: Path, staged: Staged) -> str:
    """Give a staged file its final name.

    "new": it has it, from us; "same": that very file was there; "taken": another file was;
    "refused": the file system gives no file that name.
    """
    source, final = folder / staged.name, out / staged.destination
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        publish(source, final)
    except (FileExistsError, NotADirectoryError, FileNotFoundError):
        # Not a directory: a file stands where a folder of the name is wanted. Not found: a run that
        # died had moved it already, on a file system where publishing is moving.
        if not final.is_file() or file_sha256(final) != staged.sha256:
            return "taken"
        # What a run that died had published is ours too, and may have to be withdrawn.
        return "new" if not source.exists() or source.samefile(final) else "same"
    except OSError as error:
        if not refuses_name(error):
            raise
        return "refused"
    sync_folder(final.parent)
    return "new"


def _write_journal(folder: Path, rows: pa.Table, files: Sequence[Staged], owner: str) -> None:
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
    write_durably(temporary, sink.getvalue().to_pybytes())
    temporary.rename(folder / _JOURNAL)
    sync_folder(folder)


def _read_journal(journal: Path) -> tuple[pa.Table, list[Staged], str]:
    """Rows and files of an unfinished commit, and the archive it belongs to."""
    try:
        with pa.ipc.open_file(pa.BufferReader(journal.read_bytes())) as reader:
            table = reader.read_all()
    except (OSError, pa.ArrowException) as error:
        raise ArchiveError(
            f"{journal}, what a run that died has left, is damaged ({error}); remove its folder "
            "and run 'homing verify'"
        ) from error
    owner = (table.schema.metadata or {}).get(_OWNER, b"").decode()
    names = table.column("staged_name").to_pylist()
    destinations = table.column("staged_destination").to_pylist()
    digests = table.column("file_sha256").to_pylist()
    files = [
        Staged(name, Path(os.fsdecode(destination)), digest)
        for name, destination, digest in zip(names, destinations, digests, strict=True)
    ]
    rows = table.drop_columns(["staged_name", "staged_destination"])
    return rows.replace_schema_metadata(None), files, owner
