"""What recall costs: recall against milliseconds a query and bytes a vector, for several indexes.

Each index has photographs released for it: activation aims at one codebook. They are fewer than in
the main tables, since each index needs files of its own. All searches are timed in one process, one
after another, on the same queries in batches, the passive and the active base in turn.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from homing.bench.context import Progress
from homing.bench.measure.measured import measure_index
from homing.bench.search.engine import Engine, Searcher, Setting, settings_of
from homing.bench.states.codebooks import Quantizer
from homing.bench.states.compared import Compared
from homing.bench.states.stage import Stage
from homing.bench.states.states import Common, State
from homing.bench.statistics.bootstrap import Interval
from homing.errors import CodebookError

PROBES = (1, 2, 4, 8, 16, 32, 64)
"""Cells visited."""

_TIMED = 1000  # queries of a batch
_ROUNDS = 3
_LEAST_CELLS = 4
_COMPONENTS = 64  # of the PCA before signs are taken: eight bytes, as the product quantizer's

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Point:
    """One index searched in one way.

    Attributes
    ----------
    index, method : str
    setting : str
    probes : int
    ranked : bool
    recall : Interval
        R@1, mean over the edits that count.
    milliseconds : float
        A query, the least of three rounds.
    batch : int
        Queries searched for together.
    code_bytes : int
        Of each entry, held in memory.
    ranked_bytes : int
        Of each entry's vector, read for re-ranking; 0 where codes alone decide.
    """

    index: str
    method: str
    setting: str
    probes: int
    ranked: bool
    recall: Interval
    milliseconds: float
    batch: int
    code_bytes: int
    ranked_bytes: int


def factories(cells: int, dimension: int) -> tuple[str, ...]:
    """Name the indexes that are compared, of as many cells each.

    Parameters
    ----------
    cells : int
        Where there are any.
    dimension : int
        Of the vectors; kinds of codes that it does not allow are left out.
    """
    front = f"IVF{cells}"
    found = [f"{front},Flat"]
    found += [f"{front},PQ{m}x8" for m in (8, 16) if dimension % m == 0]
    if dimension % 16 == 0:
        found.append(f"OPQ16,{front},PQ16x8")
    return (*found, f"PCA{min(_COMPONENTS, dimension)},LSH")


def compare_costs(
    stage: Stage, compared: Compared, pictures: Rows
) -> tuple[list[Point], list[str]]:
    """Compare indexes of as many cells as the first one has, by the leading method.

    Parameters
    ----------
    stage : Stage
    compared : Compared
        Codebooks for which everything has been released already are taken from it.
    pictures : ndarray of int64
        Photographs that the comparison is made on.

    Returns
    -------
    points : list of Point
    notes : list of str
        What could not be compared.
    """
    common, passive, known = compared.common, compared.passive, compared.active
    cells = max(_LEAST_CELLS, *(each.quantizer.codebook.cell_count for each in known))
    given = {str(each.quantizer.codebook.factory): each for each in known}
    states, notes = [], []
    for factory in factories(cells, common.encoder.dimension):
        if factory in given:
            states.append((given[factory].quantizer, given[factory].leading))
            continue
        try:
            quantizer = stage.quantizer(factory, common.others)
        except CodebookError as error:
            notes.append(f"{factory} is not among the costs: {error}")
            continue
        state = stage.released(common.material, passive, quantizer, compared.leading, pictures)
        states.append((quantizer, state))
    shared = np.all([state.present[pictures] for _, state in states], axis=0)
    if not states or not shared.any():
        return [], notes
    return trade_offs(common, passive, states, pictures[shared], stage.run.progress), notes


def trade_offs(
    common: Common,
    passive: State,
    states: Sequence[tuple[Quantizer, State]],
    pictures: Rows,
    progress: Progress,
) -> list[Point]:
    """Measure recall and time of every index.

    Parameters
    ----------
    common : Common
    passive : State
    states : sequence of (Quantizer, State)
        For each index some photographs released for it.
    pictures : ndarray of int64
        Numbers of those photographs that all of them have.
    progress : callable

    Returns
    -------
    list of Point
    """
    points: list[Point] = []
    with progress(len(states), "timing searches") as bar:
        for quantizer, active in states:
            points += _points(common, quantizer, (passive, active), pictures)
            bar.by(1)
    return points


def _points(
    common: Common, quantizer: Quantizer, pair: tuple[State, State], pictures: Rows
) -> list[Point]:
    """One index, in all ways of searching, passive and active in turn."""
    searcher, codebook = Searcher(quantizer.codebook, common.others), quantizer.codebook
    settings = settings_of(codebook, PROBES)
    engines = [searcher.engine(s.entries[common.kept], common.seed) for s in pair]
    found = [
        measure_index(common, engine, quantizer.name, state, settings, pictures)
        for engine, state in zip(engines, pair, strict=True)
    ]
    queries = [s.copies[common.searched(s, pictures)][:_TIMED] for s in pair]
    points = []
    for number, setting in enumerate(settings):
        times = _time(engines, queries, setting)
        for state, measured, seconds, batch in zip(pair, found, times, queries, strict=True):
            points.append(
                Point(
                    index=quantizer.name,
                    method=state.method,
                    setting=setting.name,
                    probes=setting.probes if codebook.cell_count > 1 else 0,
                    ranked=setting.ranked,
                    recall=measured.mean(number),
                    milliseconds=1e3 * seconds / max(len(batch), 1),
                    batch=len(batch),
                    code_bytes=codebook.code_size,
                    ranked_bytes=2 * codebook.dimension if setting.ranked else 0,
                )
            )
    return points


def _time(
    engines: Sequence[Engine], queries: Sequence[npt.NDArray[np.float32]], setting: Setting
) -> list[float]:
    """Least seconds of some rounds, the engines in turn."""
    least = [float("inf")] * len(engines)
    for _ in range(_ROUNDS):
        for number, (engine, batch) in enumerate(zip(engines, queries, strict=True)):
            start = time.perf_counter()
            engine.search(batch, setting)
            least[number] = min(least[number], time.perf_counter() - start)
    return least
