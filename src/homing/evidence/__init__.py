"""Evidence that one picture is a copy of another, from their pixels alone, without a descriptor."""

from homing.evidence.alignment import Alignment
from homing.evidence.analysis import ComparableRecord
from homing.evidence.comparison import ComparableQuery, Comparison, Kind
from homing.evidence.edits import name_edits
from homing.evidence.page import Sheet, figures_of, render_sheet

__all__ = [
    "Alignment",
    "ComparableQuery",
    "ComparableRecord",
    "Comparison",
    "Kind",
    "Sheet",
    "figures_of",
    "name_edits",
    "render_sheet",
]
