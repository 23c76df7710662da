"""Edits of copies, each defined once, for the benchmark and for training.

An :class:`Edit` maps an 8-bit RGB picture, and the generator of all randomness, to an edited copy.
:data:`PAPER` holds the fourteen of "Active Image Indexing" (ICLR 2023); :func:`paper_edits` returns
them, or the thirteen that need no other package.
"""

from homing.edits._augly import random_available
from homing.edits._base import Edit, make_edit
from homing.edits.paper import PAPER, SCREENSHOT, paper_edits, sweep_edits

__all__ = [
    "PAPER",
    "SCREENSHOT",
    "Edit",
    "make_edit",
    "paper_edits",
    "random_available",
    "sweep_edits",
]
