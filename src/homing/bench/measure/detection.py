"""Copy detection in each state: one random copy of each photograph among copies without a match."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from homing.bench.search.copy_detection import (
    PREDICTIONS,
    CopyDetection,
    Predictions,
    detect_copies,
    judge,
    norms,
    predict,
)
from homing.bench.search.engine import Engine, Setting
from homing.bench.states.states import Common, State
from homing.bench.statistics.measures import precision_recall

_POINTS = 400  # of a curve that is drawn
# What the parts of a seed are for, as in descriptors.py.
_BOOTSTRAP, _TIES = 6, 7

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Curve:
    """Precision over recall, thinned for drawing."""

    precision: Floats
    recall: Floats


@dataclass(frozen=True, eq=False)
class Detected:
    """Copy detection in one state, by one way to search.

    Attributes
    ----------
    index, method : str
    aimed : str or None
    setting : str
    figures : CopyDetection
    curve : Curve
        Of normalised scores.
    """

    index: str
    method: str
    aimed: str | None
    setting: str
    figures: CopyDetection
    curve: Curve = field(repr=False)


def detect(
    common: Common,
    state: State,
    index: str = "",
    engine: Engine | None = None,
    setting: Setting | None = None,
) -> Detected | None:
    """Tell copies from other pictures.

    Parameters
    ----------
    common : Common
    state : State
    index : str
        Name of the codebook.
    engine : Engine, optional
        Search through its codebook; without it, exactly.
    setting : Setting, optional
        How the engine is searched; a re-ranked one.

    Returns
    -------
    Detected or None
        None where no edit is random, or nothing is left to search for.
    """
    asked = common.detection(common.encoder, state.copies, state.blank, common.searched(state))
    if asked is None or not asked.matched.any():
        return None
    generator = np.random.default_rng([common.seed, _TIES])
    if engine is None or setting is None:
        base = np.concatenate([state.entries[common.kept], common.others])
        found = predict(asked, base, generator)
    else:
        answers = engine.search(asked.queries, setting)
        rows, similarity = answers.rows[:, :PREDICTIONS], answers.similarity[:, :PREDICTIONS]
        found = judge(rows, similarity, norms(asked.queries, asked.scale, generator), asked)
    figures = detect_copies(found, np.random.default_rng([common.seed, _BOOTSTRAP]))
    called = "exact" if setting is None else setting.name
    return Detected(index, state.method, state.aimed, called, figures, _curve(found))


def _curve(found: Predictions) -> Curve:
    scores = (found.similarity - found.norm[:, None])[found.counted]
    right = found.right[found.counted]
    precision, recall = precision_recall(scores, right, int(found.matched.sum()))
    if not len(recall):
        return Curve(precision, recall)
    places = np.searchsorted(recall, np.linspace(0, recall[-1], _POINTS))
    kept: Sequence[int] = np.unique(np.minimum(places, len(recall) - 1)).tolist()
    return Curve(precision[kept], recall[kept])
