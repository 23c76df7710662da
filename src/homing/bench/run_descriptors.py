"""``homing bench descriptors``: exact search for edited copies, by descriptors and by hashes."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from homing.bench.context import Progress, Run
from homing.bench.dataset.base import make_plan
from homing.bench.dataset.ground_truth import Judged
from homing.bench.dataset.material import Index, gather, seek_twins
from homing.bench.dataset.setup import setup_of
from homing.bench.dataset.suites import find_suite
from homing.bench.encode.encoders import Encoder
from homing.bench.extra import require_extra
from homing.bench.measure.scoring import FalseMatches, false_matches, recall_figures, search_copies
from homing.bench.report.observations import Observations
from homing.bench.report.report import Column, Report
from homing.bench.search.copy_detection import detect_copies, predict
from homing.bench.settings import Sizes
from homing.bench.workers import open_workers
from homing.errors import UsageError
from homing.images import FoundPicture
from homing.options import DEFAULT_LIMITS, Limits

# What the parts of a seed are for; base.py and queries.py have 1 to 5.
_BOOTSTRAP, _TIES = 6, 7

Vectors = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Settings(Sizes):
    """What is measured; see :class:`~homing.bench.settings.Sizes`."""

    random_draws: int = 5


def run_descriptors(
    photos: Sequence[FoundPicture],
    background: Sequence[FoundPicture],
    encoders: Sequence[Encoder],
    out: Path,
    progress: Progress,
    *,
    settings: Settings | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Report:
    """Measure encoders on photographs, among others.

    Parameters
    ----------
    photos : sequence of FoundPicture
        Pictures whose edited copies are searched for.
    background : sequence of FoundPicture
        Other pictures, at least ten.
    encoders : sequence of Encoder
        Of different names; at least one of a descriptor, whose neighbours are looked at as twins.
    out : Path
        Folder for the cache and the files of the report.
    progress : callable
        Opens a progress bar.
    settings : Settings, optional
    limits : Limits
        The most that is decoded of a file.

    Returns
    -------
    Report
        Its files are written too.

    Raises
    ------
    UsageError
        The extra ``bench`` is missing, there are too few pictures, or none can be read.
    """
    require_extra()
    start = time.perf_counter()
    settings = settings or Settings()
    _check(encoders)
    plan = make_plan(photos, background, settings)
    with open_workers() as workers:
        run = Run(workers, out / "cache", progress, limits)
        edits = find_suite("paper").edits
        material = gather(plan, encoders, run, settings, apart=encoders, edits=edits)
        twins = seek_twins(material, encoders, run)
    judged = Judged(material, np.flatnonzero(material.readable), *twins)
    with Observations(out) as observations:
        columns = [
            _measure(encoder, judged, settings.seed, progress, observations) for encoder in encoders
        ]
    setup = setup_of(material, material.readable, settings)
    report = Report(setup, tuple(columns), *twins, material.failures)
    report.write(out, seconds=time.perf_counter() - start)
    return report


def _check(encoders: Sequence[Encoder]) -> None:
    names = [encoder.name for encoder in encoders]
    if len(set(names)) < len(names):
        raise UsageError(f"two columns have the same name: {', '.join(names)}")
    if not any(encoder.descriptor for encoder in encoders):
        raise UsageError("name a descriptor: twins are sought among its neighbours")


def _measure(
    encoder: Encoder,
    judged: Judged,
    seed: int,
    progress: Progress,
    observations: Observations,
) -> Column:
    """One column of the table."""
    material, queries = judged.material, judged.material.queries
    made = material.copies.made & judged.among()
    base = encoder.vectors(material.entries.rows[encoder.name][judged.index.rows])
    copies = encoder.vectors(material.copies.rows[encoder.name])
    with progress(int(made.sum()), f"searching by {encoder.name}") as bar:
        answers = search_copies(copies, made, queries.pictures, base, judged.right, bar.by)
    generator = np.random.default_rng([seed, _BOOTSTRAP])
    figures = recall_figures(answers, made, queries.edits, queries.places(), generator)
    asked = judged.detection(encoder, copies, material.copies.blank, made)
    assert asked is not None  # one of the paper's edits is random
    ties = np.random.default_rng([seed, _TIES])
    predictions = predict(asked, base, ties)
    rows, entries = judged.index.rows, material.base
    observations.answers(
        encoder.name, queries, entries, rows, answers, made, material.copies.reasons
    )
    observations.copies(encoder.name, entries, rows, predictions, material.plan)
    return Column(
        encoder, figures, detect_copies(predictions, generator), _false_matches(judged, base)
    )


def _false_matches(judged: Judged, base: Vectors) -> FalseMatches:
    """Photos against whole photographs; neither against crops nor twins."""
    whole = Index.of(judged.material.base.recipe[judged.index.rows] == 0)
    photos = np.flatnonzero(judged.material.readable)
    left_out = [whole.places(judged.right[photo]) for photo in photos]
    return false_matches(base[judged.index.place[photos]], base[whole.rows], left_out)
