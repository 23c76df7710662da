"""Files moved aside: none is lost, overwritten or there twice, also after a crash."""

import errno
import logging
import shutil
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

from homing.files.durable import (
    file_sha256,
    make_folder,
    publish,
    refuses_name,
    replace_durably,
    staged_beside,
    sync_file,
    sync_folder,
)

_log = logging.getLogger(__name__)


def move_aside(source: Path, place: Path, reason: str | None = None) -> Path:
    """Move a file to a place, and return where it is.

    If another file is there, it goes beside it as ``a-2.jpg``. A file of the same bytes is left
    alone, and `source` removed: a run that was killed may have moved it. A reason is written
    beside it as ``a.jpg.txt``, before the file is there.
    """
    make_folder(place.parent)
    final = next(name for name in _names(place) if _is_free(source, name, reason))
    if reason is not None:
        _write_reason(final, reason)
    if not (final.exists() and final.samefile(source)):
        _publish(source, final)
    sync_folder(final.parent)
    source.unlink(missing_ok=True)
    sync_folder(source.parent)
    return final


def _write_reason(file: Path, reason: str) -> None:
    try:
        replace_durably(_beside(file), _written(reason))
    except OSError as error:
        if not refuses_name(error):
            raise
        _log.warning("%s: no reason could be written beside it, %s: %s", file, error, reason)


def _beside(file: Path) -> Path:
    return file.with_name(file.name + ".txt")


def _written(reason: str) -> bytes:
    return (reason + "\n").encode()


def _names(place: Path) -> Iterator[Path]:
    yield place
    for number in count(2):
        yield place.with_name(f"{place.stem}-{number}{place.suffix}")


def _is_free(source: Path, final: Path, reason: str | None) -> bool:
    """Return whether a name is free for a file and its reason, or has a file of the same bytes."""
    if not final.exists() and not final.is_symlink():
        return reason is None or _is_free_for(reason, _beside(final))
    if not final.is_file() or final.is_symlink():
        return False
    return source.samefile(final) or (
        source.stat().st_size == final.stat().st_size and file_sha256(source) == file_sha256(final)
    )


def _is_free_for(reason: str, file: Path) -> bool:
    """Return whether a reason's name is free, or has it: a run that was killed wrote it."""
    try:
        if not file.exists() and not file.is_symlink():
            return True
        text = _written(reason)
        return file.is_file() and file.stat().st_size == len(text) and file.read_bytes() == text
    except OSError as error:
        if not refuses_name(error):
            raise
        return True  # no reason will be written there


def _publish(source: Path, final: Path) -> None:
    with suppress(FileExistsError):  # with the same bytes
        try:
            publish(source, final)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            with staged_beside(final) as staged:  # another file system
                shutil.copyfile(source, staged)
                shutil.copystat(source, staged)
                sync_file(staged)
                publish(staged, final)
