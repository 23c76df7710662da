"""homing: release pictures so that edited copies of them are found again.

The package, from the top down::

    homing.archive      archives: release, add, search, verify
    homing.activation   changing pictures so that edited copies stay in their cells
    homing.c2pa         Content Credentials: signed manifests in released files
    homing.search       engines that search codes, and ranking by exact similarity
    homing.edits        the edits of copies
    homing.codebooks    frozen quantizers: cells and codes
    homing.descriptors  networks from pictures to unit vectors
    homing.images       reading and writing pictures exactly
    homing.errors       all errors raised on purpose

Names in ``homing.__all__`` are public and stable. Each is imported when it is first used, so that
``import homing`` is quick.
"""

import importlib
import logging
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
    from homing.activation import ActivationLayer, activate, activate_tensors
    from homing.archive import (
        Archive,
        Calibration,
        Generation,
        Hit,
        Hits,
        Imported,
        Indexed,
        MadePreviews,
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
    from homing.codebooks import (
        Codebook,
        FaissCodebook,
        codebook_from_faiss,
        load_codebook,
        train_codebook,
    )
    from homing.descriptors import Descriptor, descriptor_from_callable, load_descriptor
    from homing.options import Limits
    from homing.progress import Progress

__all__ = [
    "ActivationLayer",
    "Archive",
    "ArchiveError",
    "Calibration",
    "Codebook",
    "CodebookError",
    "ContentCredentials",
    "Descriptor",
    "DescriptorError",
    "EntryNotFoundError",
    "FaissCodebook",
    "Generation",
    "Hit",
    "Hits",
    "HomingError",
    "Imported",
    "Indexed",
    "Limits",
    "MadePreviews",
    "Outcome",
    "Partial",
    "PictureError",
    "Problem",
    "Progress",
    "Report",
    "SearchResult",
    "UsageError",
    "VectorMatches",
    "Verification",
    "__version__",
    "activate",
    "activate_tensors",
    "codebook_from_faiss",
    "create",
    "descriptor_from_callable",
    "load_codebook",
    "load_descriptor",
    "open",
    "train_codebook",
]

logging.getLogger(__name__).addHandler(logging.NullHandler())  # the program decides what is shown

_NAMES = {
    "homing.activation": "ActivationLayer activate activate_tensors",
    "homing.archive": "Archive Calibration Generation Hit Hits Imported Indexed MadePreviews "
    "Outcome Partial Problem Report SearchResult VectorMatches Verification create open",
    "homing.c2pa": "ContentCredentials",
    "homing.codebooks": "Codebook FaissCodebook codebook_from_faiss load_codebook train_codebook",
    "homing.descriptors": "Descriptor descriptor_from_callable load_descriptor",
    "homing.options": "Limits",
    "homing.progress": "Progress",
}
_HOMES = {
    name: (module, "open_archive" if name == "open" else name)
    for module, names in _NAMES.items()
    for name in names.split()
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'homing' has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(importlib.import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted(__all__)
