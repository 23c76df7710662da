"""Pictures in files and folders."""

import difflib
import errno
import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from homing.errors import UsageError
from homing.images.kinds import HEAD, KINDS, OTHER_SUFFIXES, Unread, find_unread, sniff
from homing.images.limits import is_address, open_unblocked, shown

_READ_SUFFIXES = frozenset(KINDS) | frozenset(OTHER_SUFFIXES)
_SHORT_MARKS = (b"BM", b"\xff\x0a")  # two bytes, which files of any kind may begin with


@dataclass(frozen=True)
class FoundPicture:
    """A file that may be a picture."""

    path: Path
    # Path beneath the folder given, with "/"; the name alone of a file given itself. Bytes that
    # are no UTF-8 stand as \xNN.
    relative: str


def find_pictures(paths: Sequence[str | os.PathLike[str]]) -> Iterator[FoundPicture]:
    """Yield the pictures of files and folders, folders walked through, in the order of `paths`.

    A file given itself always counts. In a folder a file counts if its suffix is that of a
    picture that homing reads, or its first bytes are those of one. Names are visited in the order
    of their bytes; hidden ones (with a leading dot) are left out, and links to folders are
    not followed. A path that does not exist, a folder that cannot be listed, and a name with a
    picture's suffix that cannot be read (a dangling link, a pipe) are yielded too, so that
    reading them names the reason; so is any name whose path is longer than the system allows.
    """
    for path in map(Path, paths):
        if _leads_to_folder(path):
            yield from _walk(path)
        else:
            yield FoundPicture(path, shown(path.name or path))


def check_present(paths: Sequence[str | os.PathLike[str]]) -> None:
    """Raise `UsageError` if one of the paths given is no file or folder."""
    for path in map(Path, paths):
        if not path.exists() and not path.is_symlink():
            raise UsageError(_missing(path))


def _missing(path: Path) -> str:
    """Say that there is no such path, and what may be meant."""
    if is_address(path):
        address = shown(path).replace(":/", "://", 1)
        return f"{address} is an address: homing reads files, so download the pictures first"
    try:
        beside = [each.name for each in path.parent.iterdir()]
    except OSError:
        beside = []
    near = difflib.get_close_matches(path.name, beside, n=1, cutoff=0.8)
    hint = f"; did you mean {shown(path.with_name(near[0]))!r}?" if near else ""
    return f"there is no file or folder {shown(path)!r}{hint}"


def count_passed_over(paths: Sequence[str | os.PathLike[str]]) -> dict[Unread, int]:
    """Count the files in folders that show pictures but are of kinds that homing does not read.

    :func:`find_pictures` passes them over.
    """
    counts: Counter[Unread] = Counter()
    for path in paths:
        for folder, folders, names in os.walk(path):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in names:
                found = None if name.startswith(".") else _unread(Path(folder, name))
                if found is not None:
                    counts[found] += 1
    return dict(sorted(counts.items(), key=lambda item: item[0].name))


def _unread(path: Path) -> Unread | None:
    """Return the kind of a file that is passed over; None if it is read, or shows no picture."""
    suffix = path.suffix.lower()
    if suffix in _READ_SUFFIXES:
        return None
    head = _head(path)
    return None if _is_read(head, suffix) else find_unread(head, suffix)


def _walk(root: Path) -> Iterator[FoundPicture]:
    """Yield the pictures of one folder, depth first, without recursion."""
    waiting = [root]
    while waiting:
        path = waiting.pop()
        if path is root or _is_folder(path):
            try:
                names = sorted((each.name for each in os.scandir(path)), key=os.fsencode)
            except OSError:
                yield FoundPicture(path, _relative(path, root))
                continue
            waiting += [path / name for name in reversed(names) if not name.startswith(".")]
        elif _is_candidate(path):
            yield FoundPicture(path, _relative(path, root))


def _leads_to_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a parent folder may not be entered: reading will say so
        return False


def _relative(path: Path, root: Path) -> str:
    return shown(path.name or path) if path == root else shown(path.relative_to(root).as_posix())


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False


def _is_candidate(path: Path) -> bool:
    """Return whether a name in a folder is treated as a picture; never blocks."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        too_long = error.errno == errno.ENAMETOOLONG  # perhaps a folder with pictures
        return too_long or path.suffix.lower() in _READ_SUFFIXES
    if stat.S_ISDIR(mode):  # a link to a folder
        return False
    if path.suffix.lower() in _READ_SUFFIXES:
        return True
    return stat.S_ISREG(mode) and _is_read(_head(path), path.suffix.lower())


def _is_read(head: bytes, suffix: str) -> bool:
    """Return whether a file with a strange suffix is a picture that homing reads."""
    kind = "" if head.startswith(_SHORT_MARKS) else sniff(head)
    return bool(kind) and not (kind == "TIFF" and find_unread(head, suffix))  # many raw files


def _head(path: Path) -> bytes:
    """Return the first bytes of a regular file; none if there is no reading it."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return b""
        with open_unblocked(path) as file:
            return file.read(HEAD)
    except OSError:
        return b""
