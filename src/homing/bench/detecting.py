"""Copy detection in each state: one random copy of each photograph among copies without a match."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from homing.bench.copy_detection import (
    PREDICTIONS,
    CopyDetection,
    Predictions,
    detect_copies,
    judge,
    norms,
    predict,
)
from homing.bench.measures import precision_recall
from homing.bench.searching import Engine, Setting
from homing.bench.states import Common, State

__all__ = ["Curve", "Detected", "detect"]

_MOST_COPIES = 1000  # pictures whose random copies are looked for
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
    photos, first = _random_copies(common, state)
    if first is None or not len(photos):
        return None
    material = common.material
    sizes = [len(task.recipes) for task in material.unmatched]
    owner = np.repeat(np.arange(len(sizes)), sizes)
    # Of a picture that cannot be read itself, no twins could be sought.
    edited = material.others.made & material.others.made[material.originals][owner]
    edited[material.originals] = False
    name = common.encoder.name
    queries = np.concatenate([state.copies[first[photos]], material.others.rows[name][edited]])
    known = [common.right[p] for p in photos] + [common.ignored[p] for p in owner[edited]]
    picture = np.concatenate([photos, owner[edited]])
    matched = np.arange(len(picture)) < len(photos)
    scale = material.scale.rows[name][material.scale.made]
    generator = np.random.default_rng([common.seed, _TIES])
    if engine is None or setting is None:
        base = np.concatenate([state.entries[common.kept], common.others])
        found = predict(queries, base, scale, known, matched, picture, generator)
    else:
        answers = engine.search(queries, setting)
        similarity = answers.similarity[:, :PREDICTIONS].astype(np.float64)
        norm = norms(queries, scale, generator)
        found = judge(answers.rows[:, :PREDICTIONS], similarity, norm, known, matched, picture)
    figures = detect_copies(found, np.random.default_rng([common.seed, _BOOTSTRAP]))
    called = "exact" if setting is None else setting.name
    return Detected(index, state.method, state.aimed, called, figures, _curve(found))


def _random_copies(common: Common, state: State) -> tuple[Rows, Rows | None]:
    """Photographs whose first random copy there is, and for each photograph that copy's place."""
    queries = common.material.queries
    rows = [n for n, row in enumerate(queries.rows) if row.edit.random and row.draw == 0]
    if not rows:
        return np.empty(0, np.int64), None
    first = queries.of(rows[0])
    some = common.kept[:_MOST_COPIES]
    return some[common.searched(state)[first[some]]], first


def _curve(found: Predictions) -> Curve:
    scores = (found.similarity - found.norm[:, None])[found.counted]
    right = found.right[found.counted]
    precision, recall = precision_recall(scores, right, int(found.matched.sum()))
    if not len(recall):
        return Curve(precision, recall)
    places = np.searchsorted(recall, np.linspace(0, recall[-1], _POINTS))
    kept: Sequence[int] = np.unique(np.minimum(places, len(recall) - 1)).tolist()
    return Curve(precision[kept], recall[kept])
