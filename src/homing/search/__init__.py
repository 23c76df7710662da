"""Engines that find entries by their codes, exact ranking, views of a query, and the verdict."""

from homing.search.engines.combined import CombinedEngine, Probes
from homing.search.engines.deadline import Deadline, Part, Partial
from homing.search.engines.lance import (
    Block,
    LanceEngine,
    Nearest,
    indexed,
    reason_against,
    unindexed,
)
from homing.search.engines.memory import MemoryEngine, automatic_probes, probe_stages
from homing.search.false_alarms import (
    LEAST_BACKGROUND,
    Tail,
    fit_tail,
    highest_background,
    in_words,
)
from homing.search.frames.borders import inner_box
from homing.search.ranking import rank, similarities
from homing.search.views import View, query_views

__all__ = [
    "LEAST_BACKGROUND",
    "Block",
    "CombinedEngine",
    "Deadline",
    "LanceEngine",
    "MemoryEngine",
    "Nearest",
    "Part",
    "Partial",
    "Probes",
    "Tail",
    "View",
    "automatic_probes",
    "fit_tail",
    "highest_background",
    "in_words",
    "indexed",
    "inner_box",
    "probe_stages",
    "query_views",
    "rank",
    "reason_against",
    "similarities",
    "unindexed",
]
