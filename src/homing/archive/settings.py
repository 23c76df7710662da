"""``archive.json``: what an archive was made with.

Nothing of it changes afterwards but the format, which is raised when an archive adopts a second
codebook generation, so that versions of homing that know of one alone refuse it.
"""

import datetime
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from homing._version import __version__
from homing.archive.table.location import Location
from homing.errors import ArchiveError, DescriptorError
from homing.files.durable import replace_durably

if TYPE_CHECKING:
    from homing.descriptors import Descriptor

FORMAT, SEVERAL_GENERATIONS = 1, 2
SETTINGS = "archive.json"


@dataclass(frozen=True, kw_only=True)
class ArchiveSettings:
    """What an archive was made with.

    Attributes
    ----------
    descriptor, descriptor_fingerprint
        Name (or path) that loads the descriptor again, and the fingerprint it must have.
    dimension : int
        Of its vectors.
    codebook, codebook_fingerprint
        Factory string of the codebook, and the fingerprint that its file must have.
    codebook_choice : str
        Why that codebook, in words.
    expect : int or None
        How many pictures the archive was made for.
    identity : str
        A random name of this archive, by which an unfinished release is known to be its own.
    created_at, created_by
        Time (ISO 8601, UTC) and version of homing.
    """

    descriptor: str
    descriptor_fingerprint: str
    dimension: int
    codebook: str
    codebook_fingerprint: str
    codebook_choice: str = ""
    expect: int | None = None
    identity: str = ""
    created_at: str = ""
    created_by: str = ""
    format: int = FORMAT


def write_settings(folder: Location, settings: ArchiveSettings) -> None:
    """Write ``archive.json`` with the present time and version."""
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    values = asdict(settings) | {"created_at": now, "created_by": f"homing {__version__}"}
    (folder / SETTINGS).write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


def raise_format(folder: Location) -> None:
    """Mark an archive as one that may have several codebook generations; whole or not at all."""
    path = folder / SETTINGS
    values = json.loads(path.read_text(encoding="utf-8"))
    if values["format"] == SEVERAL_GENERATIONS:
        return
    text = json.dumps(values | {"format": SEVERAL_GENERATIONS}, indent=2) + "\n"
    if isinstance(path, Path):
        replace_durably(path, text.encode())
    else:
        path.write_text(text, encoding="utf-8")


def read_settings(folder: Location) -> ArchiveSettings:
    """Read ``archive.json``.

    Raises
    ------
    ArchiveError
        There is no archive, its file is damaged, or it has a format this version does not know.
    """
    path = folder / SETTINGS
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise ArchiveError(
            f"there is no archive at {str(folder)!r}; make one with 'homing init'"
        ) from None
    except (OSError, ValueError) as error:
        raise ArchiveError(f"{path} cannot be read: {error}") from error
    found = values.get("format") if isinstance(values, dict) else None
    if found not in (FORMAT, SEVERAL_GENERATIONS):
        raise ArchiveError(
            f"{path} has format {found!r}; this version of homing knows formats {FORMAT} and "
            f"{SEVERAL_GENERATIONS}: a later one may read it"
        )
    try:
        return ArchiveSettings(**values)
    except TypeError as error:
        raise ArchiveError(f"{path} is damaged: {error}") from error


def check_descriptor(
    descriptor: "Descriptor", settings: ArchiveSettings, archive: Location
) -> None:
    """Refuse a descriptor that is not the one of the archive.

    Raises
    ------
    DescriptorError
        With both fingerprints.
    """
    if descriptor.fingerprint != settings.descriptor_fingerprint:
        raise DescriptorError(
            f"descriptor {descriptor.name!r} has fingerprint {descriptor.fingerprint}, but "
            f"{str(archive)!r} was made with {settings.descriptor_fingerprint} "
            f"({settings.descriptor}); open the archive with that one"
        )
