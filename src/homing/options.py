"""Options of releases and searches: frozen values, checked once, importable without torch.

Each has a typed dictionary of its keywords, so that ``archive.release(photos, out=…, psnr=42)``
needs no object.
"""

from __future__ import annotations

import difflib
import inspect
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias, TypedDict, TypeVar, Union

from homing.errors import UsageError

if TYPE_CHECKING:
    from homing.codebooks import Codebook, FaissCodebook

__all__ = [
    "DEFAULT_LIMITS",
    "FORMATS",
    "GREATEST_PSNR",
    "LEAST_PSNR",
    "PLACES",
    "PREVIEW_SIDE",
    "UPRIGHT",
    "VIEWS",
    "Activation",
    "ActivationKeywords",
    "CodebookLike",
    "Limits",
    "PathLike",
    "SearchKeywords",
    "SearchOptions",
    "as_paths",
    "check_places",
    "check_preview_side",
    "check_views",
]

_Options = TypeVar("_Options", bound="Activation | SearchOptions")

PathLike: TypeAlias = str | os.PathLike[str]

CodebookLike: TypeAlias = Union[str, Path, "Codebook", "FaissCodebook"]
"""A bundled codebook's factory string or name, a file, or a loaded codebook."""

LEAST_PSNR, GREATEST_PSNR = 30, 70  # dB: a change shows below, and has no room above

PREVIEW_SIDE = 480
"""Pixels on the longer side of an archive's previews. With 320 copies of printed pages are lost."""

_LEAST_SIDE, _MOST_SIDE = 16, 4096

PLACES = 2
"""Cells that a released picture is held in: its own, and the nearest other one."""

_MOST_PLACES = 4

FORMATS = ("jpeg", "png", "webp", "tiff")
"""Formats that released files may be written in."""

UPRIGHT = "upright"
VIEWS = (UPRIGHT, "turned", "all")
"""Sets of views of a picture: as it is; its quarter turns and their mirror images; all, which adds
these of what lies within a frame, and five parts of the picture."""


MOST_PIXELS = 150_000_000
"""Pixels of a picture that is read, unless a limit says otherwise: its arrays take 20 times as many
bytes while it is released."""


@dataclass(frozen=True)
class Limits:
    """Limits on one picture, both checked before memory is allocated.

    Parameters
    ----------
    max_pixels : int
        Largest width × height, as the file's header claims it. Pillow's own limit plays no part.
    max_bytes : int
        Largest encoded file.

    Raises
    ------
    UsageError
        A limit is less than one.
    """

    max_pixels: int = MOST_PIXELS
    max_bytes: int = 512 * 2**20

    def __post_init__(self) -> None:
        if self.max_pixels < 1 or self.max_bytes < 1:
            raise UsageError(
                f"limits must be at least 1, not {self.max_pixels} pixels and "
                f"{self.max_bytes} bytes"
            )


DEFAULT_LIMITS = Limits()


class ActivationKeywords(TypedDict, total=False):
    """Keywords of a release, for type checkers; :class:`Activation` has their defaults."""

    psnr: float
    method: str
    seed: int
    format: str | None
    also: CodebookLike | Sequence[CodebookLike]


@dataclass(frozen=True, kw_only=True)
class Activation:
    """Options of an activation. Raises `UsageError` if a value is out of its range."""

    #: Least of each file against its source, dB, 30 to 70; a method may bound what is seen too.
    psnr: float = 42.0
    method: str = "robust"  # a name in :data:`homing.activation.METHODS`
    seed: int = 0  # of the initial noise and of the simulated edits
    format: str | None = None  # one of FORMATS; None: each picture's own
    #: Further codebooks of the descriptor that the same change serves; stored as a tuple.
    also: CodebookLike | Sequence[CodebookLike] = ()

    @classmethod
    def of(cls, function: Callable[..., Any], keywords: Mapping[str, Any]) -> Self:
        """Make them of a function's keywords; `UsageError` for one that it does not have."""
        return _options_of(cls, function, keywords)

    def __post_init__(self) -> None:
        several = isinstance(self.also, Iterable) and not isinstance(self.also, str)
        object.__setattr__(self, "also", tuple(self.also) if several else (self.also,))  # type: ignore[arg-type]
        if not LEAST_PSNR <= self.psnr <= GREATEST_PSNR:
            raise UsageError(
                f"psnr must be between {LEAST_PSNR:g} and {GREATEST_PSNR:g} dB, not {self.psnr:g}"
            )
        if self.seed < 0:
            raise UsageError(f"the seed must be at least 0, not {self.seed}")
        if self.format is not None and self.format.lower() not in {*FORMATS, "jpg", "jpe", "tif"}:
            raise UsageError(f"format must be one of {', '.join(FORMATS)}, not {self.format!r}")


Probes: TypeAlias = int | Literal["near"] | None
"""Cells to visit: a number, those near the picture, or None: as many as it takes."""


class SearchKeywords(TypedDict, total=False):
    """Keywords of a search, for type checkers; :class:`SearchOptions` has their defaults."""

    k: int
    probes: Probes
    rerank: int
    views: str
    rate: float
    confirm: bool
    files: PathLike | Sequence[PathLike]
    limits: Limits
    deadline: float | None


@dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """Options of a search, as :meth:`homing.Archive.search` describes them.

    Raises `UsageError` if a value is out of its range.
    """

    k: int = 10
    probes: Probes = None
    rerank: int = 64
    views: str = UPRIGHT
    rate: float = 1e-4
    confirm: bool = True
    files: PathLike | Sequence[PathLike] = ()
    limits: Limits = DEFAULT_LIMITS
    deadline: float | None = None

    @classmethod
    def of(cls, function: Callable[..., Any], keywords: Mapping[str, Any]) -> Self:
        """Make them of a function's keywords; `UsageError` for one that it does not have."""
        return _options_of(cls, function, keywords)

    def __post_init__(self) -> None:
        check_views(self.views)
        if self.k < 1 or self.rerank < 0:
            raise UsageError(
                f"k must be at least 1 and rerank at least 0, not {self.k} and {self.rerank}"
            )
        if not 0 < self.rate < 1:
            raise UsageError(f"the false-alarm rate must be between 0 and 1, not {self.rate:g}")
        number = self.probes if isinstance(self.probes, int) else 1
        if number < 1 or (isinstance(self.probes, str) and self.probes != "near"):
            raise UsageError(f'probes must be at least 1, or "near", not {self.probes!r}')
        if self.deadline is not None and not self.deadline > 0:
            raise UsageError(f"the deadline must be more than 0 seconds, not {self.deadline:g}")

    @property
    def folders(self) -> list[Path]:
        """Folders with the pictures of the entries, whose ids are paths in them."""
        return as_paths(self.files)


def _options_of(
    kind: type[_Options], function: Callable[..., Any], keywords: Mapping[str, Any]
) -> _Options:
    """Make options of a function's keywords; see their methods ``of``."""
    known = [each.name for each in fields(kind)]
    for name in keywords:
        if name not in known:
            near = difflib.get_close_matches(
                name, [*known, *inspect.signature(function).parameters]
            )
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
            raise UsageError(f"{function.__name__} has no option {name!r}: {hint}")
    return kind(**keywords)


def check_views(views: str) -> None:
    """Raise `UsageError` for an unknown set of views."""
    if views not in VIEWS:
        raise UsageError(f"views must be one of {', '.join(VIEWS)}, not {views!r}")


def check_preview_side(side: int) -> None:
    """Raise `UsageError` for a size that previews cannot have; 0 is for none."""
    if side != 0 and not _LEAST_SIDE <= side <= _MOST_SIDE:
        raise UsageError(
            f"previews have {_LEAST_SIDE} to {_MOST_SIDE} pixels on their longer side, or 0 for "
            f"none, not {side}"
        )


def check_places(places: int) -> None:
    """Raise `UsageError` for a number of cells that a picture cannot be held in."""
    if not 1 <= places <= _MOST_PLACES:
        raise UsageError(
            f"a released picture is held in 1 to {_MOST_PLACES} cells (places), not {places}"
        )


def as_paths(paths: PathLike | Sequence[PathLike]) -> list[Path]:
    """Return one path or several as a list of them."""
    if isinstance(paths, str | os.PathLike):
        return [Path(paths)]
    return [Path(path) for path in paths]
