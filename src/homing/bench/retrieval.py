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

from homing.activation import Method, find_method
from homing.bench.answers import write_answers
from homing.bench.base import make_plan
from homing.bench.detecting import Detected, detect
from homing.bench.encoding import Encoder, Progress, descriptor_encoder, hash_encoders
from homing.bench.extra import require_extra
from homing.bench.gallery import Example, answers_shown, worst_shown
from homing.bench.material import Index, Material, gather, seek_twins
from homing.bench.measuring import Measured, measure_exact, measure_index
from homing.bench.outcome import Family, Outcome
from homing.bench.page import write_page
from homing.bench.pareto import compare_costs
from homing.bench.plots import write_plots
from homing.bench.quantizers import Quantizer, find_quantizers
from homing.bench.releasing import Releaser
from homing.bench.searching import Searcher, settings_of
from homing.bench.setup import setup_of
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


@dataclass(frozen=True)
class Settings:
    """What is measured.

    Attributes
    ----------
    suite : str
        As :func:`~homing.bench.suites.find_suite` takes it.
    indexes : tuple of str
        As :func:`~homing.bench.quantizers.find_quantizer` takes them.
    base_size : int
        Distractors besides the photos: photographs of the background, then crops of them.
    random_draws : int
        Copies of each picture under a random edit.
    pictures : int or None
        Only so many photos, drawn by the seed.
    psnr : float
        Budget of the released files, dB.
    kind : str or None
        Of the released files; None keeps each picture's own.
    hashes : bool
        Perceptual hashes as well.
    sample : int
        Photos for what needs files of its own; 0 leaves that out.
    seed : int
        Of everything that is drawn.
    """

    suite: str = "paper"
    indexes: tuple[str, ...] = ("auto",)
    base_size: int = 100_000
    random_draws: int = 3
    pictures: int | None = None
    psnr: float = 42.0
    kind: str | None = "PNG"
    hashes: bool = True
    sample: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        counts = (self.base_size, self.random_draws, 1 if self.pictures is None else self.pictures)
        if min(counts) < 1 or min(self.seed, self.sample) < 0 or not self.indexes:
            raise UsageError(f"counts are at least 1 and the seed at least 0; got {self}")


def run_retrieval(
    photos: Sequence[Found],
    background: Sequence[Found],
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
        Of activation, of different names; the paper's if there are none.
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
    methods = tuple(methods) or (find_method("paper"),)
    if len({method.name for method in methods}) < len(methods):
        raise UsageError(f"two methods are the same: {', '.join(m.name for m in methods)}")
    suite = find_suite(settings.suite, edits)
    plan = make_plan(
        photos,
        background,
        base_size=settings.base_size,
        pictures=settings.pictures,
        seed=settings.seed,
    )
    encoder, cache = descriptor_encoder(descriptor), out / "cache"
    hashes = hash_encoders() if settings.hashes else ()
    with open_workers() as workers:
        releaser = Releaser(
            out / "released",
            descriptor,
            workers,
            progress,
            settings.psnr,
            settings.kind,
            settings.seed,
            limits,
        )
        stage = Stage(
            descriptor, encoder, workers, cache, progress, releaser, settings.seed, limits
        )
        material = gather(
            plan,
            [encoder, *hashes],
            workers,
            cache,
            progress,
            apart=[encoder],
            edits=suite.edits,
            random_draws=settings.random_draws,
            seed=settings.seed,
            limits=limits,
        )
        if not material.readable.any():
            raise UsageError(f"none of the pictures can be read ({material.entries.reasons[0]})")
        passive = passive_state(material, encoder)
        quantizers = find_quantizers(
            settings.indexes, descriptor, _distractors(material, encoder), cache, settings.seed
        )
        active = {
            quantizer.name: [stage.released(material, passive, quantizer, m) for m in methods]
            for quantizer in quantizers
        }
        states = [state for found in active.values() for state in found]
        kept = np.flatnonzero(np.all([s.present for s in (passive, *states)], axis=0))
        failures = material.failures | _unreleased(states)
        if not len(kept):
            raise UsageError(f"no picture could be released ({next(iter(failures.values()), '')})")
        twins = seek_twins(material, [encoder], workers, cache, progress, limits=limits)
        common = Common(material, encoder, kept, *twins, settings.seed)
        known = [(quantizer, active[quantizer.name][0]) for quantizer in quantizers]
        points, notes = compare_costs(stage, common, passive, known, methods[0], settings.sample)
        searched: list[tuple[Measured, State]] = []
        families, baselines = _searches(
            stage, common, passive, quantizers, active, hashes, searched
        )
    examples = _examples(common, families[0], passive, active[quantizers[0].name], limits)
    present = np.zeros(len(plan.photos), bool)
    present[kept] = True
    outcome = Outcome(
        setup_of(material, present, random_draws=settings.random_draws, seed=settings.seed),
        suite,
        encoder,
        asdict(settings) | {"methods": [method.name for method in methods]},
        families,
        baselines,
        twins[0].counts | {"unmatched_photos": twins[1].counts["photos"]},
        tuple(points),
        tuple(examples),
        tuple(notes),
        failures,
    )
    seconds = time.perf_counter() - start
    outcome.write(out, seconds=seconds)
    write_answers(out / "observations.csv", common, searched)
    write_page(outcome, write_plots(outcome, out / "plots"), out / "report.html", seconds)
    return outcome


def _distractors(material: Material, encoder: Encoder) -> npt.NDArray[np.float32]:
    made = material.entries.made
    made[: len(material.plan.photos)] = False
    return encoder.vectors(material.entries.rows[encoder.name][Index.of(made).rows])


def _unreleased(states: Sequence[State]) -> dict[str, str]:
    found: dict[str, str] = {}
    for state in states:
        if state.release is not None:
            found |= state.release.failures
    return found


def _searches(
    stage: Stage,
    common: Common,
    passive: State,
    quantizers: Sequence[Quantizer],
    active: dict[str, list[State]],
    hashes: Sequence[Encoder],
    searched: list[tuple[Measured, State]],
) -> tuple[tuple[Family, ...], tuple[Measured, ...]]:
    """Search for everything; note what was measured of what."""

    def note(measured: Measured, state: State) -> Measured:
        searched.append((measured, state))
        return measured

    families = []
    total = sum(2 + 2 * len(states) for states in active.values()) + len(hashes)
    with stage.progress(total, "searching") as bar:
        bar.by(0)
        bare = note(measure_exact(common, passive, common.others), passive)
        detected_bare = detect(common, passive)
        for quantizer in quantizers:
            searcher = Searcher(quantizer.codebook, common.others)
            settings = settings_of(quantizer.codebook)
            found, exact, detected = [], [bare], [detected_bare]
            for state in (passive, *active[quantizer.name]):
                engine = searcher.engine(state.entries[common.kept], common.seed)
                found.append(
                    note(measure_index(common, engine, quantizer.name, state, settings), state)
                )
                one = settings[found[-1].setting(1, ranked=True)]
                detected.append(detect(common, state, quantizer.name, engine, one))
                bar.by(1)
            for state in active[quantizer.name]:
                exact.append(note(measure_exact(common, state, common.others), state))
                detected.append(detect(common, state))
                bar.by(1)
            releases = {
                state.method: state.release
                for state in active[quantizer.name]
                if state.release is not None
            }
            families.append(
                Family(quantizer, tuple(found), tuple(exact), _there(detected), releases)
            )
        baselines = []
        for encoder in hashes:
            state = passive_state(common.material, encoder)
            others = common.others_of(encoder)
            baselines.append(note(measure_exact(common, state, others, encoder.name), state))
            bar.by(1)
    return tuple(families), tuple(baselines)


def _there(found: Sequence[Detected | None]) -> tuple[Detected, ...]:
    return tuple(each for each in found if each is not None)


def _examples(
    common: Common, family: Family, passive: State, active: Sequence[State], limits: Limits
) -> list[Example]:
    """Pictures of the first index and method."""
    state = active[0]
    found = answers_shown(common, (passive, state), (family.states[0], family.states[1]), limits)
    return found + (worst_shown(common, state.release, limits) if state.release else [])
