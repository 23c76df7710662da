"""Codebooks that ship with the package, and which of them suits an archive."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from homing.codebooks.codebook import Codebook
from homing.codebooks.storage import read_codebook
from homing.errors import CodebookError

_DATA = Path(__file__).parent / "data"
_TABLE = _DATA / "bundled.json"
_FULL = 1_000  # entries a cell, from which more cells are worth their borders
_UNKNOWN = 1_000_000  # pictures to be ready for when nobody says how many


@dataclass(frozen=True)
class BundledInfo:
    """One codebook that ships with the package.

    Attributes
    ----------
    name : str
        What :func:`load_codebook` takes, for example ``"homing-s-IVF1024-PQ8x8"``.
    factory : str
        Its factory string.
    dimension, cells : int
        Length of the vectors; number of coarse cells.
    descriptor, descriptor_name : str
        Fingerprint and name of the descriptor it was trained for.
    fingerprint : str
        The codebook's own.
    size_bytes : int
        Of the file.
    sha256 : str
        Of the file.
    origin : str
        What it was trained from.
    """

    name: str
    factory: str
    dimension: int
    cells: int
    descriptor: str
    descriptor_name: str
    fingerprint: str
    size_bytes: int
    sha256: str
    origin: str

    @property
    def path(self) -> Path:
        """The file."""
        return _DATA / f"{self.name}.safetensors"


def bundled() -> tuple[BundledInfo, ...]:
    """Codebooks that ship with the package, fewest cells first."""
    rows = json.loads(_TABLE.read_text(encoding="utf-8"))
    found = (BundledInfo(**row) for row in rows)
    return tuple(sorted(found, key=lambda info: (info.cells, info.size_bytes)))


def load_codebook(source: str | Path) -> Codebook:
    """Load a codebook from a file, or one that ships with the package by its name.

    Parameters
    ----------
    source : str or Path
        A file, or as str a name from :func:`bundled`.

    Returns
    -------
    Codebook

    Raises
    ------
    CodebookError
        Neither a file nor a bundled name, or the file is damaged, foreign or altered.
    """
    names = {info.name.lower(): info for info in bundled()}
    if isinstance(source, str) and source.lower() in names:
        return _load_bundled(names[source.lower()])
    try:
        present = Path(source).exists()
    except OSError as error:
        raise CodebookError(f"The codebook {source} cannot be read: {error}.") from error
    if not present:
        raise CodebookError(
            f"There is no codebook file {source}, and none of that name ships with homing "
            f"(those that do: {', '.join(info.name for info in bundled())})."
        )
    return read_codebook(source)


def choose_bundled(
    descriptor_fingerprint: str, expect: float | None = None
) -> tuple[Codebook, str]:
    """Choose the bundled codebook for a descriptor and an expected number of pictures.

    More cells make each list shorter, and so each search quicker, at the price of borders that an
    edited copy may cross. To look through a thousand codes costs microseconds, so the choice is the
    fewest cells that hold a thousand entries each at most, or the most cells there are. Codebooks
    with a rotation are for those who name them: their codes are closer and twice as long, which
    exact re-ranking makes up for.

    Parameters
    ----------
    descriptor_fingerprint : str
        Of the descriptor that the archive uses.
    expect : int or float, optional
        Pictures expected in the archive.

    Returns
    -------
    codebook : Codebook
    reason : str
        Why this one, for a person to read.

    Raises
    ------
    CodebookError
        None ships for that descriptor.
    """
    fitting = [info for info in bundled() if info.descriptor == descriptor_fingerprint]
    if not fitting:
        raise CodebookError(
            f"No codebook ships for the descriptor {descriptor_fingerprint[:16]}…: train one from "
            "your pictures with `homing codebook train PHOTOS`, and name its file."
        )
    plain = [info for info in fitting if info.factory.startswith("IVF")] or fitting
    pictures = _UNKNOWN if expect is None else expect
    info = next((info for info in plain if pictures <= _FULL * info.cells), plain[-1])
    a_cell = f"about {max(1, round(pictures / info.cells)):,} a cell"
    if expect is None:
        why = f"the number of pictures is not known; a million would make {a_cell}"
    else:
        why = f"{expect:,.0f} expected pictures make {a_cell}"
    return _load_bundled(info), f"bundled for {info.descriptor_name}: {why}"


def _load_bundled(info: BundledInfo) -> Codebook:
    try:
        digest = hashlib.sha256(info.path.read_bytes()).hexdigest()
    except OSError as error:
        raise CodebookError(
            f"The bundled codebook {info.name} is missing: install homing again ({error})."
        ) from error
    if digest != info.sha256:
        raise CodebookError(
            f"The bundled codebook {info.name} is damaged (sha256 {digest}, not {info.sha256}): "
            "install homing again."
        )
    return read_codebook(info.path)
