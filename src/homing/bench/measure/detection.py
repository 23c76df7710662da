"""Copy detection in each state: one random copy of each photograph among copies without a match."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from homing.bench.search.copy_detection import (
    PREDICTIONS,
    CopyDetection,
    Predictions,
    label_predictions,
    predict,
    score_predictions,
)
from homing.bench.search.engine import Engine, Setting
from homing.bench.states.benchmark import Benchmark
from homing.bench.states.state import State
from homing.bench.statistics.measures import precision_recall

_POINTS = 400  # of a curve that is drawn
# Purposes of a seed, as in run_descriptors.py.
_BOOTSTRAP, _TIES = 6, 7

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Curve:
    """Precision over recall, thinned for drawing."""

    precision: Floats
    recall: Floats


@dataclass(frozen=True, eq=False)
class DetectionResult:
    """Copy detection in one state, by one way to search."""

    index: str  # name of the codebook
    method: str
    aimed_at: str | None
    setting: str
    figures: CopyDetection
    curve: Curve = field(repr=False)  # of normalised scores


def detect_copies(
    benchmark: Benchmark,
    state: State,
    index: str = "",
    engine: Engine | None = None,
    setting: Setting | None = None,
) -> DetectionResult | None:
    """Detect copies among other pictures, through an engine in a re-ranked setting or else exactly.

    None if no edit is random, or nothing is left to search for.
    """
    queries = benchmark.detection_queries(
        benchmark.encoder, state.copies, state.blank, benchmark.searched_copies(state)
    )
    if queries is None or not queries.matched.any():
        return None
    generator = np.random.default_rng([benchmark.seed, _TIES])
    if engine is None or setting is None:
        found = predict(queries, benchmark.base(state), generator)
    else:
        hits = engine.search(queries.vectors, setting)
        rows, similarity = hits.rows[:, :PREDICTIONS], hits.similarity[:, :PREDICTIONS]
        found = label_predictions(rows, similarity, queries, generator)
    figures = score_predictions(found, np.random.default_rng([benchmark.seed, _BOOTSTRAP]))
    name = "exact" if setting is None else setting.name
    return DetectionResult(index, state.method, state.aimed_at, name, figures, _curve(found))


def _curve(found: Predictions) -> Curve:
    scores = (found.similarity - found.norm[:, None])[found.counted]
    right = found.right[found.counted]
    precision, recall = precision_recall(scores, right, int(found.matched.sum()))
    if not len(recall):
        return Curve(precision, recall)
    places = np.searchsorted(recall, np.linspace(0, recall[-1], _POINTS))
    chosen: Sequence[int] = np.unique(np.minimum(places, len(recall) - 1)).tolist()
    return Curve(precision[chosen], recall[chosen])
