"""Codebooks as users name them: a file, a factory string, a bundled one's name."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from homing.codebooks import Codebook, bundled, choose_bundled, load_codebook
from homing.errors import CodebookError
from homing.images import shown

if TYPE_CHECKING:
    from homing.descriptors import Descriptor

#: A bundled codebook's factory string or name, a file, or a loaded one.
CodebookLike = str | Path | Codebook


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
    given = [codebooks] if isinstance(codebooks, CodebookLike) else codebooks
    return tuple(choose_codebook(each, network, None)[0] for each in given)


def _find(codebook: str | Path, network: "Descriptor", expect: int | None) -> tuple[Codebook, str]:
    if codebook == "auto":
        return choose_bundled(network.fingerprint, expect)
    if Path(codebook).exists():
        return load_codebook(codebook), f"from {codebook}"
    fitting = [info for info in bundled() if info.descriptor == network.fingerprint]
    for info in fitting:
        if str(codebook) in {info.factory, info.name}:
            return load_codebook(info.name), "bundled, as asked for"
    names = ", ".join(info.factory for info in fitting)
    raise CodebookError(
        f"{str(codebook)!r} is neither a file nor a codebook that ships with homing for "
        f"{network.name!r} ({names or 'none does'}); make one with "
        f"'homing codebook train PHOTOS --factory {codebook} --out codebook.safetensors'"
    )
