"""Creation and opening of archives."""

import logging
import os
import shutil
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from homing.archive.archive import Archive
from homing.archive.codebooks import CODEBOOK, CodebookFiles, choose_with_codes, read_codebook
from homing.archive.results import Problem
from homing.archive.settings import SETTINGS, ArchiveSettings, read_settings, write_settings
from homing.archive.table.checksums import Checksums
from homing.archive.table.index.build_index import refuse_unindexable
from homing.archive.table.index.form import stored_form
from homing.archive.table.location import Location, ObjectStorePath, location_of
from homing.archive.table.rows import row_schema
from homing.archive.table.table import TABLE, Table
from homing.archive.verification import check_files
from homing.codebooks.codebook import Codebook
from homing.codebooks.cost import HERE, IN_A_STORE
from homing.errors import ArchiveError, CodebookError
from homing.files.durable import make_folder, sync_folder, sync_tree
from homing.images.limits import shown
from homing.options import PLACES, PREVIEW_SIDE, PathLike, check_places, check_preview_side

if TYPE_CHECKING:
    from homing.descriptors.descriptor import Descriptor

_log = logging.getLogger(__name__)

_SETTLED = 60.0  # seconds after which the maker of a table without settings is taken for dead


def create(
    path: PathLike | ObjectStorePath,
    *,
    descriptor: "str | Path | Descriptor" = "homing-s",
    codebook: "str | Path | Codebook" = "auto",
    expect: int | None = None,
    previews: int = PREVIEW_SIDE,
    places: int = PLACES,
    device: str = "cpu",
) -> "Archive":
    """Create an empty archive.

    Parameters
    ----------
    path : path
        Folder of the archive; it must not exist, or be empty. Or a folder in an object store,
        ``s3://bucket/folder`` (``gs://``, ``az://``); credentials come from the environment.
    descriptor : str, Path or Descriptor
        Name of a registered descriptor, path to your own, or a loaded one.
    codebook : str, Path or Codebook
        "auto" (a bundled one for the expected size), factory string of a bundled one, a file, or a
        loaded codebook.
    expect : int or None
        Count of pictures that the archive will hold; chooses the bundled codebook.
    previews : int
        Pixels on the longer side of the small pictures that are kept of all entries, about 16 kB
        each; 0 for none. Verdicts, evidence and pages look at them.
    places : int
        Cells that a released picture is held in, 1 to 4: its own and those nearest, where many of
        the copies are found that have left it.
    device : str
        Where the descriptor runs: "cpu", "cuda", "mps" or "auto".

    Raises
    ------
    ArchiveError
        `path` exists and is not an empty folder.
    CodebookError, DescriptorError
        The codebook or descriptor cannot be loaded, or they do not belong together.
    UsageError
        Previews cannot have that size, or a picture that many places.

    Examples
    --------
    >>> archive = homing.create("archive", expect=1_000_000)
    """
    check_preview_side(previews)
    check_places(places)
    folder = location_of(path)
    if _is_taken(folder):
        raise ArchiveError(_taken(folder))
    network = _load(descriptor, device)
    prices = HERE if isinstance(folder, Path) else IN_A_STORE
    chosen, reason = choose_with_codes(codebook, network, expect, prices)
    settings = ArchiveSettings(
        descriptor=_name_of(descriptor, network),
        descriptor_fingerprint=network.fingerprint,
        dimension=network.dimension,
        codebook=str(chosen.factory),
        codebook_fingerprint=chosen.fingerprint,
        codebook_choice=reason,
        expect=expect,
        identity=uuid.uuid4().hex,
        previews=previews,
        places=places if chosen.cell_count > 1 else 1,
    )
    if isinstance(folder, Path):
        _make(folder, settings, chosen)
    else:
        _make_in_store(folder, settings, chosen)
    _log.info("made %s: %s, %s", folder, settings.descriptor, settings.codebook)
    return open_archive(folder, descriptor=network, device=device)


def open_archive(
    path: PathLike | ObjectStorePath,
    *,
    descriptor: "Descriptor | None" = None,
    device: str = "cpu",
    engine: str = "auto",
    version: int | None = None,
    sync: bool = True,
) -> "Archive":
    """Open an archive; public as ``homing.open``.

    Parameters
    ----------
    path : path
        Folder of the archive, also in an object store.
    descriptor : Descriptor or None
        Needed only if the archive's cannot be loaded by name or path (a Python callable). It must
        have the fingerprint the archive was made with.
    device : str
        Where the descriptor runs.
    engine : {"auto", "memory", "lance"}
        What searches: codes held in memory, or read from the archive's own index on disk, in little
        memory. Both give the same answers. "auto" holds up to half a gigabyte.
    version : int or None
        An earlier version, to be read as it was: one of :meth:`Archive.versions`.
    sync : bool
        Whether what is written is on the disk when a method returns. False is for bulk loads: a
        power cut within the next minute may lose entries, or ask for ``homing repair``.

    Raises
    ------
    ArchiveError
        There is no archive, or it is damaged.
    CodebookError, DescriptorError
        The codebook or descriptor is not the one the archive was made with.

    Examples
    --------
    >>> archive = homing.open("archive")
    >>> hits = archive.search("suspect.jpg")
    """
    folder = location_of(path)
    settings = read_settings(folder)
    codebook = read_codebook(folder / CODEBOOK)
    if codebook.fingerprint != settings.codebook_fingerprint:
        raise CodebookError(
            f"the codebook of {str(folder)!r} has fingerprint {codebook.fingerprint}, but the "
            f"archive was made with {settings.codebook_fingerprint}; put that file back"
        )
    table = Table.open(folder / TABLE, version=version, sync=sync)
    codebooks = CodebookFiles(folder, codebook)
    generations = codebooks.read(table)
    if engine == "lance":
        refuse_unindexable([stored_form(table, each) for each in generations], folder)
    archive = Archive(folder, settings, codebooks, table, device=device, engine=engine)
    if descriptor is not None:
        archive.use_descriptor(descriptor)
    _log.debug("opened %s", archive.path)
    return archive


def damaged_files(path: PathLike | ObjectStorePath) -> list[Problem]:
    """Name the damaged files of an archive's table, whether or not it can be opened."""
    folder = location_of(path)
    return check_files(folder, folder / TABLE)


def _make(folder: Path, settings: ArchiveSettings, codebook: Codebook) -> None:
    """Build the archive in a folder beside its own and move it there whole."""
    try:
        os.fsencode(folder.absolute()).decode()
    except UnicodeDecodeError:
        raise ArchiveError(
            f"the path {shown(folder.absolute())!r} is not UTF-8; choose another"
        ) from None
    size = _size(settings, codebook)
    try:
        make_folder(folder.parent)
        building = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            table = Table.create(building / TABLE, **size)
            codebook.save(building / CODEBOOK)
            table.checksums.record_beside(CODEBOOK)
            write_settings(building, settings)
            building.chmod(0o777 & ~_umask())
            sync_tree(building)
            building.replace(folder)
            sync_folder(folder.parent)
        finally:
            shutil.rmtree(building, ignore_errors=True)
    except OSError as error:
        raise ArchiveError(f"no archive can be made at {str(folder)!r}: {error}") from error


def _size(settings: ArchiveSettings, codebook: Codebook) -> dict[str, int]:
    """Return what a table must know of its rows."""
    return {
        "dimension": settings.dimension,
        "code_size": codebook.code_size,
        "places": settings.places,
    }


def _is_taken(folder: Location) -> bool:
    """Return whether the place holds anything already."""
    if not isinstance(folder, Path):
        return (folder / SETTINGS).exists()
    if folder.is_symlink():
        return True
    return folder.exists() and not (folder.is_dir() and next(folder.iterdir(), None) is None)


def _taken(folder: Location) -> str:
    """Say what is in the place of a new archive."""
    if (folder / SETTINGS).exists():
        return f"{str(folder)!r} exists already, as an archive: use it, or choose another path"
    return f"{str(folder)!r} exists already and is not empty: choose another path"


def _make_in_store(folder: ObjectStorePath, settings: ArchiveSettings, codebook: Codebook) -> None:
    """Build the archive in its place: it exists once its settings do.

    Only one process can create the table. The table of a process that died is taken over.
    """
    size = _size(settings, codebook)
    try:
        Table.create(folder / TABLE, **size)
    except ArchiveError:
        left = Table.open(folder / TABLE)  # or raises why none can be made
        if left.schema != row_schema(**size) or len(left):
            raise ArchiveError(
                f"{str(folder)!r} holds a table without settings; remove what is there, or choose "
                "another place"
            ) from None
        if left.age() < _SETTLED:
            raise ArchiveError(
                f"{str(folder)!r} is being made by another process; if that one has died, try "
                "again in a minute"
            ) from None
    with tempfile.TemporaryDirectory(prefix="homing-") as local:
        (folder / CODEBOOK).put(codebook.save(Path(local) / CODEBOOK))
    Checksums(folder / TABLE).record_beside(CODEBOOK)
    write_settings(folder, settings)


def _load(descriptor: "str | Path | Descriptor", device: str) -> "Descriptor":
    from homing.descriptors.descriptor import Descriptor
    from homing.descriptors.loading import load_descriptor

    if isinstance(descriptor, Descriptor):
        return descriptor
    return load_descriptor(descriptor, device=device)


def _name_of(descriptor: "str | Path | Descriptor", loaded: "Descriptor") -> str:
    """Return what loads the descriptor again: its name, or the absolute path of a user's own."""
    if isinstance(descriptor, str | Path) and Path(descriptor).exists():
        return str(Path(descriptor).absolute())
    return loaded.name


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
