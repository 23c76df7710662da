"""The codebooks that ship with the package, and the choice among them for an archive."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from homing.codebooks.codebook import Codebook
from homing.codebooks.cost import HERE, Prices
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

    name: str  # for example "homing-s-IVF1024-PQ8x8"
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
            f"No codebook ships for the descriptor {descriptor_fingerprint[:16]}…: train one on "
            "your pictures with 'homing codebook train PHOTOS', and name its file."
        )
    plain = [info for info in fitting if info.factory.startswith("IVF")] or fitting
    pictures = _UNKNOWN if expect is None else expect
    info = min(plain, key=lambda each: prices.of_search(each.cells, pictures))
    size = f"about {_UNKNOWN:,}" if expect is None else f"{expect:,.0f}"
    why = f"for {size} {'picture' if expect == 1 else 'pictures'}"
    cells = (info.cells, *(times * plain[-1].cells for times in _FINER))
    finer = min(cells, key=lambda each: prices.of_search(each, pictures))
    if finer > info.cells:
        wanted = f"IVF{finer}_HNSW{_LINKS},{plain[-1].factory.partition(',')[2]}"
        why += f"; `homing codebook train PHOTOS --factory {wanted}` makes one of quicker searches"
    return load_bundled(info), why


def load_bundled(info: BundledInfo) -> Codebook:
    """Load a codebook that ships; CodebookError if its file is missing or damaged."""
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
