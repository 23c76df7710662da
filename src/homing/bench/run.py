"""``homing bench``: search for edited copies through indexes, untouched and activated.

Step by step: everything is described; photographs are released by each method for each codebook;
their copies are made and described; all copies are searched for. Each step caches its results.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homing.activation import Method, find_method
from homing.bench.context import Progress, Run, open_run
from homing.bench.dataset.base import make_plan
from homing.bench.dataset.layouts import DataSet
from homing.bench.dataset.material import gather_material
from homing.bench.dataset.setup import make_setup
from homing.bench.dataset.suites import Suite, find_suite
from homing.bench.encode.encoders import descriptor_encoder, hash_encoders
from homing.bench.extra import require_extra
from homing.bench.measure.index_results import IndexResult, SearchResults, search_states
from homing.bench.published_copies import search_published
from homing.bench.report.gallery import Example, search_examples, worst_examples
from homing.bench.report.observations import write_observations
from homing.bench.report.outcome import Outcome
from homing.bench.report.page import write_page
from homing.bench.report.plots import write_plots
from homing.bench.sample_study import SampleStudy, study_sample
from homing.bench.settings import Settings
from homing.bench.states.codebooks import check_indexes
from homing.bench.states.compared_states import ComparedStates, compare_states
from homing.bench.states.released import Releaser
from homing.bench.states.state_maker import StateMaker
from homing.edits import Edit
from homing.errors import UsageError
from homing.options import DEFAULT_LIMITS, Activation, Limits

if TYPE_CHECKING:
    from homing.descriptors import Descriptor


def run_retrieval(
    data: DataSet,
    descriptor: "Descriptor",
    out: Path,
    progress: Progress,
    *,
    methods: Sequence[Method] = (),
    edits: Sequence[Edit] = (),
    settings: Settings | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Outcome:
    """Measure activation on photographs in a base of others, and write the report.

    Parameters
    ----------
    data : DataSet
    descriptor : Descriptor
    out : Path
        Folder for the cache, the released files and the report.
    progress : callable
        Opens a progress bar.
    methods : sequence of Method
        Methods of activation with different names; empty: the default one and the paper's. The
        first leads: the headline, the pictures shown, costs and questions are of it.
    edits : sequence of Edit
        Your own, in addition to those of the suite.
    settings : Settings, optional
    limits : Limits
        The most that is decoded of a file.

    Returns
    -------
    Outcome
        Its files are written too.

    Raises
    ------
    UsageError
        The extra ``bench`` is missing, there are too few pictures, or none can be released.
    """
    require_extra()
    start = time.perf_counter()
    settings = settings or Settings()
    methods = _different(tuple(methods) or (find_method(Activation.method), find_method("paper")))
    suite = find_suite(settings.suite, edits)
    check_indexes(settings.indexes, descriptor)
    plan = make_plan(data.photos, data.background, settings)
    with open_run(out, progress, limits) as run:
        maker = _state_maker(descriptor, run, out, settings)
        hashes = hash_encoders() if settings.hashes else ()
        encoders = [maker.encoder, *hashes]
        material = gather_material(
            plan, encoders, run, settings, apart=encoders[:1], edits=suite.edits
        )
        compared = compare_states(maker, material, settings.indexes, methods)
        study = study_sample(maker, compared, settings, out / "questions")
        if data.published:
            study = study.preceded_by(search_published(maker, compared, data.published))
        results = search_states(maker, compared, hashes)
    outcome = _outcome(compared, results, study, suite, settings, limits)
    seconds = time.perf_counter() - start
    outcome.write(out, seconds=seconds)
    write_observations(out / "observations.csv", compared.benchmark, results.measured)
    write_page(outcome, write_plots(outcome, out / "plots"), out / "report.html", seconds)
    return outcome


def _different(methods: tuple[Method, ...]) -> tuple[Method, ...]:
    names = [method.name for method in methods]
    if len(set(names)) < len(names):
        raise UsageError(f"two methods are the same: {', '.join(names)}")
    return methods


def _state_maker(descriptor: "Descriptor", run: Run, out: Path, settings: Settings) -> StateMaker:
    releaser = Releaser(
        out / "released", descriptor, run, settings.psnr, settings.format, settings.seed
    )
    return StateMaker(descriptor, descriptor_encoder(descriptor), run, releaser, settings.seed)


def _outcome(
    compared: ComparedStates,
    results: SearchResults,
    study: SampleStudy,
    suite: Suite,
    settings: Settings,
    limits: Limits,
) -> Outcome:
    benchmark = compared.benchmark
    unmatched = benchmark.unmatched_near_duplicates.counts["photos"]
    return Outcome(
        setup=make_setup(benchmark.material, len(benchmark.photos), settings),
        suite=suite,
        encoder=benchmark.encoder,
        settings=_as_reported(settings) | {"methods": [each.name for each in compared.methods]},
        indexes=results.indexes,
        hashes=results.hashes,
        near_duplicates=benchmark.near_duplicates.counts | {"unmatched_photos": unmatched},
        points=study.points,
        examples=tuple(_examples(compared, results.indexes[0], limits)),
        answers=study.answers,
        notes=(*study.notes, *_notes_on_flip(results.indexes)),
        failures=benchmark.material.failures | compared.failures,
    )


def _notes_on_flip(indexes: Sequence[IndexResult]) -> tuple[str, ...]:
    releases = [release for result in indexes for release in result.releases.values()]
    without = sum(row.quality.flip is None for each in releases for row in each.released)
    if not without:
        return ()
    return (
        f"FLIP of {without:,} files is not measured: the package flip-evaluator was not installed "
        "when they were released.",
    )


def _examples(compared: ComparedStates, first: IndexResult, limits: Limits) -> list[Example]:
    """Pictures of the first index and the leading method."""
    active = compared.active[0].leading
    states, measurements = (compared.passive, active), (first.states[0], first.states[1])
    examples = search_examples(compared.benchmark, states, measurements, limits)
    if active.release is None:
        return examples
    return examples + worst_examples(compared.benchmark, active.release, limits)


def _as_reported(settings: Settings) -> dict[str, Any]:
    """Return the settings under the keys of ``results.json``, which are older than their names."""
    values = asdict(settings)
    format_ = values.pop("format")
    return values | {"kind": None if format_ is None else format_.upper()}
