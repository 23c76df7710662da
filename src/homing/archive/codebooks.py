"""Codebook generations: codebooks that came beside an archive's first one, for new pictures.

Pictures that are out in the world were activated for the codebook of their time and cannot be
called back, so that its cells and codes stay as long as they do. A further codebook is adopted
beside it: what is released or added from then on gets its cells and codes, and a search asks all
generations.

Each codebook is a file of its own beside the record, named by its fingerprint and never changed:
``codebook.safetensors`` is the first, ``codebook-FINGERPRINT.safetensors`` are later ones. Which
of them are generations, and in which order, the record says
(:mod:`homing.archive.table.generations`).
Adopting is therefore one atomic commit, made when all else is there: a process that dies before it
has adopted nothing, and the same command again does the rest.
"""

import contextlib
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from homing.archive.settings import SETTINGS, ArchiveSettings, raise_format
from homing.archive.table.generations import GenerationInfo, Generations, code_column
from homing.archive.table.location import Location
from homing.archive.table.table import Table
from homing.codebooks import Codebook, bundled_codebooks, choose_bundled, load_codebook
from homing.errors import CodebookError, UsageError
from homing.images import shown
from homing.options import CodebookLike

if TYPE_CHECKING:
    from homing.descriptors import Descriptor

CODEBOOK = "codebook.safetensors"
"""The first generation's file."""

_SETTLED = 60.0  # seconds after which nobody is still writing so small a file


@dataclass(frozen=True)
class Generation:
    """One codebook of an archive.

    Attributes
    ----------
    number : int
        From 1, in the order adopted; new pictures get cells and codes of the last one.
    codebook : str
        Factory string.
    fingerprint : str
        Of the codebook.
    """

    number: int
    codebook: str
    fingerprint: str

    def as_dict(self) -> dict[str, Any]:
        """Return the keys of a ``--json`` line."""
        return {
            "generation": self.number,
            "codebook": self.codebook,
            "codebook_fingerprint": self.fingerprint,
        }


class Codebooks:
    """The codebooks of an archive, each read when it is first needed.

    Parameters
    ----------
    folder : Path or ObjectStorePath
        Of the archive.
    first : Codebook
        What the archive was made with; kept as an attribute.
    """

    def __init__(self, folder: Location, first: Codebook) -> None:
        self._folder = folder
        self.first = first
        self._read = {first.fingerprint: first}

    def of(self, table: Table) -> tuple[Codebook, ...]:
        """Codebooks of the generations of a record, as of the version in view.

        Raises
        ------
        CodebookError
            The file of one is missing, damaged, or another one's.
        """
        later = table.layout.parts[1:]
        return (self.first, *(self._later(part.fingerprint) for part in later))

    def _later(self, fingerprint: str) -> Codebook:
        if fingerprint not in self._read:
            file = self._folder / _name(fingerprint)
            codebook = read_codebook(file)
            if codebook.fingerprint != fingerprint:
                raise CodebookError(
                    f"the codebook {file} has fingerprint {codebook.fingerprint}, but the archive "
                    f"has adopted {fingerprint}; put that file back"
                )
            self._read[fingerprint] = codebook
        return self._read[fingerprint]


def generations(table: Table, settings: ArchiveSettings) -> tuple[Generation, ...]:
    """Name the generations of a record, as of the version in view."""
    first = Generation(1, settings.codebook, settings.codebook_fingerprint)
    later = enumerate(table.layout.parts[1:], start=2)
    return (first, *(Generation(n, part.codebook, part.fingerprint) for n, part in later))


def adopt(
    table: Table, settings: ArchiveSettings, folder: Location, first: Codebook, codebook: Codebook
) -> Generation:
    """Make a codebook the newest generation; nothing if it is that already.

    Parameters
    ----------
    table : Table
        At its newest version.
    settings : ArchiveSettings
    folder : Path or ObjectStorePath
        Of the archive.
    first : Codebook
        What the archive was made with.
    codebook : Codebook
        For the same descriptor.

    Raises
    ------
    CodebookError
        It is for another descriptor.
    UsageError
        It is an older generation.
    """
    codebook.check_descriptor(
        settings.descriptor, settings.descriptor_fingerprint, settings.dimension
    )
    table.refuse_if_past()

    def now() -> Generations:
        """The generations there are, the first one named."""
        return Generations((GenerationInfo.of(first), *table.layout.parts[1:]))

    def commit() -> None:
        if _standing(now(), codebook) is None:  # another process may adopt one at the same time
            table.set_layout(Generations((*now().parts, GenerationInfo.of(codebook))))

    if _standing(now(), codebook) is None:
        _store(codebook, folder / _name(codebook.fingerprint))
        if codebook.code_size != first.code_size:
            column = code_column(codebook.code_size, first.code_size)
            table.add_column(pa.field(column, pa.binary(codebook.code_size)))
        raise_format(folder)
        table.written(commit)
        _tidy(folder)
    number = _standing(now(), codebook)
    assert number is not None
    return Generation(number, str(codebook.factory), codebook.fingerprint)


def _standing(layout: Generations, codebook: Codebook) -> int | None:
    """Number of a codebook that is the newest generation; None where it is none yet."""
    fingerprints = [part.fingerprint for part in layout.parts]
    if codebook.fingerprint not in fingerprints:
        return None
    number = fingerprints.index(codebook.fingerprint) + 1
    if number < len(layout):
        raise UsageError(
            f"{codebook.title} is generation {number} of the archive, and there are newer ones up "
            f"to {len(layout)}: a generation that is past is not adopted again"
        )
    return number


def _name(fingerprint: str) -> str:
    return f"codebook-{fingerprint[:16]}.safetensors"


def _store(codebook: Codebook, file: Location) -> None:
    """Write a codebook's file, if it is not there: an adoption that died may have left it."""
    if isinstance(file, Path):
        codebook.save(file)
    elif not file.exists():
        with tempfile.TemporaryDirectory(prefix="homing-") as local:
            file.put(codebook.save(Path(local) / CODEBOOK))


def _tidy(folder: Location) -> None:
    """Remove what processes that were killed in the midst of writing have left."""
    if isinstance(folder, Path):
        for left in [*folder.glob(f".{SETTINGS}.*.part"), *folder.glob(".codebook-*.part")]:
            with contextlib.suppress(FileNotFoundError):  # its writer lives, or another tidies
                if time.time() - left.stat().st_mtime > _SETTLED:
                    left.unlink()


def read_codebook(file: Location) -> Codebook:
    """Read a codebook's file beside a record.

    Raises
    ------
    CodebookError
        It is missing or damaged.
    """
    if isinstance(file, Path):
        return load_codebook(file)
    with tempfile.TemporaryDirectory(prefix="homing-") as local:
        copy = Path(local) / CODEBOOK
        try:
            file.fetch(copy)
        except FileNotFoundError:
            raise CodebookError(f"There is no codebook file {file}.") from None
        return load_codebook(copy)


def choose_codebook(
    codebook: CodebookLike, network: "Descriptor", expect: int | None
) -> tuple[Codebook, str]:
    """Find the codebook asked for, see that it fits the descriptor, and say why it is this one.

    Raises
    ------
    CodebookError
        There is none of that name, or it is for another descriptor.
    """
    if isinstance(codebook, Codebook):
        chosen, reason, called = codebook, "as given", ""
    else:
        chosen, reason = _find(codebook, network, expect)
        called = f"{shown(Path(codebook))}: "
    try:
        chosen.check_descriptor(network.name, network.fingerprint, network.dimension)
    except CodebookError as error:
        raise CodebookError(f"{called}{error}") from None
    return chosen, reason


def choose_codebooks(
    codebooks: CodebookLike | Sequence[CodebookLike], network: "Descriptor"
) -> tuple[Codebook, ...]:
    """Find one codebook or several; see :func:`choose_codebook`."""
    given = [codebooks] if isinstance(codebooks, str | Path | Codebook) else codebooks
    return tuple(choose_codebook(each, network, None)[0] for each in given)


def _find(codebook: str | Path, network: "Descriptor", expect: int | None) -> tuple[Codebook, str]:
    if codebook == "auto":
        return choose_bundled(network.fingerprint, expect)
    if Path(codebook).exists():
        return load_codebook(codebook), f"from {codebook}"
    fitting = [info for info in bundled_codebooks() if info.descriptor == network.fingerprint]
    for info in fitting:
        if str(codebook) in {info.factory, info.name}:
            return load_codebook(info.name), "bundled, as asked for"
    names = ", ".join(info.factory for info in fitting)
    raise CodebookError(
        f"{str(codebook)!r} is neither a file nor a codebook that ships with homing for "
        f"{network.name!r} ({names or 'none does'}); make one with "
        f"'homing codebook train PHOTOS --factory {codebook} --out codebook.safetensors'"
    )
