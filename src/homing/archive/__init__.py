"""Archives: pictures released or added, searched and maintained."""

from homing.archive.archive import Archive
from homing.archive.codebooks import Generation, choose_codebook, choose_codebooks
from homing.archive.hits import Hit, Hits, SearchResult
from homing.archive.inputs import find_files, find_inputs
from homing.archive.open import create, damaged_files, open_archive
from homing.archive.query.calibration import Calibration
from homing.archive.query.snapshot import VectorMatches
from homing.archive.query.verdict import rate_in_words
from homing.archive.results import Imported, MadePreviews, Outcome, Problem, Report, Verification
from homing.archive.table.index.build_index import Indexed
from homing.archive.table.rows import Row
from homing.search.engines.deadline import Partial

__all__ = [
    "Archive",
    "Calibration",
    "Generation",
    "Hit",
    "Hits",
    "Imported",
    "Indexed",
    "MadePreviews",
    "Outcome",
    "Partial",
    "Problem",
    "Report",
    "Row",
    "SearchResult",
    "VectorMatches",
    "Verification",
    "choose_codebook",
    "choose_codebooks",
    "create",
    "damaged_files",
    "find_files",
    "find_inputs",
    "open_archive",
    "rate_in_words",
]
