"""What a user holds: the record of what was released or added, and what can be asked of it."""

from homing.archive.archive import Archive
from homing.archive.calibration import Calibration
from homing.archive.choosing import choose_codebook, choose_codebooks
from homing.archive.generations import Generation
from homing.archive.indexing import Indexed
from homing.archive.manifest import find_files, find_inputs
from homing.archive.opening import create, open_archive
from homing.archive.results import (
    Hit,
    Hits,
    Imported,
    Outcome,
    Problem,
    Report,
    SearchResult,
    Verification,
)
from homing.archive.rows import Row
from homing.archive.snapshot import Matches
from homing.search import Partial, in_words

__all__ = [
    "Archive",
    "Calibration",
    "Generation",
    "Hit",
    "Hits",
    "Imported",
    "Indexed",
    "Matches",
    "Outcome",
    "Partial",
    "Problem",
    "Report",
    "Row",
    "SearchResult",
    "Verification",
    "choose_codebook",
    "choose_codebooks",
    "create",
    "find_files",
    "find_inputs",
    "in_words",
    "open_archive",
]
