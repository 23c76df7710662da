"""Costs of recall: milliseconds per query and bytes per vector, for several indexes.

Photographs are released for each index, since activation aims at one codebook; they are fewer than
in the main tables. All searches are timed in one process, one after another, on the same queries in
batches, the passive and the active base in turn.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from homing.bench.context import Progress
from homing.bench.measure.measurement import measure_index
from homing.bench.search.engine import Engine, Searcher, Setting, search_settings
from homing.bench.states.benchmark import Benchmark
from homing.bench.states.codebooks import Quantizer
from homing.bench.states.compared_states import ComparedStates
from homing.bench.states.state import State
from homing.bench.states.state_maker import StateMaker
from homing.bench.statistics.bootstrap import Interval
from homing.errors import CodebookError

PROBES = (1, 2, 4, 8, 16, 32, 64)
"""Cells visited."""

_TIMED = 1000  # queries of a batch
_ROUNDS = 3
_LEAST_CELLS = 4
_COMPONENTS = 64  # of the PCA before signs are taken: eight bytes, like the product quantizer

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class CostPoint:
    """One index searched in one way."""

    index: str
    method: str
    setting: str
    probes: float  # cells that a query visits in the mean; 0: the codebook has none
    ranked: bool
    recall: Interval  # R@1, mean over the edits that count
    milliseconds: float  # per query, the least of three rounds
    batch: int  # queries searched for together
    code_bytes: int  # of each entry, in memory
    ranked_bytes: int  # of each entry's vector, read for re-ranking; 0 without re-ranking


def compared_factories(cells: int, dimension: int) -> tuple[str, ...]:
    """Name the compared indexes of that many cells, as far as the dimension allows their codes."""
    front = f"IVF{cells}"
    factories = [f"{front},Flat"]
    factories += [f"{front},PQ{m}x8" for m in (8, 16) if dimension % m == 0]
    if dimension % 16 == 0:
        factories.append(f"OPQ16,{front},PQ16x8")
    return (*factories, f"PCA{min(_COMPONENTS, dimension)},LSH")


def compare_costs(
    maker: StateMaker, compared: ComparedStates, pictures: Rows
) -> tuple[list[CostPoint], list[str]]:
    """Compare indexes of as many cells as the first has, by the leading method, on some pictures.

    Codebooks for which all photographs have been released already are reused. The notes say what
    could not be compared.
    """
    benchmark, passive, known = compared.benchmark, compared.passive, compared.active
    cells = max(_LEAST_CELLS, *(each.quantizer.codebook.cell_count for each in known))
    released = {str(each.quantizer.codebook.factory): each for each in known}
    states, notes = [], []
    for factory in compared_factories(cells, benchmark.encoder.dimension):
        if factory in released:
            states.append((released[factory].quantizer, released[factory].leading))
            continue
        try:
            quantizer = maker.find_quantizer(f"train:{factory}", benchmark.distractors)
        except CodebookError as error:
            notes.append(f"{factory} is not among the costs: {error}")
            continue
        state = maker.release(benchmark.material, passive, quantizer, compared.leading, pictures)
        states.append((quantizer, state))
    shared = np.all([state.present[pictures] for _, state in states], axis=0)
    if not states or not shared.any():
        return [], notes
    return measure_costs(benchmark, passive, states, pictures[shared], maker.run.progress), notes


def measure_costs(
    benchmark: Benchmark,
    passive: State,
    states: Sequence[tuple[Quantizer, State]],
    pictures: Rows,
    progress: Progress,
) -> list[CostPoint]:
    """Measure recall and time of every index, on photographs that all states have."""
    points: list[CostPoint] = []
    with progress(len(states), "timing searches") as bar:
        for quantizer, active in states:
            points += _points(benchmark, quantizer, (passive, active), pictures)
            bar.by(1)
    return points


def _points(
    benchmark: Benchmark, quantizer: Quantizer, pair: tuple[State, State], pictures: Rows
) -> list[CostPoint]:
    """Measure one index in all ways of searching, passive and active in turn."""
    searcher, codebook = Searcher(quantizer.codebook, benchmark.distractors), quantizer.codebook
    settings = search_settings(codebook, PROBES, near=True)
    engines = [searcher.engine(benchmark.entries(state), benchmark.seed) for state in pair]
    measurements = [
        measure_index(benchmark, engine, quantizer.name, state, settings, pictures)
        for engine, state in zip(engines, pair, strict=True)
    ]
    queries = [s.copies[benchmark.searched_copies(s, pictures)][:_TIMED] for s in pair]
    points = []
    for number, setting in enumerate(settings):
        times = _time(engines, queries, setting)
        for state, measurement, seconds, batch in zip(
            pair, measurements, times, queries, strict=True
        ):
            points.append(
                CostPoint(
                    index=quantizer.name,
                    method=state.method,
                    setting=setting.name,
                    probes=measurement.copies.visited[number] if codebook.cell_count > 1 else 0,
                    ranked=setting.ranked,
                    recall=measurement.mean(number),
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
    """Return the least seconds of some rounds, the engines in turn."""
    least = [float("inf")] * len(engines)
    for _ in range(_ROUNDS):
        for number, (engine, batch) in enumerate(zip(engines, queries, strict=True)):
            start = time.perf_counter()
            engine.search(batch, setting)
            least[number] = min(least[number], time.perf_counter() - start)
    return least
