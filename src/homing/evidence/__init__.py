"""Evidence that one picture is a copy of another, from their pixels alone, without a descriptor.

Needs OpenCV (``pip install 'homing[evidence]'``), which is imported where it is used.
"""

from homing.evidence.alignment import (
    Alignment,
    Comparison,
    Suspect,
    compare,
    has_opencv,
)
from homing.evidence.edits import name_edits
from homing.evidence.page import Sheet, figures_of, render_sheet

__all__ = [
    "Alignment",
    "Comparison",
    "Sheet",
    "Suspect",
    "compare",
    "figures_of",
    "has_opencv",
    "name_edits",
    "render_sheet",
]
