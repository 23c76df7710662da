"""Codebooks of an archive: the first one, and generations adopted beside it for new pictures.

Published pictures were activated for the codebook of their time and cannot be called back, so that
its cells and codes must stay. A further codebook is adopted beside it: pictures released or added
from then on get its cells and codes, and a search visits all generations.

Each codebook is a file beside the table, named by its fingerprint and never changed:
``codebook.safetensors`` is the first, ``codebook-FINGERPRINT.safetensors`` are later ones. The
table lists which of them are generations, in order (:mod:`homing.archive.table.generations`).
Adopting is therefore one atomic commit, made after all else: a process that dies before it has
adopted nothing, and the same command again does the rest.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from homing.archive.settings import ArchiveSettings, raise_format
from homing.archive.table.generations import (
    StoredGeneration,
    StoredGenerations,
    code_column_name,
)
from homing.archive.table.location import Location
from homing.archive.table.table import Table
from homing.codebooks.catalogue import BundledInfo, choose_bundled
from homing.codebooks.codebook import Codebook
from homing.codebooks.cost import HERE, Prices
from homing.codebooks.factory import Factory
from homing.codebooks.faiss_codebook import FaissCodebook, with_codes
from homing.codebooks.names import load_meaning, not_trained, read_name
from homing.errors import CodebookError, UsageError
from homing.files.durable import remove_parts
from homing.images.limits import shown
from homing.options import CodebookLike

if TYPE_CHECKING:
    from homing.descriptors.descriptor import Descriptor

CODEBOOK = "codebook.safetensors"
"""The first generation's file."""

_SETTLED = 60.0  # seconds after which a file so small is no longer being written


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
        Fingerprint of the codebook.
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


class CodebookFiles:
    """The codebook files of an archive, each read when it is first needed."""

    def __init__(self, folder: Location, first: Codebook) -> None:
        self._folder = folder
        self.first = first
        self._read = {first.fingerprint: first}

    def read(self, table: Table) -> tuple[Codebook, ...]:
        """Read the codebooks of the generations in the version in view, oldest first.

        Raises CodebookError if a file is missing, damaged or another codebook's.
        """
        later = table.generations.members[1:]
        return (self.first, *(self._read_later(each.fingerprint) for each in later))

    def _read_later(self, fingerprint: str) -> Codebook:
        if fingerprint not in self._read:
            file = self._folder / _file_name(fingerprint)
            codebook = read_codebook(file)
            if codebook.fingerprint != fingerprint:
                raise CodebookError(
                    f"the codebook {file} has fingerprint {codebook.fingerprint}, but the archive "
                    f"has adopted {fingerprint}; put that file back"
                )
            self._read[fingerprint] = codebook
        return self._read[fingerprint]


def list_generations(table: Table, settings: ArchiveSettings) -> tuple[Generation, ...]:
    """List the generations of the version in view."""
    first = Generation(1, settings.codebook, settings.codebook_fingerprint)
    later = enumerate(table.generations.members[1:], start=2)
    return (first, *(Generation(n, each.codebook, each.fingerprint) for n, each in later))


def adopt(
    table: Table, settings: ArchiveSettings, folder: Location, first: Codebook, codebook: Codebook
) -> Generation:
    """Make a codebook the newest generation; no change if it is that already.

    The table is at its newest version, and `first` is the archive's first codebook. Raises
    CodebookError for a codebook of another descriptor, UsageError for an older generation.
    """
    codebook.check_descriptor(
        settings.descriptor, settings.descriptor_fingerprint, settings.dimension
    )
    table.refuse_if_past()

    def current() -> StoredGenerations:
        return StoredGenerations((StoredGeneration.of(first), *table.generations.members[1:]))

    def commit() -> None:
        if _number_if_newest(current(), codebook) is None:  # another process may adopt one too
            members = (*current().members, StoredGeneration.of(codebook))
            table.set_generations(StoredGenerations(members))

    if _number_if_newest(current(), codebook) is None:
        _store(codebook, folder / _file_name(codebook.fingerprint))
        table.checksums.record_beside(_file_name(codebook.fingerprint))
        if codebook.code_size != first.code_size:
            column = code_column_name(codebook.code_size, first.code_size)
            table.add_column(pa.field(column, pa.binary(codebook.code_size)))
        raise_format(folder)
        table.write(commit)
        if isinstance(folder, Path):
            remove_parts(folder, _SETTLED)
    number = _number_if_newest(current(), codebook)
    assert number is not None
    return Generation(number, str(codebook.factory), codebook.fingerprint)


def _number_if_newest(generations: StoredGenerations, codebook: Codebook) -> int | None:
    """Return a codebook's number; None if it is no generation yet. An older one is refused."""
    fingerprints = [each.fingerprint for each in generations.members]
    if codebook.fingerprint not in fingerprints:
        return None
    number = fingerprints.index(codebook.fingerprint) + 1
    if number < len(generations):
        raise UsageError(
            f"{codebook.title} is generation {number} of the archive, which has newer ones up to "
            f"{len(generations)}: an older generation cannot be adopted again"
        )
    return number


def _file_name(fingerprint: str) -> str:
    return f"codebook-{fingerprint[:16]}.safetensors"


def _store(codebook: Codebook, file: Location) -> None:
    """Write a codebook's file, unless it exists: an adoption that died may have left it."""
    if isinstance(file, Path):
        codebook.save(file)
    elif not file.exists():
        with tempfile.TemporaryDirectory(prefix="homing-") as local:
            file.put(codebook.save(Path(local) / CODEBOOK))


def read_codebook(file: Location) -> Codebook:
    """Read a codebook's file beside a table; CodebookError if it is missing or damaged."""
    lost = f"There is no codebook file {file}: copy it back; released pictures were changed for it."
    if isinstance(file, Path):
        if not file.exists():
            raise CodebookError(lost)
        return with_codes(load_meaning(file))
    with tempfile.TemporaryDirectory(prefix="homing-") as local:
        copy = Path(local) / CODEBOOK
        try:
            file.fetch(copy)
        except FileNotFoundError:
            raise CodebookError(lost) from None
        return with_codes(load_meaning(copy))


def choose_codebook(
    codebook: CodebookLike, network: "Descriptor", expect: int | None, prices: Prices = HERE
) -> tuple[Codebook | FaissCodebook, str]:
    """Find a codebook, and why it is this one; CodebookError if it does not fit the descriptor."""
    if isinstance(codebook, Codebook | FaissCodebook):
        chosen, reason, called = codebook, "as given", ""
    else:
        chosen, reason = _find(codebook, network, expect, prices)
        called = f"{shown(Path(codebook))}: "
    try:
        chosen.check_descriptor(network.name, network.fingerprint, network.dimension)
    except CodebookError as error:
        raise CodebookError(f"{called}{error}") from None
    return chosen, reason


def choose_with_codes(
    codebook: CodebookLike, network: "Descriptor", expect: int | None, prices: Prices = HERE
) -> tuple[Codebook, str]:
    """Find a codebook for an archive; see :func:`choose_codebook`."""
    chosen, reason = choose_codebook(codebook, network, expect, prices)
    return with_codes(chosen), reason


def choose_codebooks(
    codebooks: CodebookLike | Sequence[CodebookLike], network: "Descriptor"
) -> tuple[Codebook | FaissCodebook, ...]:
    """Find one codebook or several; see :func:`choose_codebook`."""
    if isinstance(codebooks, str | Path | Codebook | FaissCodebook):
        codebooks = [codebooks]
    return tuple(choose_codebook(each, network, None)[0] for each in codebooks)


def _find(
    codebook: str | Path, network: "Descriptor", expect: int | None, prices: Prices
) -> tuple[Codebook | FaissCodebook, str]:
    meaning = read_name(codebook, network.fingerprint)
    if meaning == "auto":
        return choose_bundled(network.fingerprint, expect, prices)
    if isinstance(meaning, Factory):
        raise not_trained(meaning, network.fingerprint)
    reason = "as named" if isinstance(meaning, BundledInfo) else f"from {codebook}"
    return load_meaning(meaning), reason
