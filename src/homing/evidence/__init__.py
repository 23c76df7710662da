"""Evidence that one picture is a copy of another, from their pixels and from no descriptor.

Needs OpenCV (``pip install 'homing[evidence]'``), which is imported where it is used.
"""

from homing.evidence.alignment import (
    Alignment,
    Comparison,
    Suspect,
    available,
    compare,
    require_opencv,
)
from homing.evidence.edits import edits_seen
from homing.evidence.page import Sheet, figures_of, render_sheet

__all__ = [
    "Alignment",
    "Comparison",
    "Sheet",
    "Suspect",
    "available",
    "compare",
    "edits_seen",
    "figures_of",
    "render_sheet",
    "require_opencv",
]
