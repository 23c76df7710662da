"""Engines that find entries by their codes, exact ranking, and the views of a query."""

from homing.search.memory import MemoryEngine, automatic_probes
from homing.search.ranking import rank, similarities
from homing.search.views import UPRIGHT, VIEWS, View, check_views, query_views

__all__ = [
    "UPRIGHT",
    "VIEWS",
    "MemoryEngine",
    "View",
    "automatic_probes",
    "check_views",
    "query_views",
    "rank",
    "similarities",
]
