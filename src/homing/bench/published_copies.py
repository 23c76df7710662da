"""The copies that a data set comes with, searched for among untouched pictures."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from homing.bench.dataset.layouts import Published
from homing.bench.encode.variants import Task, Whole
from homing.bench.questions import Answer, Line
from homing.bench.search.copy_detection import PREDICTIONS, Detection, detect_copies, judge, norms
from homing.bench.search.engine import Searcher, padded, settings_of
from homing.bench.search.exact import answer
from homing.bench.states.codebooks import Quantizer
from homing.bench.states.compared import Compared
from homing.bench.states.stage import Stage
from homing.bench.states.states import Common, State
from homing.bench.statistics.bootstrap import Interval, resample
from homing.bench.statistics.measures import recall

_BOOTSTRAP, _TIES = 6, 7  # what a seed is for, as in detecting.py

Vectors = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def search_published(stage: Stage, compared: Compared, published: Sequence[Published]) -> Answer:
    """Search for copies that somebody else made.

    Parameters
    ----------
    stage : Stage
    compared : Compared
        Such copies are of pictures as they are; the first index serves.
    published : sequence of Published
        Those whose originals are not in the base are left out.

    Returns
    -------
    Answer
        A line a kind of copy; µAP of all, where there are copies without a match.
    """
    common, quantizer = compared.common, compared.active[0].quantizer
    kept = set(common.kept.tolist())
    numbers = {
        photo.path.resolve(): number
        for number, photo in enumerate(common.material.plan.photos)
        if number in kept
    }
    owners = [[numbers[p.resolve()] for p in each.originals if p.resolve() in numbers]
              for each in published]  # fmt: skip
    some = [n for n, each in enumerate(published) if owners[n] or not each.originals]
    tasks = [Task(published[n].found.path, published[n].found.relative, (Whole(),)) for n in some]
    encoded = stage.describer.tasks(tasks, "published copies")
    made = np.flatnonzero(encoded.made).tolist()
    vectors = encoded.rows[common.encoder.name][encoded.made]
    blocks = np.array([published[some[n]].block for n in made], dtype=object)
    right = [
        np.unique(np.concatenate([common.right[p] for p in owners[some[n]]]))
        if owners[some[n]]
        else np.empty(0, np.int64)
        for n in made
    ]
    first = np.array([(owners[some[n]] or [-1])[0] for n in made], np.int64)
    matched, scale = first >= 0, common.material.scale
    asked = Detection(
        vectors, right, matched, np.where(matched, first, np.arange(len(first))),
        encoded.blank[encoded.made], scale.rows[common.encoder.name][scale.made],
    )  # fmt: skip
    return Answer(
        "published",
        "The copies that the data set comes with",
        f"{len(made):,} published copies of {len(np.unique(first[matched])):,} pictures, "
        f"searched for among untouched pictures through {quantizer.name}."
        + (f" {len(tasks) - len(made):,} could not be read." if len(made) < len(tasks) else ""),
        tuple(_lines(common, compared.passive, quantizer, asked, blocks)),
    )


def _lines(
    common: Common,
    passive: State,
    quantizer: Quantizer,
    asked: Detection,
    blocks: npt.NDArray[np.object_],
) -> list[Line]:
    matched, right = asked.matched, asked.known
    engine = Searcher(quantizer.codebook, common.others).engine(
        passive.entries[common.kept], common.seed
    )
    base = np.concatenate([passive.entries[common.kept], common.others])
    searches: dict[str, Floats] = {}
    every = padded(right)
    for setting in settings_of(quantizer.codebook, (1, 0)):
        if setting.ranked:
            name = "automatic probes" if setting.probes > 1 else "1 probe"
            answered = engine.search(asked.queries, setting)
            searches[name] = recall(answered.places(every), 1)
            if name == "1 probe":
                similarity = answered.similarity[:, :PREDICTIONS]
                rows = answered.rows[:, :PREDICTIONS]
    exact = np.zeros(len(matched))
    found = answer(asked.queries[matched], base, [r for r in right if len(r)])
    exact[matched] = recall(found.places, 1)
    searches["exact"] = exact
    lines = []
    for block in dict.fromkeys(blocks[matched].tolist()):
        chosen = (blocks == block) & matched
        figures = {
            name: _interval(values[chosen], asked.picture[chosen], common.seed)
            for name, values in searches.items()
        }
        lines.append(Line(block, figures))
    if matched.all() or not matched.any():
        return lines
    generator = np.random.default_rng([common.seed, _TIES])
    predictions = judge(rows, similarity, norms(asked.queries, asked.scale, generator), asked)
    scores = detect_copies(predictions, np.random.default_rng([common.seed, _BOOTSTRAP])).normalised
    label = f"µAP, with {int((~matched).sum()):,} queries without a match"
    return [*lines, Line(label, {"1 probe": scores.micro_average_precision})]


def _interval(values: Floats, pictures: Rows, seed: int) -> Interval:
    """Mean over pictures of the means over their copies."""
    _, place = np.unique(pictures, return_inverse=True)
    means = np.bincount(place, values) / np.bincount(place)
    return resample(means[None], np.random.default_rng([seed, _BOOTSTRAP])).interval(0)
