"""Measurement of one state's copies, searched through one codebook or exactly, edit by edit."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from homing.bench.measure.figures import mean_of_draws
from homing.bench.search.engine import EXACT, Engine, Setting
from homing.bench.search.exact import search_exact
from homing.bench.states.benchmark import Benchmark
from homing.bench.states.state import State
from homing.bench.statistics.bootstrap import Interval, Resampled, make_interval, resample
from homing.bench.statistics.measures import Places, recall, reciprocal_rank
from homing.edits import Edit
from homing.search.engines.combined import Near

MEASURES = ("recall_1", "recall_10", "recall_100", "reciprocal_rank")
"""Measures of every search."""

_BOOTSTRAP = 6  # purpose of a seed, as in measure/detection.py

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class SearchedCopies:
    """Results of searching for one state's copies."""

    settings: tuple[Setting, ...]
    searched: Flags = field(repr=False)  # which copies were searched for
    places: tuple[Places, ...] = field(repr=False)  # for each setting, of the searched copies
    top: Rows = field(repr=False)  # (settings, n), place of the first answer in the base, or -1
    visited: tuple[float, ...] = ()  # for each setting, cells that a copy visits in the mean
    in_cell: Flags | None = field(repr=False, default=None)  # of the searched copies


@dataclass(frozen=True, eq=False)
class Measurement:
    """Figures of one state's copies."""

    index: str  # name of the codebook searched; empty for exact search alone
    method: str
    aimed_at: str | None
    copies: SearchedCopies = field(repr=False)
    edits: tuple[Edit, ...]
    # Rows: settings by measures by edits; after them, for each edit, the share of copies that are
    # in their picture's cell (NaN if the codebook has no cells).
    figures: Resampled = field(repr=False)
    queries: tuple[int, ...]  # copies searched for, for each edit
    errors: tuple[int, ...]  # copies that could not be made, for each edit

    @property
    def settings(self) -> tuple[Setting, ...]:
        """Ways of searching."""
        return self.copies.settings

    @property
    def counted(self) -> Rows:
        """Numbers of the edits in the mean."""
        return np.flatnonzero([edit.in_mean for edit in self.edits])

    def figure(self, setting: int, measure: str, edit: int) -> Interval:
        """One figure of one edit."""
        return self.figures.interval(int(self._rows(setting, measure)[edit]))

    def mean(self, setting: int, measure: str = "recall_1") -> Interval:
        """One figure's mean over the edits that count."""
        return make_interval(*self.mean_samples(setting, measure))

    def mean_samples(self, setting: int, measure: str = "recall_1") -> tuple[float, Floats]:
        """The mean, and its bootstrap samples; paired with those of other states."""
        return self.figures.over(self._rows(setting, measure)[self.counted])

    def cell(self, edit: int | None = None) -> Interval:
        """Share of copies in their picture's cell: under one edit, or the mean."""
        rows = len(self.settings) * len(MEASURES) * len(self.edits) + np.arange(len(self.edits))
        if edit is None:
            return make_interval(*self.figures.over(rows[self.counted]))
        return self.figures.interval(int(rows[edit]))

    def setting(self, probes: int | Near, *, ranked: bool) -> int:
        """Number of the setting with these probes, or with all codes if there are no cells."""
        wanted = [n for n, s in enumerate(self.settings) if s.ranked == ranked]
        return next((n for n in wanted if self.settings[n].probes == probes), wanted[0])

    @property
    def one_probe(self) -> int:
        """Number of the setting that headlines and gains are about: one probe, re-ranked."""
        return self.setting(1, ranked=True)

    def _rows(self, setting: int, measure: str) -> Rows:
        first = (setting * len(MEASURES) + MEASURES.index(measure)) * len(self.edits)
        return first + np.arange(len(self.edits))


def measure_index(
    benchmark: Benchmark,
    engine: Engine,
    index: str,
    state: State,
    settings: Sequence[Setting],
    pictures: Rows | None = None,
) -> Measurement:
    """Search for all copies of a state through a codebook.

    The engine holds the state's entries and the distractors, and `index` is its name. `pictures`
    are the photographs to measure on; None: all that are searched for.
    """
    searched = benchmark.searched_copies(state, pictures)
    owners = benchmark.material.queries.pictures[searched]
    queries = state.copies[searched]
    hits = [engine.search(queries, setting) for setting in settings]
    in_cell = None
    if engine.codebook.cell_count > 1:
        held = engine.cells[benchmark.searched_rows.place[owners]]
        in_cell = (engine.codebook.cells(queries)[:, None] == held).any(axis=1)
    right = benchmark.padded_right[owners]
    places = tuple(each.places(right) for each in hits)
    top = np.stack([each.rows[:, 0] for each in hits])
    visited = tuple(float(each.visited.mean()) for each in hits)
    copies = SearchedCopies(tuple(settings), searched, places, top, visited, in_cell)
    return _measurement(benchmark, state, index, copies, pictures)


def measure_exact(
    benchmark: Benchmark,
    state: State,
    distractors: Vectors,
    name: str = "",
    pictures: Rows | None = None,
) -> Measurement:
    """Compare all copies of a state with every entry.

    `distractors`, (m, d), are described like the state; `name` is that of a hash, if it is one.
    `pictures` as for :func:`measure_index`.
    """
    searched = benchmark.searched_copies(state, pictures)
    owners = benchmark.material.queries.pictures[searched].tolist()
    base = np.concatenate([benchmark.entries(state), distractors])
    hits = search_exact(state.copies[searched], base, [benchmark.right[owner] for owner in owners])
    copies = SearchedCopies((EXACT,), searched, (hits.places,), hits.nearest[None])
    return _measurement(benchmark, state, name, copies, pictures)


def _measurement(
    benchmark: Benchmark, state: State, index: str, copies: SearchedCopies, pictures: Rows | None
) -> Measurement:
    """Average over the draws of each picture, and over the pictures."""
    columns = benchmark.photos if pictures is None else pictures
    queries, searched = benchmark.material.queries, copies.searched
    rows = [places[:, columns] for places in queries.places()]
    measured = [
        values
        for places in copies.places
        for values in (*(recall(places, k) for k in (1, 10, 100)), reciprocal_rank(places))
    ]
    cells = np.full(int(searched.sum()), np.nan)
    if copies.in_cell is not None:
        cells = copies.in_cell.astype(np.float64)
    values = np.full((len(measured) + 1, len(searched)), np.nan)
    values[:, searched] = np.stack([*measured, cells])
    # (searches, draws, pictures) for each edit, then draws averaged.
    table = np.stack([mean_of_draws(values[:, row].swapaxes(0, 1)) for row in rows], axis=1)
    generator = np.random.default_rng([benchmark.seed, _BOOTSTRAP])  # the same draws for all states
    return Measurement(
        index,
        state.method,
        state.aimed_at,
        copies,
        queries.edits,
        resample(table.reshape(-1, len(columns)), generator),
        tuple(int(searched[row].sum()) for row in rows),
        tuple(int((~searched[row]).sum()) for row in rows),
    )


def share_won_back(
    passive: Measurement, active: Measurement, exact: Measurement, setting: int
) -> Interval:
    """Share of the loss of one probe that activation wins back; NaN if one probe loses nothing.

    (active - passive) / (passive by exact search - passive), all R@1 and re-ranked through the same
    codebook, the first in a setting, the second at one probe; means over the edits that count.
    """
    before, lows = passive.mean_samples(passive.one_probe)
    after, highs = active.mean_samples(setting)
    best, tops = exact.mean_samples(exact.one_probe)
    share = (after - before) / (best - before) if best > before else float("nan")
    drawn = np.full(len(lows), np.nan)
    np.divide(highs - lows, tops - lows, out=drawn, where=tops > lows)
    return make_interval(share, drawn)
