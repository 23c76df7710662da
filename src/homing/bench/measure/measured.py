"""One state's copies searched for through one codebook, or exactly: the figures, edit by edit."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from homing.bench.measure.scoring import mean_of_draws
from homing.bench.search.engine import EXACT, Engine, Setting
from homing.bench.search.exact import answer
from homing.bench.states.states import Common, State
from homing.bench.statistics.bootstrap import Interval, Resampled, make_interval, resample
from homing.bench.statistics.measures import Places, recall, reciprocal_rank
from homing.edits import Edit

MEASURES = ("recall_1", "recall_10", "recall_100", "reciprocal_rank")
"""What is measured of every search."""

_BOOTSTRAP = 6  # what a seed is for, as in descriptors.py

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Measured:
    """What became of one state's copies.

    Attributes
    ----------
    index : str
        Name of the codebook searched; empty for exact search alone.
    method : str
    aimed : str or None
    settings : tuple of Setting
    edits : tuple of Edit
    found : Resampled
        Rows: settings by measures by edits; after them, for each edit, the share of copies that
        are in their picture's cell (NaN where the codebook has no cells).
    queries, errors : tuple of int
        For each edit the copies searched for, and those that could not be made.
    places : tuple of Places
        For each setting, of the copies searched for.
    top : ndarray, shape (settings, n), int64
        The first answer's place in the base; -1 where there is none.
    searched : ndarray, bool
        Which copies were.
    in_cell : ndarray, bool, or None
        Of the copies searched for.
    """

    index: str
    method: str
    aimed: str | None
    settings: tuple[Setting, ...]
    edits: tuple[Edit, ...]
    found: Resampled = field(repr=False)
    queries: tuple[int, ...]
    errors: tuple[int, ...]
    places: tuple[Places, ...] = field(repr=False)
    top: Rows = field(repr=False)
    searched: Flags = field(repr=False)
    in_cell: Flags | None = field(repr=False)

    @property
    def counted(self) -> Rows:
        """Numbers of the edits that the mean is taken over."""
        return np.flatnonzero([edit.in_mean for edit in self.edits])

    def of(self, setting: int, measure: str, edit: int) -> Interval:
        """One figure of one edit."""
        return self.found.interval(int(self._rows(setting, measure)[edit]))

    def mean(self, setting: int, measure: str = "recall_1") -> Interval:
        """One figure's mean over the edits that count."""
        return make_interval(*self.mean_samples(setting, measure))

    def mean_samples(self, setting: int, measure: str = "recall_1") -> tuple[float, Floats]:
        """The mean, and its bootstrap samples; paired with those of other states."""
        return self.found.over(self._rows(setting, measure)[self.counted])

    def cell(self, edit: int | None = None) -> Interval:
        """Share of copies in their picture's cell: under one edit, or the mean."""
        rows = len(self.settings) * len(MEASURES) * len(self.edits) + np.arange(len(self.edits))
        if edit is None:
            return make_interval(*self.found.over(rows[self.counted]))
        return self.found.interval(int(rows[edit]))

    def setting(self, probes: int, *, ranked: bool) -> int:
        """Number of a setting: so many probes, or all codes where there are no cells."""
        wanted = [n for n, s in enumerate(self.settings) if s.ranked == ranked]
        return next((n for n in wanted if self.settings[n].probes == probes), wanted[0])

    def _rows(self, setting: int, measure: str) -> Rows:
        first = (setting * len(MEASURES) + MEASURES.index(measure)) * len(self.edits)
        return first + np.arange(len(self.edits))


def measure_index(
    common: Common,
    engine: Engine,
    index: str,
    state: State,
    settings: Sequence[Setting],
    pictures: Rows | None = None,
) -> Measured:
    """Search for all copies of a state through a codebook.

    Parameters
    ----------
    common : Common
    engine : Engine
        Holds the state's entries and the distractors.
    index : str
        The codebook's name.
    state : State
    settings : sequence of Setting
    pictures : ndarray of int64, optional
        Measure on these photographs only, of those kept.
    """
    searched = common.searched(state, pictures)
    owners = common.material.queries.pictures[searched]
    queries = state.copies[searched]
    answers = [engine.search(queries, setting) for setting in settings]
    in_cell = None
    if engine.codebook.cell_count > 1:
        held = engine.cells[common.index.place[owners]]
        in_cell = (engine.codebook.cells(queries)[:, None] == held).any(axis=1)
    right = common.padded_right[owners]
    places = tuple(each.places(right) for each in answers)
    top = np.stack([each.rows[:, 0] for each in answers])
    columns = common.kept if pictures is None else pictures
    return _collect(common, state, index, tuple(settings), places, top, searched, in_cell, columns)


def measure_exact(
    common: Common,
    state: State,
    others: Vectors,
    name: str = "",
    pictures: Rows | None = None,
) -> Measured:
    """Compare all copies of a state with every entry.

    Parameters
    ----------
    common : Common
    state : State
    others : ndarray, shape (m, d), float32
        Distractors, described as the state is.
    name : str
        What took the codebook's place: nothing, or a hash.
    pictures : ndarray of int64, optional
        Measure on these photographs only, of those kept.
    """
    searched = common.searched(state, pictures)
    owners = common.material.queries.pictures[searched].tolist()
    base = np.concatenate([state.entries[common.kept], others])
    found = answer(state.copies[searched], base, [common.right[owner] for owner in owners])
    columns = common.kept if pictures is None else pictures
    return _collect(
        common, state, name, (EXACT,), (found.places,), found.nearest[None], searched, None, columns
    )


def _collect(
    common: Common,
    state: State,
    index: str,
    settings: tuple[Setting, ...],
    places: tuple[Places, ...],
    top: Rows,
    searched: Flags,
    in_cell: Flags | None,
    columns: Rows,
) -> Measured:
    queries = common.material.queries
    rows = [places[:, columns] for places in queries.places()]
    measured = [f(p) for p in places for f in _FUNCTIONS]
    cells = np.full(int(searched.sum()), np.nan) if in_cell is None else in_cell.astype(np.float64)
    values = np.full((len(measured) + 1, len(searched)), np.nan)
    values[:, searched] = np.stack([*measured, cells])
    # (searches, draws, pictures) for each edit, then draws averaged.
    table = np.stack([mean_of_draws(values[:, row].swapaxes(0, 1)) for row in rows], axis=1)
    generator = np.random.default_rng([common.seed, _BOOTSTRAP])  # of every state the same draws
    found = resample(table.reshape(-1, len(columns)), generator)
    return Measured(
        index,
        state.method,
        state.aimed,
        settings,
        queries.edits,
        found,
        tuple(int(searched[row].sum()) for row in rows),
        tuple(int((~searched[row]).sum()) for row in rows),
        places,
        top,
        searched,
        in_cell,
    )


_FUNCTIONS = (
    lambda places: recall(places, 1),
    lambda places: recall(places, 10),
    lambda places: recall(places, 100),
    reciprocal_rank,
)


def share_closed(passive: Measured, active: Measured, exact: Measured) -> Interval:
    """How much of what one probe loses is won back by activation.

    (active - passive) / (passive by exact search - passive), all R@1, the first two at one probe
    and re-ranked; means over the edits that count.

    Parameters
    ----------
    passive, active : Measured
        Through the same codebook.
    exact : Measured
        Passive, exact search.

    Returns
    -------
    Interval
        NaN where one probe loses nothing.
    """
    (before, lows), (after, highs), (best, tops) = (
        each.mean_samples(each.setting(1, ranked=True)) for each in (passive, active, exact)
    )
    share = (after - before) / (best - before) if best > before else float("nan")
    drawn = np.full(len(lows), np.nan)
    np.divide(highs - lows, tops - lows, out=drawn, where=tops > lows)
    return make_interval(share, drawn)
