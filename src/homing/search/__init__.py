"""Engines that find entries by their codes, and the exact ranking of what they find."""

from homing.search.memory import MemoryEngine, automatic_probes
from homing.search.ranking import rank, similarities

__all__ = ["MemoryEngine", "automatic_probes", "rank", "similarities"]
