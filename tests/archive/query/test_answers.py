"""When a search of more cells ends."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from homing.archive.query.answers import find_hits
from homing.archive.query.queries import DescribedQuery
from homing.archive.query.snapshot import QueryHits
from homing.options import SearchOptions
from homing.search.engines.combined import Stage

STAGES = (Stage(1), Stage(2, enough=0.03), Stage(4, enough=0.2), Stage(8))


class Matches:
    """Those of queries that find as many entries as cells are visited."""

    def __init__(self, probes):
        self.probes = probes


@dataclass
class Visited:
    """A snapshot of four stages that notes what is visited."""

    noted: list[tuple[int, int]] = field(default_factory=list)

    def probes(self, wanted):
        return wanted or 3

    def stages(self, wanted):
        return STAGES if wanted is None else (Stage(wanted),)

    def search(self, queries, *, probes, **options):
        self.noted.append((len(queries), probes))
        return Matches(probes)

    def best_views(self, matches, rows, views, **options):
        there = np.zeros(matches.probes)
        return QueryHits(there.astype(int), there, there, views, 1, None, matches.probes)


def visited(rates, **options):
    """Return what queries visit whose surest hits have these rates, by cells visited."""
    snapshot, queries = Visited(), [DescribedQuery(("upright",), np.zeros((1, 4), np.float32))]
    find_hits(
        snapshot, queries, SearchOptions(**options), rates and (lambda h: rates[h.cells_searched])
    )
    return [probes for _, probes in snapshot.noted]


@pytest.mark.parametrize(
    ("rates", "stages"),
    [
        ({1: 1e-5}, [1]),
        ({1: 2e-4, 2: 0.03}, [1, 2]),
        ({1: 0.01, 2: 0.04, 4: 0.2}, [1, 2, 4]),
        ({1: 1, 2: 1, 4: 0.21, 8: 1}, [1, 2, 4, 8]),
    ],
)
def test_the_further_a_search_went_the_less_ends_it(rates, stages):
    assert visited(rates) == stages


def test_what_is_called_a_copy_ends_a_search_at_once():
    assert visited({1: 2e-4}, rate=2e-4) == [1]
    assert visited({1: 0.5}, rate=0.5) == [1]


def test_a_number_of_cells_is_obeyed():
    assert visited({2: 1}, probes=2) == [2]


def test_without_a_calibration_there_is_one_stage():
    assert visited(None) == [3]
