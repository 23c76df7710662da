"""The previews of an archive, in packs: files beside the table, of which rows name a part.

::

    ARCHIVE/previews/TIME-DIGEST.pack    the previews of one commit, one after the other

TIME is when the pack was written, in seconds since 1970, and DIGEST the start of the SHA-256 of its
bytes, both hexadecimal. A pack never changes, and is complete before the rows that name it are
committed: a crash leaves at most a pack that no row names, which compacting removes.
"""

import hashlib
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from homing.archive.settings import ArchiveSettings
from homing.archive.table.location import Location
from homing.archive.table.rows import PreviewReference
from homing.errors import ArchiveError
from homing.files.durable import (
    make_folder,
    remove_parts,
    staged_beside,
    sync_folder,
    write_durably,
)
from homing.files.regular import open_regular, read_regular
from homing.images.limits import shown
from homing.images.preview import LARGEST_PREVIEW, is_preview

NO_PREVIEW = "it has no preview; see 'homing previews'"

_FOLDER, _SUFFIX = "previews", ".pack"
_DIGEST = 32  # hexadecimal digits
_LARGEST = 16 << 20  # bytes of a pack, unless one preview is larger


@dataclass(frozen=True)
class PreviewStore:
    """Packs of previews; references to previews are the texts of a row's column ``preview``."""

    folder: Location
    side: int  # longer side of new previews, pixels; 0: the archive keeps none

    @classmethod
    def of(cls, archive: Location, settings: ArchiveSettings) -> "PreviewStore":
        """Return the store of an archive."""
        return cls.at(archive, settings.previews)

    @classmethod
    def at(cls, archive: Location, side: int) -> "PreviewStore":
        """Return the store of the archive at a place, with that side."""
        return cls(archive / _FOLDER, side)

    def write(self, previews: Sequence[bytes]) -> list[str]:
        """Write previews durably; return a reference to each.

        A row may name them only from a commit within the same :meth:`Table.hold_versions`.
        """
        references: list[str] = []
        for part in _parts(previews):
            name = self._write_pack(b"".join(part))
            offset = 0
            for preview in part:
                references.append(str(PreviewReference(name, offset, len(preview))))
                offset += len(preview)
        return references

    def read(self, reference: str) -> bytes:
        """Read a preview; ArchiveError if it is missing or damaged."""
        (found,) = self.find([reference])
        if isinstance(found, str):
            raise ArchiveError(f"{found}; see 'homing verify'")
        return found

    def find(self, references: Sequence[str | None]) -> list[bytes | str]:
        """Read previews, each pack opened once; where there is none, the reason is in its place.

        Their form is checked and not their content: see :func:`homing.images.preview.read_preview`.
        """
        found: list[bytes | str] = [NO_PREVIEW] * len(references)
        packs: defaultdict[str, list[tuple[int, PreviewReference]]] = defaultdict(list)
        for place, text in enumerate(references):
            if text is not None:
                try:
                    reference = PreviewReference.parse(text)
                except ValueError:
                    found[place] = f"its preview cannot be found by {text!r}"
                else:
                    packs[reference.pack].append((place, reference))
        wanted = [each for parts in packs.values() for each in parts]
        read = self._read([reference for _, reference in wanted])
        for (place, reference), data in zip(wanted, read, strict=True):
            found[place] = data if data is not None else _reason(reference.pack)
        return found

    def packs(self) -> list[str]:
        """List the names of all packs."""
        if not isinstance(self.folder, Path):
            names = self.folder.names()
        else:
            names = [file.name for file in self.folder.iterdir()] if self.folder.exists() else []
        return [name for name in names if name.endswith(_SUFFIX)]

    def read_pack(self, name: str) -> bytes | None:
        """Read a whole pack; None if it is missing, or not the one that its name says."""
        try:
            if isinstance(self.folder, Path):
                data = read_regular(self.folder / name)
            else:
                with tempfile.TemporaryDirectory(prefix="homing-") as local:
                    copy = Path(local) / "pack"
                    (self.folder / name).fetch(copy)
                    data = copy.read_bytes()
        except OSError:
            return None
        return data if _digest(data) == name.removesuffix(_SUFFIX).partition("-")[2] else None

    def remove_pack(self, name: str) -> int:
        """Remove a pack; return the bytes freed, 0 in an object store, which does not say."""
        place = self.folder / name
        if not isinstance(place, Path):
            place.delete()
            return 0
        with suppress(FileNotFoundError):  # another process has removed it
            size = place.stat().st_size
            place.unlink()
            return size
        return 0

    def remove_parts(self, seconds: float) -> None:
        """Remove partial files that are older, of processes that were killed while writing."""
        if isinstance(self.folder, Path):
            remove_parts(self.folder, seconds)

    def _write_pack(self, data: bytes) -> str:
        name = f"{int(time.time()):08x}-{_digest(data)}{_SUFFIX}"
        if isinstance(self.folder, Path):
            make_folder(self.folder)
            with staged_beside(self.folder / name) as staged:
                write_durably(staged, data)
                staged.replace(self.folder / name)
            sync_folder(self.folder)
        else:
            with tempfile.TemporaryDirectory(prefix="homing-") as local:
                file = Path(local) / name
                file.write_bytes(data)
                (self.folder / name).put(file)
        return name

    def _read(self, wanted: Sequence[PreviewReference]) -> list[bytes | None]:
        """Read parts of packs, sorted by pack; None where one is missing or is no preview."""
        if not isinstance(self.folder, Path):
            ranges = [(each.pack, each.offset, each.length) for each in wanted]
            read: Sequence[object] = self.folder.read_ranges(ranges) if ranges else []
        else:
            read = list(_read_files(self.folder, wanted))
        return [data if isinstance(data, bytes) and is_preview(data) else None for data in read]


def _reason(pack: str) -> str:  # which clients of a service see: it names no folder
    return f"its preview in {shown(pack)} is missing or damaged"


def _read_files(folder: Path, wanted: Sequence[PreviewReference]) -> Iterator[bytes | None]:
    file: IO[bytes] | None = None
    last = ""
    try:
        for each in wanted:
            if each.pack != last:
                if file is not None:
                    file.close()
                last, file = each.pack, _open(folder / each.pack)
            yield None if file is None else _part(file, each)
    finally:
        if file is not None:
            file.close()


def _part(file: IO[bytes], reference: PreviewReference) -> bytes | None:
    try:
        file.seek(reference.offset)
        return file.read(min(reference.length, LARGEST_PREVIEW))
    except (OSError, ValueError):  # a negative offset
        return None


def _open(file: Path) -> IO[bytes] | None:
    try:
        return open_regular(file)
    except OSError:
        return None


def _parts(previews: Sequence[bytes]) -> Iterator[list[bytes]]:
    """Divide previews among packs."""
    part: list[bytes] = []
    size = 0
    for preview in previews:
        if part and size + len(preview) > _LARGEST:
            yield part
            part, size = [], 0
        part.append(preview)
        size += len(preview)
    if part:
        yield part


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:_DIGEST]


def written_at(pack: str) -> float:
    """Return when a pack was written, in seconds since 1970, from its name; 0 if that is odd."""
    try:
        return float(int(pack.partition("-")[0], 16))
    except ValueError:
        return 0.0
