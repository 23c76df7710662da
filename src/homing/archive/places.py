"""Where a released file lies, written so that the archive and its files can move together."""

import os
import re
from pathlib import Path

from homing.archive.stores import Place


def recorded_place(file: Path, archive: Place) -> str:
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


def resolve_place(text: str, archive: Place) -> Path:
    """Path of the file that :func:`recorded_place` wrote down."""
    raw = re.sub(rb"%([0-9A-F]{2})", lambda found: bytes([int(found[1], 16)]), text.encode())
    start = archive.absolute() if isinstance(archive, Path) else Path()
    return Path(os.path.normpath(start / os.fsdecode(raw)))


def _escaped(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", "surrogateescape"))
