"""Names of codebooks: one notation for every command and function that takes one.

=======================  =======================================================================
``auto``                 the bundled codebook for the descriptor and the number of pictures
``IVF64,PQ8x8``          a factory string: the bundled codebook of that form for the descriptor
``homing-s-IVF64-PQ8x8`` the name of a bundled codebook
``train:IVF64,PQ8x8``    one trained on the pictures at hand, by ``homing bench`` alone
any other string         a file, of homing or of Faiss
=======================  =======================================================================

Capitals and blanks do not matter in the first four. ``./IVF64,PQ8x8`` is a file of that name.
"""

import difflib
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias

from homing.codebooks.catalogue import (
    BundledInfo,
    bundled_codebooks,
    choose_bundled,
    load_bundled,
)
from homing.codebooks.codebook import Codebook
from homing.codebooks.factory import Factory, is_factory, parse_factory
from homing.codebooks.faiss_codebook import FaissCodebook
from homing.codebooks.faiss_index import is_faiss_file, notes_on, read_faiss_codebook
from homing.codebooks.storage import read_codebook
from homing.errors import CodebookError

Meaning: TypeAlias = Literal["auto"] | BundledInfo | Factory | Path
"""The meaning of a name; a `Factory` is one that has to be trained."""

_TRAINED = "train:"
_FILES = (".safetensors", ".faiss", ".index")  # endings by which a name is surely a file's
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")  # two letters: no Windows drive
_HOME = "homing-s"  # descriptor of "auto" where no descriptor is given


def read_name(name: str | Path, descriptor: str | None = None) -> Meaning:
    """Return what a codebook's name stands for.

    Parameters
    ----------
    name : str or Path
        A `Path` is always a file.
    descriptor : str or None
        Fingerprint of the descriptor that the codebook is for; None: any.

    Raises
    ------
    CodebookError
        It is the name of nothing; the message has the nearest names.
    """
    if isinstance(name, Path):
        return _file(name)
    text = "".join(name.split())
    if text.lower() == "auto":
        return "auto"
    if text.lower().startswith(_TRAINED):
        return parse_factory(text[len(_TRAINED) :])
    bundled = bundled_codebooks()
    for info in bundled:
        if text.lower() == info.name.lower():
            return info
    if is_factory(text):
        factory = parse_factory(text)
        fitting = (info for info in bundled if descriptor in (None, info.descriptor))
        return next((info for info in fitting if info.factory == str(factory)), factory)
    return _file(Path(name))


def load_codebook(source: str | Path) -> Codebook | FaissCodebook:
    """Load a codebook from a file, or one that ships with homing.

    Parameters
    ----------
    source : str or Path
        A file of homing or of Faiss; or, as str, the factory string or the name of a codebook that
        ships with homing, as in every command. Of a Faiss index the entries are not read; see
        :func:`codebook_from_faiss`.

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
    >>> homing.load_codebook("IVF1024,PQ8x8").cell_count
    1024
    """
    meaning = read_name(source)
    if meaning == "auto":
        home = next(i.descriptor for i in bundled_codebooks() if i.descriptor_name == _HOME)
        return choose_bundled(home)[0]
    if isinstance(meaning, Factory):
        raise not_trained(meaning)
    return load_meaning(meaning)


def load_meaning(meaning: BundledInfo | Path) -> Codebook | FaissCodebook:
    """Load a bundled codebook, or that of a file."""
    if isinstance(meaning, BundledInfo):
        return load_bundled(meaning)
    try:
        if not (meaning.is_file() and is_faiss_file(meaning)):
            return read_codebook(meaning)
        codebook = read_faiss_codebook(meaning)
    except OSError as error:
        raise CodebookError(f"The codebook {meaning} cannot be read: {error}.") from error
    for note in notes_on(codebook):
        warnings.warn(note, stacklevel=3)
    return codebook


def not_trained(factory: Factory, descriptor: str | None = None) -> CodebookError:
    """Return the error of a factory string whose codebook does not ship with homing."""
    shipped = [i.factory for i in bundled_codebooks() if descriptor in (None, i.descriptor)]
    near = difflib.get_close_matches(str(factory), shipped, cutoff=0.5)
    hint = f" The nearest: {' or '.join(near)}." if near else ""
    whose = "no codebook ships with homing for this descriptor"
    whose = f"no codebook {factory} ships with homing" if shipped else whose
    return CodebookError(
        f"{whose}.{hint} Train it on your pictures: 'homing codebook train PHOTOS --factory "
        f"{factory} --out codebook.safetensors', and name that file"
    )


def _file(path: Path) -> Path:
    """Return the path of a codebook's file; CodebookError where there is none."""
    try:
        present = path.exists()
    except OSError as error:
        raise CodebookError(f"The codebook {path} cannot be read: {error}.") from error
    if present:
        return path
    text = str(path)
    if text.endswith(",") or text.startswith(","):
        raise CodebookError(
            f"the codebook {text!r} is half a name: write it without blanks, as in IVF1024,PQ8x8"
        )
    if _ADDRESS.match(text):
        raise CodebookError(
            f"the codebook {text!r} is an address: download the file, and name it by its path"
        )
    if path.suffix.lower() in _FILES or len(path.parts) > 1:
        raise CodebookError(f"there is no codebook file {text!r}{_did_you_mean(path)}")
    names = [name for info in bundled_codebooks() for name in (info.factory, info.name)]
    near = _nearest(text, names)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    ships = "; ".join(info.factory for info in bundled_codebooks())
    raise CodebookError(
        f"{text!r} is neither a file nor a codebook.{hint} Those that ship with homing: {ships}"
    )


def _did_you_mean(path: Path) -> str:
    """Name the files beside a missing one that are called nearly as it is."""
    try:
        beside = [each.name for each in path.parent.iterdir() if each.suffix.lower() in _FILES]
    except OSError:
        return f": there is no folder {str(path.parent)!r}"
    near = _nearest(path.name, beside)
    return f"; did you mean {' or '.join(str(path.with_name(name)) for name in near)}?" * bool(near)


def _nearest(text: str, names: Sequence[str]) -> list[str]:
    by_lower = {name.lower(): name for name in names}
    return [by_lower[near] for near in difflib.get_close_matches(text.lower(), by_lower, n=2)]
