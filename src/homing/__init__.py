"""homing: release pictures so that edited copies of them are found again.

A map of the package, from what a user holds to what it is made of::

    homing.archive      the record of what was released or added; release, search, verify
    homing.activation   changing pictures within a budget so that edited copies keep their cell
    homing.c2pa         Content Credentials: signed manifests in released files
    homing.search       engines that find entries by their codes, and exact ranking
    homing.edits        what copies suffer, one definition each
    homing.codebooks    frozen quantizers: cells and codes
    homing.descriptors  networks from pictures to unit vectors
    homing.images       pictures in and out, exactly
    homing.errors       all errors raised on purpose

What stands in ``homing.__all__`` is public and stable; it is loaded when first touched, so that
``import homing`` costs nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

from homing._version import __version__
from homing.errors import (
    ArchiveError,
    CodebookError,
    DescriptorError,
    EntryNotFoundError,
    HomingError,
    PictureError,
    UsageError,
)

if TYPE_CHECKING:
    from homing.activation import activate
    from homing.archive import (
        Archive,
        Calibration,
        Generation,
        Hit,
        Hits,
        Imported,
        Indexed,
        Outcome,
        Partial,
        Problem,
        Report,
        SearchResult,
        VectorMatches,
        Verification,
        create,
    )
    from homing.archive import open_archive as open  # noqa: A004 - homing.open, as in the contract
    from homing.c2pa import ContentCredentials
    from homing.codebooks import Codebook, load_codebook, train_codebook
    from homing.descriptors import Descriptor, descriptor_from_callable, load_descriptor
    from homing.options import Limits

__all__ = [
    "Archive",
    "ArchiveError",
    "Calibration",
    "Codebook",
    "CodebookError",
    "ContentCredentials",
    "Descriptor",
    "DescriptorError",
    "EntryNotFoundError",
    "Generation",
    "Hit",
    "Hits",
    "HomingError",
    "Imported",
    "Indexed",
    "Limits",
    "Outcome",
    "Partial",
    "PictureError",
    "Problem",
    "Report",
    "SearchResult",
    "UsageError",
    "VectorMatches",
    "Verification",
    "__version__",
    "activate",
    "create",
    "descriptor_from_callable",
    "load_codebook",
    "load_descriptor",
    "open",
    "train_codebook",
]

_HOMES = {
    "Archive": ("homing.archive", "Archive"),
    "Calibration": ("homing.archive", "Calibration"),
    "Codebook": ("homing.codebooks", "Codebook"),
    "ContentCredentials": ("homing.c2pa", "ContentCredentials"),
    "Descriptor": ("homing.descriptors", "Descriptor"),
    "Generation": ("homing.archive", "Generation"),
    "Hit": ("homing.archive", "Hit"),
    "Hits": ("homing.archive", "Hits"),
    "Imported": ("homing.archive", "Imported"),
    "Indexed": ("homing.archive", "Indexed"),
    "Limits": ("homing.options", "Limits"),
    "VectorMatches": ("homing.archive", "VectorMatches"),
    "Outcome": ("homing.archive", "Outcome"),
    "Partial": ("homing.archive", "Partial"),
    "Problem": ("homing.archive", "Problem"),
    "Report": ("homing.archive", "Report"),
    "SearchResult": ("homing.archive", "SearchResult"),
    "Verification": ("homing.archive", "Verification"),
    "activate": ("homing.activation", "activate"),
    "create": ("homing.archive", "create"),
    "descriptor_from_callable": ("homing.descriptors", "descriptor_from_callable"),
    "load_codebook": ("homing.codebooks", "load_codebook"),
    "load_descriptor": ("homing.descriptors", "load_descriptor"),
    "open": ("homing.archive", "open_archive"),
    "train_codebook": ("homing.codebooks", "train_codebook"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'homing' has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(importlib.import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted(__all__)
