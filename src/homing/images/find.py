"""Which pictures a list of files and folders holds."""

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from homing.images.kinds import KINDS, MAGIC_LENGTH, OTHER_SUFFIXES, is_kept_kind
from homing.images.limits import shown

_SUFFIXES = frozenset(KINDS) | OTHER_SUFFIXES


@dataclass(frozen=True)
class FoundPicture:
    r"""A file that may be a picture.

    Parameters
    ----------
    path : pathlib.Path
        Where it is.
    relative : str
        Its path beneath the folder given, with "/" between names; its name alone if the file was
        given itself. Always text that UTF-8 can hold: other bytes stand as ``\xNN``.
    """

    path: Path
    relative: str


def find_pictures(paths: Sequence[str | os.PathLike[str]]) -> Iterator[FoundPicture]:
    """Yield the pictures of files and folders, folders walked through.

    A file that is given itself always counts. In a folder a file counts if its suffix is one of a
    picture, or its first bytes are those of a JPEG, PNG, WebP or TIFF; names are visited in the
    order of their bytes, hidden ones (with a leading dot) left out, and links to folders are not
    followed. What has a picture's suffix but cannot be read (a dangling link, a pipe), a path
    that does not exist, and a folder that cannot be listed are yielded too, so that reading them
    names the reason.

    Parameters
    ----------
    paths : sequence of path
        Files and folders.

    Yields
    ------
    FoundPicture
        In the order of `paths`.
    """
    for path in map(Path, paths):
        if _leads_to_folder(path):
            yield from _walk(path)
        else:
            yield FoundPicture(path, shown(path.name or path))


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
        elif _counts(path):
            yield FoundPicture(path, _relative(path, root))


def _leads_to_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # above it a folder that may not be entered: reading will say so
        return False


def _relative(path: Path, root: Path) -> str:
    return shown(path.name or path) if path == root else shown(path.relative_to(root).as_posix())


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False


def _counts(path: Path) -> bool:
    """Whether a name in a folder is to be treated as a picture; never blocks."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return path.suffix.lower() in _SUFFIXES
    if stat.S_ISDIR(mode):  # a link to a folder
        return False
    if path.suffix.lower() in _SUFFIXES:
        return True
    if not stat.S_ISREG(mode):
        return False
    try:
        with open(  # noqa: PTH123 (an opener is wanted)
            os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)),
            "rb",
        ) as file:
            return is_kept_kind(file.read(MAGIC_LENGTH))
    except OSError:
        return False
