"""``homing bench``: edited copies sought through indexes, untouched and activated.

Stage by stage: everything is described; photographs are released by each method for each codebook;
their copies are made and described; all copies are searched for. Each stage keeps what it made.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from homing.activation import Method, find_method
from homing.bench.context import Progress, Run
from homing.bench.dataset.base import make_plan
from homing.bench.dataset.layouts import DataSet
from homing.bench.dataset.material import gather
from homing.bench.dataset.setup import setup_of
from homing.bench.dataset.suites import Suite, find_suite
from homing.bench.encode.encoders import descriptor_encoder, hash_encoders
from homing.bench.extra import require_extra
from homing.bench.published_copies import search_published
from homing.bench.report.answers import write_answers
from homing.bench.report.gallery import Example, answers_shown, worst_shown
from homing.bench.report.outcome import Family, Outcome
from homing.bench.report.page import write_page
from homing.bench.report.plots import write_plots
from homing.bench.sample_study import Closer, look_closer
from homing.bench.search_all import Searched, search_all
from homing.bench.settings import Settings
from homing.bench.states.codebooks import check_indexes
from homing.bench.states.compared import Compared, compare
from homing.bench.states.released import Releaser
from homing.bench.states.stage import Stage
from homing.bench.workers import open_workers
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
    """Measure activation on photographs, among others.

    Parameters
    ----------
    data : DataSet
    descriptor : Descriptor
    out : Path
        Folder for the cache, the released files and the report.
    progress : callable
        Opens a progress bar.
    methods : sequence of Method
        Of activation, of different names; the default one and the paper's if there are none. The
        first leads: the headline, the pictures shown, costs and questions are of it.
    edits : sequence of Edit
        One's own, beside those of the suite.
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
    with open_workers() as workers:
        stage = _stage(descriptor, Run(workers, out / "cache", progress, limits), out, settings)
        hashes = hash_encoders() if settings.hashes else ()
        encoders = [stage.encoder, *hashes]
        material = gather(
            plan, encoders, stage.run, settings, apart=encoders[:1], edits=suite.edits
        )
        compared = compare(stage, material, settings.indexes, methods)
        closer = look_closer(stage, compared, settings, out / "questions")
        if data.published:
            closer = closer.preceded_by(search_published(stage, compared, data.published))
        searched = search_all(stage, compared, hashes)
    outcome = _outcome(compared, searched, closer, suite, settings, limits)
    seconds = time.perf_counter() - start
    outcome.write(out, seconds=seconds)
    write_answers(out / "observations.csv", compared.common, searched.searched)
    write_page(outcome, write_plots(outcome, out / "plots"), out / "report.html", seconds)
    return outcome


def _different(methods: tuple[Method, ...]) -> tuple[Method, ...]:
    names = [method.name for method in methods]
    if len(set(names)) < len(names):
        raise UsageError(f"two methods are the same: {', '.join(names)}")
    return methods


def _stage(descriptor: "Descriptor", run: Run, out: Path, settings: Settings) -> Stage:
    releaser = Releaser(
        out / "released", descriptor, run, settings.psnr, settings.format, settings.seed
    )
    return Stage(descriptor, descriptor_encoder(descriptor), run, releaser, settings.seed)


def _outcome(
    compared: Compared,
    searched: Searched,
    closer: Closer,
    suite: Suite,
    settings: Settings,
    limits: Limits,
) -> Outcome:
    common = compared.common
    return Outcome(
        setup=setup_of(common.material, compared.kept, settings),
        suite=suite,
        encoder=common.encoder,
        asked=asdict(settings) | {"methods": [method.name for method in compared.methods]},
        families=searched.families,
        hashes=searched.hashes,
        twins=common.twins.counts | {"unmatched_photos": common.strange.counts["photos"]},
        points=closer.points,
        examples=tuple(_examples(compared, searched.families[0], limits)),
        answers=closer.answers,
        notes=closer.notes,
        failures=common.material.failures | compared.failures,
    )


def _examples(compared: Compared, family: Family, limits: Limits) -> list[Example]:
    """Pictures of the first index and the leading method."""
    state, found = compared.active[0].leading, (family.states[0], family.states[1])
    shown = answers_shown(compared.common, (compared.passive, state), found, limits)
    if state.release is None:
        return shown
    return shown + worst_shown(compared.common, state.release, limits)
