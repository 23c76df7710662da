"""The copies that a data set comes with, searched for among untouched pictures."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from homing.bench.dataset.layouts import Published
from homing.bench.encode.variants import Task, Whole
from homing.bench.questions import Answer, Line
from homing.bench.search.copy_detection import (
    PREDICTIONS,
    DetectionQueries,
    label_predictions,
    score_predictions,
)
from homing.bench.search.engine import Searcher, search_settings
from homing.bench.search.exact import pad_rows, search_exact
from homing.bench.states.benchmark import Benchmark
from homing.bench.states.codebooks import Quantizer
from homing.bench.states.compared_states import ComparedStates
from homing.bench.states.state import State
from homing.bench.states.state_maker import StateMaker
from homing.bench.statistics.bootstrap import Interval, resample
from homing.bench.statistics.measures import recall

_BOOTSTRAP, _TIES = 6, 7  # purposes of a seed, as in measure/detection.py

Vectors = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def search_published(
    maker: StateMaker, compared: ComparedStates, published: Sequence[Published]
) -> Answer:
    """Search for published copies, of untouched pictures, through the first index.

    Copies whose originals are not in the base are omitted. The answer has a line for each kind of
    copy, and µAP of all if there are copies without a match.
    """
    benchmark, quantizer = compared.benchmark, compared.active[0].quantizer
    searched = set(benchmark.photos.tolist())
    numbers = {
        photo.path.resolve(): number
        for number, photo in enumerate(benchmark.material.plan.photos)
        if number in searched
    }
    owners = [[numbers[p.resolve()] for p in each.originals if p.resolve() in numbers]
              for each in published]  # fmt: skip
    some = [n for n, each in enumerate(published) if owners[n] or not each.originals]
    tasks = [Task(published[n].found.path, published[n].found.relative, (Whole(),)) for n in some]
    encoded = maker.encode(tasks, "published copies")
    made = np.flatnonzero(encoded.made).tolist()
    vectors = encoded.rows[benchmark.encoder.name][encoded.made]
    blocks = np.array([published[some[n]].block for n in made], dtype=object)
    right = [
        np.unique(np.concatenate([benchmark.right[p] for p in owners[some[n]]]))
        if owners[some[n]]
        else np.empty(0, np.int64)
        for n in made
    ]
    first = np.array([(owners[some[n]] or [-1])[0] for n in made], np.int64)
    matched, normalisation = first >= 0, benchmark.material.normalisation
    queries = DetectionQueries(
        vectors, right, matched, np.where(matched, first, np.arange(len(first))),
        encoded.blank[encoded.made], normalisation.rows[benchmark.encoder.name][normalisation.made],
    )  # fmt: skip
    return Answer(
        "published",
        "The copies that the data set comes with",
        f"{len(made):,} published copies of {len(np.unique(first[matched])):,} pictures, "
        f"searched for among untouched pictures through {quantizer.name}."
        + (f" {len(tasks) - len(made):,} could not be read." if len(made) < len(tasks) else ""),
        tuple(_lines(benchmark, compared.passive, quantizer, queries, blocks)),
    )


def _lines(
    benchmark: Benchmark,
    passive: State,
    quantizer: Quantizer,
    queries: DetectionQueries,
    blocks: npt.NDArray[np.object_],
) -> list[Line]:
    matched, right = queries.matched, queries.same
    engine = Searcher(quantizer.codebook, benchmark.distractors).engine(
        benchmark.entries(passive), benchmark.seed
    )
    searches: dict[str, Floats] = {}
    every = pad_rows(right)
    for setting in search_settings(quantizer.codebook, (1, 0)):
        if setting.ranked:
            name = "1 probe" if setting.probes == 1 else "automatic probes"
            engine_hits = engine.search(queries.vectors, setting)
            searches[name] = recall(engine_hits.places(every), 1)
            if name == "1 probe":
                similarity = engine_hits.similarity[:, :PREDICTIONS]
                rows = engine_hits.rows[:, :PREDICTIONS]
    exact = np.zeros(len(matched))
    hits = search_exact(
        queries.vectors[matched], benchmark.base(passive), [each for each in right if len(each)]
    )
    exact[matched] = recall(hits.places, 1)
    searches["exact"] = exact
    lines = []
    for block in dict.fromkeys(blocks[matched].tolist()):
        chosen = (blocks == block) & matched
        figures = {
            name: _interval(values[chosen], queries.picture[chosen], benchmark.seed)
            for name, values in searches.items()
        }
        lines.append(Line(block, figures))
    if matched.all() or not matched.any():
        return lines
    generator = np.random.default_rng([benchmark.seed, _TIES])
    predictions = label_predictions(rows, similarity, queries, generator)
    generator = np.random.default_rng([benchmark.seed, _BOOTSTRAP])
    scores = score_predictions(predictions, generator).normalised
    label = f"µAP, with {int((~matched).sum()):,} queries without a match"
    return [*lines, Line(label, {"1 probe": scores.micro_average_precision})]


def _interval(values: Floats, pictures: Rows, seed: int) -> Interval:
    """Mean over pictures of the means over their copies."""
    _, place = np.unique(pictures, return_inverse=True)
    means = np.bincount(place, values) / np.bincount(place)
    return resample(means[None], np.random.default_rng([seed, _BOOTSTRAP])).interval(0)
