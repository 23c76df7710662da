"""Locations of archives: a local folder (`Path`) or a prefix of an object store.

In a store (``s3://…``, ``gs://…``, ``az://…``) both the table and the small files beside it go
through Lance's own client, so that one set of credentials, taken from the environment, serves both.

An object appears whole or not at all, and a later one of the same name replaces it at once. An
archive exists once its ``archive.json`` does, which is written last; the table, which only one
process can create, decides who makes the archive.
"""

import os
import posixpath
import re
import socket
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import Any, TypeAlias

from homing.archive.table.lance_internals import LANCE_ERRORS, reason_of
from homing.errors import ArchiveError, UsageError
from homing.files.durable import replace_durably
from homing.files.regular import read_regular

_STORE = re.compile(r"(?!file:)[A-Za-z][A-Za-z0-9+.-]+:/")  # two letters: no Windows drive
_SCHEMES = ("s3", "gs", "az")
_UNCLEAR = re.compile(r"[?#\x00-\x1f\x7f]|%[0-9A-Fa-f]{2}")  # cut, dropped or decoded in a URL
_REQUESTS = 16  # to a store at the same time

SHARE_ARCHIVE = (
    "put the archive where all machines see it under the same path, or in an object store"
)
SHARE_ARCHIVE_OR_STORE = f"{SHARE_ARCHIVE} whose credentials are in their environment"


@dataclass(frozen=True)
class ObjectStorePath:
    """A prefix of an object store, or an object, with what an archive needs of `Path`'s methods."""

    uri: str  # without a slash at its end

    def __str__(self) -> str:
        return self.uri

    def __truediv__(self, name: str) -> "ObjectStorePath":
        return ObjectStorePath(f"{self.uri}/{name}")

    @property
    def name(self) -> str:
        """Last part of the path."""
        return posixpath.basename(self.uri)

    @property
    def parent(self) -> "ObjectStorePath":
        """The path without its last part."""
        return ObjectStorePath(posixpath.dirname(self.uri))

    def exists(self) -> bool:
        """Return whether an object of that name exists."""
        session = _session(self.parent)
        try:
            return bool(session.contains(self.name))
        except LANCE_ERRORS as error:
            raise self._unreachable(error) from error

    def fetch(self, file: Path) -> None:
        """Copy the object to a local file; raises FileNotFoundError, or ArchiveError."""
        if not self.exists():
            raise FileNotFoundError(self.uri)
        try:
            _session(self.parent).download_file(self.name, str(file))
        except LANCE_ERRORS as error:
            raise self._unreachable(error) from error

    def put(self, file: Path) -> None:
        """Write the object, whole or not at all; an existing one is replaced."""
        try:
            _session(self.parent).upload_file(str(file), self.name)
        except LANCE_ERRORS as error:
            raise self._unreachable(error) from error

    def read_bytes(self) -> bytes:
        """Read the object; raises as :meth:`fetch`."""
        with tempfile.TemporaryDirectory(prefix="homing-") as folder:
            local = Path(folder) / "object"
            self.fetch(local)
            return local.read_bytes()

    def write_bytes(self, data: bytes) -> None:
        """Write the object, as :meth:`put`."""
        with tempfile.TemporaryDirectory(prefix="homing-") as folder:
            local = Path(folder) / "object"
            local.write_bytes(data)
            self.put(local)

    def read_ranges(self, ranges: Sequence[tuple[str, int, int]]) -> list[bytes | Exception]:
        """Read parts of objects below this prefix, each a name, an offset and a length.

        An object that is missing or too short gives Lance's error in its place.
        """
        session = _session(self)

        def read(part: tuple[str, int, int]) -> bytes | Exception:
            try:
                return bytes(session.read_range(*part))
            except LANCE_ERRORS as error:
                return error

        with ThreadPoolExecutor(_REQUESTS) as pool:
            return list(pool.map(read, ranges))

    def names(self) -> list[str]:
        """List the objects below this prefix, by their names from here."""
        try:
            return [str(name) for name in _session(self).list()]
        except LANCE_ERRORS as error:
            raise self._unreachable(error) from error

    def delete(self) -> None:
        """Remove the object; another process may have done so."""
        try:
            _session(self.parent).delete_file(self.name)
        except LANCE_ERRORS as error:
            if self.exists():
                raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> ArchiveError:
        return ArchiveError(f"{self.uri} cannot be read or written: {reason_of(error)}")


Location: TypeAlias = Path | ObjectStorePath


def read_whole(place: Location) -> bytes:
    """Read a small file; OSError to what is none, such as a pipe, or cannot be read."""
    return read_regular(place) if isinstance(place, Path) else place.read_bytes()


def write_whole(place: Location, data: bytes) -> None:
    """Write a small file, whole or not at all, in place of one of that name."""
    if isinstance(place, Path):
        replace_durably(place, data)
    else:
        place.write_bytes(data)


def is_store(path: "str | PathLike[str]") -> bool:
    """Return whether a user's path names an object store."""
    return _STORE.match(fspath(path)) is not None


def location_of(path: "str | PathLike[str] | ObjectStorePath") -> Location:
    """Parse a user's path; ArchiveError if its scheme is unknown or it names no bucket."""
    if isinstance(path, ObjectStorePath):
        return path
    text = fspath(path)
    if text.startswith("file:"):
        return _folder_of(text)
    if not is_store(text):
        return Path(text)
    scheme, _, rest = text.partition("://")
    if scheme.lower() not in _SCHEMES:
        if scheme.lower() in ("http", "https"):
            raise ArchiveError(
                f"{text} is a web address, and an archive is a folder, or lies in an object store "
                "(s3://, gs://, az://); a running service is searched in a browser, or with "
                "homing.client"
            )
        known = ", ".join(f"{each}://" for each in _SCHEMES)
        raise ArchiveError(
            f"{text!r} is neither a folder nor in a known object store; these begin with {known}, "
            "and a folder's name with a colon is written behind ./"
        )
    _refuse_unclear(text)
    bucket, _, prefix = rest.strip("/").partition("/")
    if not bucket or not prefix.strip("/"):
        raise ArchiveError(f"{text!r} names no folder in a bucket; write {scheme}://BUCKET/FOLDER")
    folder = posixpath.normpath(prefix.strip("/"))
    return ObjectStorePath(f"{scheme.lower()}://{bucket}/{folder}")


def _refuse_unclear(address: str) -> None:
    """Refuse an address whose key would be another one in the store.

    Lance's client reads it as a URL in one place and as a key in another.
    """
    if found := _UNCLEAR.search(address):
        raise ArchiveError(
            f"the address {address!r} has {found[0]!r}, which would be cut or decoded in the "
            "store; write the key as it is, without '?', '#', control characters and '%' before "
            "two hexadecimal digits"
        )


def _folder_of(url: str) -> Path:
    """Return the folder of a ``file:`` URL on this machine, in which nothing needs decoding."""
    path = url.removeprefix("file:")
    path = path.removeprefix("//") if path.startswith("///") else path
    if not path.startswith("/") or path.startswith("//") or _UNCLEAR.search(path):
        raise ArchiveError(f"{url!r} is no plain file:///FOLDER; write the folder's path alone")
    return Path(path)


def _session(folder: ObjectStorePath) -> Any:
    from lance.file import LanceFileSession

    try:
        return LanceFileSession(folder.uri)
    except LANCE_ERRORS as error:
        raise ArchiveError(f"{folder} cannot be reached: {reason_of(error)}") from error


def refuse_in_worker(error: ArchiveError) -> UsageError:
    """Make the error for a worker whose machine cannot reach the archive."""
    return UsageError(
        f"the worker on {socket.gethostname()} cannot reach the archive: {error}; "
        f"{SHARE_ARCHIVE_OR_STORE}"
    )


def recorded_place(file: Path, archive: Location) -> str:
    """Path of a file relative to the archive's folder, as text; absolute if that is in a store.

    Bytes of a name that are not UTF-8, and the percent sign itself, are written ``%XX``; so the
    text is the same whatever encoding the system's names have.
    """
    try:
        start = archive.absolute() if isinstance(archive, Path) else None
        relative = os.path.relpath(file.absolute(), start) if start else str(file.absolute())
    except ValueError:  # another drive (Windows)
        relative = str(file.absolute())
    text = os.fsencode(relative).decode("utf-8", "surrogateescape")
    return re.sub(r"[%\udc80-\udcff]", _percent, text)


def resolve_place(text: str, archive: Location) -> Path:
    """Path of the file for which :func:`recorded_place` gave this text."""
    raw = re.sub(rb"%([0-9A-F]{2})", lambda found: bytes([int(found[1], 16)]), text.encode())
    start = archive.absolute() if isinstance(archive, Path) else Path()
    return Path(os.path.normpath(start / os.fsdecode(raw)))


def _percent(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", "surrogateescape"))
