"""Archives in object stores: the small files that lie beside the record there.

A place is a local folder (a `Path`) or a prefix of an object store (``s3://…``, ``gs://…``,
``az://…``). Both the record and these files go through Lance's own client, which takes its
credentials from the environment as the store's other tools do; none are kept.

What holds there: an object appears whole or not at all, and a later one of the same name takes its
place at once. An archive is there once its ``archive.json`` is, which is written last; the record,
which only one process can create, decides who makes the archive.
"""

import os
import posixpath
import re
import tempfile
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import Any, TypeAlias

from homing.errors import ArchiveError

_STORE = re.compile(r"(?!file:)[A-Za-z][A-Za-z0-9+.-]+:/")  # two letters: no Windows drive
_KNOWN = ("s3", "gs", "az")
_RUST_SOURCE = re.compile(r",\s*/\S+\.rs:\d+:\d+")  # where in Lance's source: of no use to users
_ANSWER = re.compile(r"<Code>(.*?)</Code>(?:\s*<Message>(.*?)</Message>)?", re.DOTALL)


@dataclass(frozen=True)
class ObjectStorePath:
    """A prefix of an object store, or an object: as much of a `Path` as an archive needs.

    Attributes
    ----------
    uri : str
        Without a slash at its end.
    """

    uri: str

    def __str__(self) -> str:
        return self.uri

    def __truediv__(self, name: str) -> "ObjectStorePath":
        return ObjectStorePath(f"{self.uri}/{name}")

    @property
    def name(self) -> str:
        """The last part."""
        return posixpath.basename(self.uri)

    @property
    def parent(self) -> "ObjectStorePath":
        """All but the last part."""
        return ObjectStorePath(posixpath.dirname(self.uri))

    def exists(self) -> bool:
        """Whether there is an object of that name."""
        session = _session(self.parent)
        try:
            return bool(session.contains(self.name))
        except (OSError, ValueError, RuntimeError) as error:
            raise self._unreachable(error) from error

    def fetch(self, file: Path) -> None:
        """Copy the object to a local file.

        Raises
        ------
        FileNotFoundError
            There is none.
        ArchiveError
            The store cannot be asked.
        """
        if not self.exists():
            raise FileNotFoundError(self.uri)
        try:
            _session(self.parent).download_file(self.name, str(file))
        except (OSError, ValueError, RuntimeError) as error:
            raise self._unreachable(error) from error

    def put(self, file: Path) -> None:
        """Write the object, whole or not at all, over one that may be there."""
        try:
            _session(self.parent).upload_file(str(file), self.name)
        except (OSError, ValueError, RuntimeError) as error:
            raise self._unreachable(error) from error

    def read_text(self, *, encoding: str) -> str:
        """The object's text; errors as for :meth:`fetch`."""
        with tempfile.TemporaryDirectory(prefix="homing-") as folder:
            local = Path(folder) / "object"
            self.fetch(local)
            return local.read_bytes().decode(encoding)

    def write_text(self, text: str, *, encoding: str) -> None:
        """Write the object's text, as :meth:`put`."""
        with tempfile.TemporaryDirectory(prefix="homing-") as folder:
            local = Path(folder) / "object"
            local.write_bytes(text.encode(encoding))
            self.put(local)

    def _unreachable(self, error: Exception) -> ArchiveError:
        return ArchiveError(f"{self.uri} cannot be read or written: {reason_of(error)}")


def reason_of(error: Exception) -> str:
    """What Lance says went wrong, on one line; of a store's answer its code and message."""
    text = str(error) or type(error).__name__
    if found := _ANSWER.search(text):
        return ": ".join(part for part in found.groups() if part)
    return " ".join(_RUST_SOURCE.sub("", text).split())


Location: TypeAlias = Path | ObjectStorePath


def is_store(path: "str | PathLike[str]") -> bool:
    """Whether a path as given by a user names an object store."""
    return _STORE.match(fspath(path)) is not None


def location_of(path: "str | PathLike[str] | ObjectStorePath") -> Location:
    """Local folder or store of a path as given by a user.

    Raises
    ------
    ArchiveError
        The store is of a kind that is not known, or no bucket is named.
    """
    if isinstance(path, ObjectStorePath):
        return path
    text = fspath(path)
    if not is_store(text):
        return Path(text.removeprefix("file://"))
    scheme, _, rest = text.partition("://")
    if scheme.lower() not in _KNOWN:
        kinds = ", ".join(f"{kind}://" for kind in _KNOWN)
        raise ArchiveError(f"{text!r} is no kind of place that is known; object stores are {kinds}")
    bucket, _, prefix = rest.strip("/").partition("/")
    if not bucket or not prefix.strip("/"):
        raise ArchiveError(f"{text!r} names no folder in a bucket; write {scheme}://BUCKET/FOLDER")
    folder = posixpath.normpath(prefix.strip("/"))
    return ObjectStorePath(f"{scheme.lower()}://{bucket}/{folder}")


def _session(folder: ObjectStorePath) -> Any:
    from lance.file import LanceFileSession

    try:
        return LanceFileSession(folder.uri)
    except (OSError, ValueError, RuntimeError) as error:
        raise ArchiveError(f"{folder} cannot be reached: {reason_of(error)}") from error


def recorded_place(file: Path, archive: Location) -> str:
    """Path of a file relative to the archive's folder, as text; absolute if that is in a store.

    Bytes of a name that are not UTF-8, and the percent sign itself, are written ``%XX``; so the
    text is the same whatever encoding the system gives its names.
    """
    try:
        start = archive.absolute() if isinstance(archive, Path) else None
        relative = os.path.relpath(file.absolute(), start) if start else str(file.absolute())
    except ValueError:  # another drive (Windows)
        relative = str(file.absolute())
    text = os.fsencode(relative).decode("utf-8", "surrogateescape")
    return re.sub(r"[%\udc80-\udcff]", _escaped, text)


def resolve_place(text: str, archive: Location) -> Path:
    """Path of the file that :func:`recorded_place` wrote down."""
    raw = re.sub(rb"%([0-9A-F]{2})", lambda found: bytes([int(found[1], 16)]), text.encode())
    start = archive.absolute() if isinstance(archive, Path) else Path()
    return Path(os.path.normpath(start / os.fsdecode(raw)))


def _escaped(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", "surrogateescape"))
