"""The codebooks that are measured: bundled ones, files, and ones trained on the distractors."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from homing.bench.encode.code_checksum import code_checksum
from homing.codebooks import (
    BundledInfo,
    Codebook,
    Factory,
    bundled_codebooks,
    choose_bundled,
    load_codebook,
    parse_factory,
    save_codebook,
    train_codebook,
    with_codes,
)
from homing.codebooks.names import load_meaning, read_name
from homing.errors import CodebookError, UsageError

if TYPE_CHECKING:
    from homing.descriptors import Descriptor

# The code that makes a codebook.
_SOURCES = ("codebooks",)
_PACKAGES = ("faiss-cpu", "numpy")
_LEAST_FILLED = 4  # vectors per cell that make training worth while


@dataclass(frozen=True, eq=False)
class Quantizer:
    """A codebook under its name in tables."""

    name: str
    codebook: Codebook
    origin: str  # in words


def find_quantizers(
    names: Sequence[str],
    descriptor: "Descriptor",
    distractors: npt.NDArray[np.float32],
    cache: Path,
    seed: int,
) -> tuple[Quantizer, ...]:
    """Find codebooks by :func:`find_quantizer`; `UsageError` if two have the same name."""
    found = tuple(find_quantizer(name, descriptor, distractors, cache, seed) for name in names)
    names = [each.name for each in found]
    if len(set(names)) < len(names):
        raise UsageError(f"two indexes are the same: {', '.join(names)}")
    return found


def find_quantizer(
    name: str,
    descriptor: "Descriptor",
    distractors: npt.NDArray[np.float32],
    cache: Path,
    seed: int,
) -> Quantizer:
    """Find a codebook, or train it on the distractors, (n, d).

    Names are those of :mod:`homing.codebooks.names`. A factory that does not ship, or one behind
    ``train:``, is trained here; the cache stores it. ``"auto"`` is trained here too if nothing
    ships for the descriptor. `CodebookError` if the name is none, or the codebook was trained for
    another descriptor.
    """
    if name.lower() == "auto":
        if not any(info.descriptor == descriptor.fingerprint for info in bundled_codebooks()):
            return _load_or_train(
                _factory_for(len(distractors)), descriptor, distractors, cache, seed
            )
        codebook, reason = choose_bundled(descriptor.fingerprint, len(distractors))
        return Quantizer(str(codebook.factory), codebook, f"bundled, {reason}")
    found = _existing(name, descriptor)
    if isinstance(found, Quantizer):
        return found
    return _load_or_train(found, descriptor, distractors, cache, seed)


def check_indexes(names: Sequence[str], descriptor: "Descriptor") -> None:
    """Refuse indexes that :func:`find_quantizer` would refuse, before anything is described."""
    for name in names:
        if name.lower() != "auto":
            found = _existing(name, descriptor)
            if isinstance(found, Factory):
                found.check_dimension(descriptor.dimension)


def _existing(name: str, descriptor: "Descriptor") -> "Quantizer | Factory":
    """Return an existing codebook, or the factory to train."""
    meaning = read_name(name, descriptor.fingerprint)
    assert meaning != "auto"
    if isinstance(meaning, Factory):
        return meaning
    codebook = with_codes(load_meaning(meaning))
    if codebook.descriptor not in (None, descriptor.fingerprint):
        raise CodebookError(
            f"the codebook {name} was trained for another descriptor "
            f"({codebook.descriptor_name}): name one of {descriptor.name}, or a factory, "
            "which is trained here"
        )
    if isinstance(meaning, BundledInfo):
        return Quantizer(meaning.factory, codebook, f"bundled; trained on {meaning.origin}")
    return Quantizer(name, codebook, "from a file")


def _factory_for(count: int) -> Factory:
    """Choose the cells of an archive of that size, with fewer where it is small."""
    cells = next((n for n in (4096, 1024, 256, 64, 16) if count >= _LEAST_FILLED * n), 4)
    return parse_factory(f"IVF{cells},PQ8x8")


def _load_or_train(
    factory: Factory,
    descriptor: "Descriptor",
    distractors: npt.NDArray[np.float32],
    cache: Path,
    seed: int,
) -> Quantizer:
    digest = hashlib.sha256(f"{factory} {seed} {descriptor.fingerprint}".encode())
    digest.update(code_checksum(_SOURCES, _PACKAGES).encode())
    digest.update(np.ascontiguousarray(distractors).tobytes())
    path = cache / f"codebook-{digest.hexdigest()[:32]}.safetensors"
    if path.is_file():
        codebook = with_codes(load_codebook(path))
    else:
        codebook = train_codebook(
            distractors,
            factory,
            seed=seed,
            descriptor=descriptor.fingerprint,
            descriptor_name=descriptor.name,
        )
        save_codebook(codebook, path, overwrite=True)
    origin = f"trained here, on the {len(distractors):,} distractors of the base"
    name = str(factory)
    if isinstance(read_name(name, descriptor.fingerprint), BundledInfo):
        name = f"train:{name}"  # so that a name in a table names the same codebook again
    return Quantizer(name, codebook, origin)
