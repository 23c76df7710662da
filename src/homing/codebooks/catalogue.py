"""The codebooks that ship with the package, and the choice among them for an archive."""

import hashlib
import json
import warnings
from dataclasses import dataclass
from pathlib import Path

from homing.codebooks.codebook import Codebook
from homing.codebooks.cost import HERE, Prices
from homing.codebooks.faiss_codebook import FaissCodebook
from homing.codebooks.faiss_index import is_faiss_file, notes_on, read_faiss_codebook
from homing.codebooks.storage import read_codebook
from homing.errors import CodebookError

_DATA = Path(__file__).parent / "data"
_TABLE = _DATA / "bundled.json"
_UNKNOWN = 1_000_000  # pictures assumed when the number is not given
_FINER = (4, 16)  # times the cells of the codebook with most of them
_LINKS = 32  # of a centroid in a graph


@dataclass(frozen=True)
class BundledInfo:
    """A codebook that ships with the package."""

    name: str  # as `load_codebook` takes it, for example "homing-s-IVF1024-PQ8x8"
    factory: str  # factory string
    dimension: int  # length of the vectors
    cells: int
    descriptor: str  # fingerprint of the descriptor it was trained for
    descriptor_name: str
    fingerprint: str  # the codebook's own
    size_bytes: int  # of the file
    sha256: str  # of the file
    origin: str  # what it was trained from

    @property
    def path(self) -> Path:
        """The file."""
        return _DATA / f"{self.name}.safetensors"


def bundled_codebooks() -> tuple[BundledInfo, ...]:
    """List the codebooks that ship with the package, fewest cells first."""
    rows = json.loads(_TABLE.read_text(encoding="utf-8"))
    infos = (BundledInfo(**row) for row in rows)
    return tuple(sorted(infos, key=lambda info: (info.cells, info.size_bytes)))


def load_codebook(source: str | Path) -> Codebook | FaissCodebook:
    """Load a codebook from a file, or one that ships with homing by its name.

    Parameters
    ----------
    source : str or Path
        A file of homing or of Faiss, or as str the name of a codebook that ships with homing. Of a
        Faiss index the entries are not read; see :func:`codebook_from_faiss`.

    Returns
    -------
    Codebook or FaissCodebook
        A `FaissCodebook`, for activation alone, of an index whose codes homing does not know.

    Raises
    ------
    CodebookError
        Neither a file nor such a name, or the file is damaged, altered, or no codebook.

    Warns
    -----
    UserWarning
        A Faiss index was trained on vectors that are not of unit length.

    Examples
    --------
    >>> homing.load_codebook("homing-s-IVF1024-PQ8x8").cell_count
    1024
    """
    names = {info.name.lower(): info for info in bundled_codebooks()}
    if isinstance(source, str) and source.lower() in names:
        return _load_bundled(names[source.lower()])
    try:
        present = Path(source).exists()
    except OSError as error:
        raise CodebookError(f"The codebook {source} cannot be read: {error}.") from error
    if not present:
        raise CodebookError(
            f"There is no codebook file {source}, and none of that name ships with homing "
            f"(those that do: {', '.join(info.name for info in bundled_codebooks())})."
        )
    try:
        if not (Path(source).is_file() and is_faiss_file(Path(source))):
            return read_codebook(source)
        codebook = read_faiss_codebook(Path(source))
    except OSError as error:
        raise CodebookError(f"The codebook {source} cannot be read: {error}.") from error
    for note in notes_on(codebook):
        warnings.warn(note, stacklevel=2)
    return codebook


def choose_bundled(
    descriptor_fingerprint: str, expect: float | None = None, prices: Prices = HERE
) -> tuple[Codebook, str]:
    """Choose the bundled codebook for a descriptor and an expected number of pictures.

    Returns the codebook and the reason for it, to be shown. `CodebookError` if none ships for that
    descriptor.

    The choice is the one by which a copy of a released picture is found at the lowest price.
    Codebooks with a rotation are used only by name: their codes are more exact but twice as long,
    and with exact re-ranking the plain ones find as much.
    """
    fitting = [info for info in bundled_codebooks() if info.descriptor == descriptor_fingerprint]
    if not fitting:
        raise CodebookError(
            f"No codebook ships for the descriptor {descriptor_fingerprint[:16]}…: train one from "
            "your pictures with `homing codebook train PHOTOS`, and name its file."
        )
    plain = [info for info in fitting if info.factory.startswith("IVF")] or fitting
    pictures = _UNKNOWN if expect is None else expect
    info = min(plain, key=lambda each: prices.of_search(each.cells, pictures))
    a_cell = f"about {max(1, round(pictures / info.cells)):,} a cell"
    if expect is None:
        why = f"the number of pictures is not known; a million would make {a_cell}"
    else:
        why = f"{expect:,.0f} expected pictures make {a_cell}"
    cells = (info.cells, *(times * plain[-1].cells for times in _FINER))
    finer = min(cells, key=lambda each: prices.of_search(each, pictures))
    if finer > info.cells:
        wanted = f"IVF{finer}_HNSW{_LINKS},{plain[-1].factory.partition(',')[2]}"
        why += f"; `homing codebook train PHOTOS --factory {wanted}` makes one of quicker searches"
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
    codebook = read_codebook(info.path)
    assert isinstance(codebook, Codebook)
    return codebook
