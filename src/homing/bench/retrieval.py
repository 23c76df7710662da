"""``homing bench``: edited copies sought through indexes, untouched and activated.

Stage by stage: everything is described; photographs are released by each method for each codebook;
their copies are made and described; all copies are searched for. Each stage keeps what it made.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from homing import defaults
from homing.activation import Method, find_method
from homing.bench.answers import write_answers
from homing.bench.base import make_plan
from homing.bench.encoders import descriptor_encoder, hash_encoders
from homing.bench.extra import require_extra
from homing.bench.gallery import Example, answers_shown, worst_shown
from homing.bench.layouts import Published
from homing.bench.material import Index, Material, gather, seek_twins
from homing.bench.outcome import Family, Outcome
from homing.bench.page import write_page
from homing.bench.pareto import Point, compare_costs
from homing.bench.plots import write_plots
from homing.bench.published import search_published
from homing.bench.quantizers import find_quantizers
from homing.bench.questions import QUESTIONS, Answer, Case
from homing.bench.releasing import Releaser
from homing.bench.run import Progress, Run
from homing.bench.search_all import Active, search_all
from homing.bench.setup import Setup, setup_of
from homing.bench.sizes import Sizes
from homing.bench.stage import Stage
from homing.bench.states import Common, State, passive_state
from homing.bench.suites import find_suite
from homing.bench.workers import open_workers
from homing.edits import Edit
from homing.errors import UsageError
from homing.images import DEFAULT_LIMITS, Found, Limits

if TYPE_CHECKING:
    from homing.descriptors import Descriptor

__all__ = ["Settings", "run_retrieval"]

_SAMPLE = 8  # what a seed is for; no other draw has it

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Settings(Sizes):
    """What is measured, besides :class:`~homing.bench.sizes.Sizes`.

    Attributes
    ----------
    suite : str
        As :func:`~homing.bench.suites.find_suite` takes it.
    indexes : tuple of str
        As :func:`~homing.bench.quantizers.find_quantizer` takes them.
    psnr : float
        Budget of the released files, dB.
    kind : str or None
        Of the released files; None keeps each picture's own.
    hashes : bool
        Perceptual hashes as well.
    sample : int
        Photos for what needs files of its own; 0 leaves that out.
    costs : bool
        Compare five indexes by recall, time and memory.
    questions : tuple of str
        Of :data:`~homing.bench.questions.QUESTIONS`.
    """

    suite: str = "paper"
    indexes: tuple[str, ...] = ("auto",)
    psnr: float = 42.0
    kind: str | None = "PNG"
    hashes: bool = True
    sample: int = 60
    costs: bool = True
    questions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sample < 0 or not self.indexes:
            raise UsageError(f"the sample is at least 0, and there is an index; got {self}")


def run_retrieval(
    photos: Sequence[Found],
    background: Sequence[Found],
    descriptor: "Descriptor",
    out: Path,
    progress: Progress,
    *,
    methods: Sequence[Method] = (),
    edits: Sequence[Edit] = (),
    published: Sequence[Published] = (),
    settings: Settings | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Outcome:
    """Measure activation on photographs, among others.

    Parameters
    ----------
    photos : sequence of Found
        Pictures whose edited copies are searched for.
    background : sequence of Found
        Other pictures, at least ten.
    descriptor : Descriptor
    out : Path
        Folder for the cache, the released files and the report.
    progress : callable
        Opens a progress bar.
    methods : sequence of Method
        Of activation, of different names; the paper's and the default one if there are none.
    edits : sequence of Edit
        One's own, beside those of the suite.
    published : sequence of Published
        Copies that come with the pictures.
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
    methods = _different(tuple(methods) or (find_method("paper"), find_method(defaults.METHOD)))
    suite = find_suite(settings.suite, edits)
    plan = make_plan(photos, background, settings)
    with open_workers() as workers:
        stage = _stage(descriptor, Run(workers, out / "cache", progress, limits), out, settings)
        hashes = hash_encoders() if settings.hashes else ()
        material = gather(
            plan,
            [stage.encoder, *hashes],
            stage.run,
            settings,
            apart=[stage.encoder],
            edits=suite.edits,
        )
        passive = passive_state(material, stage.encoder)
        active = _release_all(stage, material, passive, settings.indexes, methods)
        common = _common(stage, material, passive, active)
        extras = _extras(stage, common, passive, active, methods[0], settings, out)
        copies = _published(stage, common, passive, active, published)
        found = search_all(stage, common, passive, active, hashes)
    outcome = Outcome(
        _setup(common, settings),
        suite,
        stage.encoder,
        asdict(settings) | {"methods": [method.name for method in methods]},
        found.families,
        found.hashes,
        common.twins.counts | {"unmatched_photos": common.strange.counts["photos"]},
        extras.points,
        tuple(_examples(common, found.families[0], passive, active[0].states, limits)),
        copies + extras.answers,
        extras.notes,
        material.failures | _unreleased(active),
    )
    seconds = time.perf_counter() - start
    outcome.write(out, seconds=seconds)
    write_answers(out / "observations.csv", common, found.searched)
    write_page(outcome, write_plots(outcome, out / "plots"), out / "report.html", seconds)
    return outcome


def _stage(descriptor: "Descriptor", run: Run, out: Path, settings: Settings) -> Stage:
    releaser = Releaser(
        out / "released", descriptor, run, settings.psnr, settings.kind, settings.seed
    )
    return Stage(descriptor, descriptor_encoder(descriptor), run, releaser, settings.seed)


def _setup(common: Common, settings: Settings) -> Setup:
    present = np.zeros(len(common.material.plan.photos), bool)
    present[common.kept] = True
    return setup_of(common.material, present, settings)


@dataclass(frozen=True, eq=False)
class _Extras:
    """What is measured on a sample of the photographs."""

    points: tuple[Point, ...] = ()
    answers: tuple[Answer, ...] = ()
    notes: tuple[str, ...] = ()


def _different(methods: tuple[Method, ...]) -> tuple[Method, ...]:
    names = [method.name for method in methods]
    if len(set(names)) < len(names):
        raise UsageError(f"two methods are the same: {', '.join(names)}")
    return methods


def _release_all(
    stage: Stage,
    material: Material,
    passive: State,
    indexes: Sequence[str],
    methods: Sequence[Method],
) -> tuple[Active, ...]:
    made = material.entries.made
    made[: len(material.plan.photos)] = False
    others = stage.encoder.vectors(material.entries.rows[stage.encoder.name][Index.of(made).rows])
    quantizers = find_quantizers(indexes, stage.descriptor, others, stage.run.cache, stage.seed)
    return tuple(
        Active(q, tuple(stage.released(material, passive, q, method) for method in methods))
        for q in quantizers
    )


def _common(stage: Stage, material: Material, passive: State, active: Sequence[Active]) -> Common:
    """What all states share: the photographs that are there in every one."""
    states = [passive, *(state for each in active for state in each.states)]
    kept = np.flatnonzero(np.all([state.present for state in states], axis=0))
    if not len(kept):
        reasons = list(_unreleased(active).values()) or ["it could not be described"]
        raise UsageError(f"no picture could be released ({reasons[0]})")
    twins = seek_twins(material, [stage.encoder], stage.run)
    return Common(material, kept, *twins, stage.encoder, stage.seed)


def _extras(
    stage: Stage,
    common: Common,
    passive: State,
    active: Sequence[Active],
    method: Method,
    settings: Settings,
    out: Path,
) -> _Extras:
    if not settings.sample:
        return _Extras()
    pictures = _sample(common.kept, settings)
    known = tuple((each.quantizer, each.states[0]) for each in active)
    points, notes = (
        compare_costs(stage, common, passive, known, method, pictures)
        if settings.costs
        else ((), ())
    )
    case = Case(stage, common, *known[0], passive, known, method, pictures, out / "questions")
    answers = tuple(QUESTIONS[name](case) for name in settings.questions)
    return _Extras(tuple(points), answers, tuple(notes))


def _published(
    stage: Stage,
    common: Common,
    passive: State,
    active: Sequence[Active],
    published: Sequence[Published],
) -> tuple[Answer, ...]:
    if not published:
        return ()
    return (search_published(stage, common, passive, active[0].quantizer, published),)


def _sample(kept: Rows, settings: Settings) -> Rows:
    """Photographs for what needs files of its own."""
    generator = np.random.default_rng([settings.seed, _SAMPLE])
    size = min(settings.sample, len(kept))
    return np.sort(generator.choice(kept, size=size, replace=False))


def _unreleased(active: Sequence[Active]) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in active:
        for state in each.states:
            found |= state.release.failures if state.release is not None else {}
    return found


def _examples(
    common: Common, family: Family, passive: State, active: Sequence[State], limits: Limits
) -> list[Example]:
    """Pictures of the first index and method."""
    state = active[0]
    found = answers_shown(common, (passive, state), (family.states[0], family.states[1]), limits)
    return found + (worst_shown(common, state.release, limits) if state.release else [])
