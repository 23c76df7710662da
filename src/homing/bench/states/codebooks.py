"""The codebooks that are measured: bundled ones, files, and ones trained on the distractors."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from homing.bench.encode.definitions import definitions
from homing.codebooks import (
    Codebook,
    Factory,
    bundled_codebooks,
    choose_bundled,
    load_codebook,
    parse_factory,
    save_codebook,
    train_codebook,
)
from homing.errors import CodebookError, UsageError

if TYPE_CHECKING:
    from homing.descriptors import Descriptor

# Whose code makes a codebook.
_SOURCES = ("codebooks",)
_PACKAGES = ("faiss-cpu", "numpy")
_LEAST_FILLED = 4  # vectors a cell below which cells are not worth training, where none are named


@dataclass(frozen=True, eq=False)
class Quantizer:
    """A codebook under the name that tables call it by.

    Attributes
    ----------
    name : str
    codebook : Codebook
    origin : str
        Where it comes from, in words.
    """

    name: str
    codebook: Codebook
    origin: str


def find_quantizers(
    names: Sequence[str],
    descriptor: "Descriptor",
    others: npt.NDArray[np.float32],
    cache: Path,
    seed: int,
) -> tuple[Quantizer, ...]:
    """Find the codebooks asked for; see :func:`find_quantizer`.

    Raises
    ------
    UsageError
        Two of them have one name.
    """
    found = tuple(find_quantizer(name, descriptor, others, cache, seed) for name in names)
    called = [each.name for each in found]
    if len(set(called)) < len(called):
        raise UsageError(f"two indexes are the same: {', '.join(called)}")
    return found


def find_quantizer(
    name: str,
    descriptor: "Descriptor",
    others: npt.NDArray[np.float32],
    cache: Path,
    seed: int,
) -> Quantizer:
    """Find a codebook, or train it.

    Parameters
    ----------
    name : str
        ``"auto"``: the bundled one that an archive of that many pictures would have, or one trained
        here where none is bundled; a bundled one's name; a file; or a factory such as
        ``"IVF1024,PQ8x8"``, trained here.
    descriptor : Descriptor
    others : ndarray, shape (n, d), float32
        Distractors of the base, that codebooks are trained on.
    cache : Path
        Folder that keeps those trained.
    seed : int

    Raises
    ------
    CodebookError
        The name is none of these, or the codebook is of another descriptor.
    """
    if name == "auto":
        if not any(info.descriptor == descriptor.fingerprint for info in bundled_codebooks()):
            return _trained(_factory_for(len(others)), descriptor, others, cache, seed)
        codebook, reason = choose_bundled(descriptor.fingerprint, len(others))
        called = next(i.name for i in bundled_codebooks() if i.fingerprint == codebook.fingerprint)
        return Quantizer(called, codebook, reason)
    given = _given(name, descriptor)
    if isinstance(given, Quantizer):
        return given
    return _trained(given, descriptor, others, cache, seed)


def check_indexes(names: Sequence[str], descriptor: "Descriptor") -> None:
    """Refuse indexes that :func:`find_quantizer` would, before anything is described."""
    for name in names:
        if name != "auto":
            given = _given(name, descriptor)
            if isinstance(given, Factory):
                given.check_dimension(descriptor.dimension)


def _given(name: str, descriptor: "Descriptor") -> "Quantizer | Factory":
    """A codebook that there is; of any other name the factory that is to be trained."""
    info = next((each for each in bundled_codebooks() if each.name.lower() == name.lower()), None)
    if info is None and not Path(name).is_file():
        return parse_factory(name)
    codebook = load_codebook(name)
    if codebook.descriptor not in (None, descriptor.fingerprint):
        raise CodebookError(
            f"the codebook {name} was trained for another descriptor "
            f"({codebook.descriptor_name}): name one of {descriptor.name}, or a factory, "
            "which is trained here"
        )
    origin = f"bundled; trained on {info.origin}" if info else "from a file"
    return Quantizer(info.name if info else name, codebook, origin)


def _factory_for(count: int) -> Factory:
    """As many cells as an archive of that size would have, with fewer where it is small."""
    cells = next((n for n in (4096, 1024, 256, 64, 16) if count >= _LEAST_FILLED * n), 4)
    return parse_factory(f"IVF{cells},PQ8x8")


def _trained(
    factory: Factory,
    descriptor: "Descriptor",
    others: npt.NDArray[np.float32],
    cache: Path,
    seed: int,
) -> Quantizer:
    digest = hashlib.sha256(f"{factory} {seed} {descriptor.fingerprint}".encode())
    digest.update(definitions(_SOURCES, _PACKAGES).encode())
    digest.update(np.ascontiguousarray(others).tobytes())
    path = cache / f"codebook-{digest.hexdigest()[:32]}.safetensors"
    if path.is_file():
        codebook = load_codebook(path)
    else:
        codebook = train_codebook(
            others,
            factory,
            seed=seed,
            descriptor=descriptor.fingerprint,
            descriptor_name=descriptor.name,
        )
        save_codebook(codebook, path, overwrite=True)
    origin = f"trained here, on the {len(others):,} distractors of the base"
    return Quantizer(str(factory), codebook, origin)
