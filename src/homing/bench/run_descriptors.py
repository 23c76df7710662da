"""``homing bench descriptors``: exact search for edited copies, by descriptors and by hashes."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from homing.bench.context import Progress, open_run
from homing.bench.dataset.base import make_plan
from homing.bench.dataset.ground_truth import GroundTruth
from homing.bench.dataset.material import RowSubset, find_near_duplicates, gather_material
from homing.bench.dataset.setup import make_setup
from homing.bench.dataset.suites import find_suite
from homing.bench.encode.encoders import Encoder
from homing.bench.extra import require_extra
from homing.bench.measure.figures import FalseMatches, false_matches, recall_figures, search_copies
from homing.bench.report.descriptor_report import Column, DescriptorReport
from homing.bench.report.observations import DescriptorObservations
from homing.bench.search.copy_detection import predict, score_predictions
from homing.bench.settings import Sizes
from homing.errors import UsageError
from homing.images import FoundPicture
from homing.options import DEFAULT_LIMITS, Limits

# Purposes of a seed; base.py and queries.py have 1 to 5.
_BOOTSTRAP, _TIES = 6, 7

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Settings(Sizes):
    """Settings of :func:`run_descriptors`."""

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
) -> DescriptorReport:
    """Measure encoders on photographs in a base of others, and write the report to `out`.

    Encoders have different names; at least one is of a descriptor, whose neighbours are the
    candidates for near duplicates. The background has at least ten pictures. `UsageError` if there
    are too few pictures, none can be read, or the extra ``bench`` is missing.
    """
    require_extra()
    start = time.perf_counter()
    settings = settings or Settings()
    _check(encoders)
    plan = make_plan(photos, background, settings)
    edits = find_suite("paper").edits
    with open_run(out, progress, limits) as run:
        material = gather_material(plan, encoders, run, settings, apart=encoders, edits=edits)
        near_duplicates = find_near_duplicates(material, encoders, run)
    truth = GroundTruth(material, np.flatnonzero(material.readable), *near_duplicates)
    with DescriptorObservations(out, truth) as observations:
        columns = [
            _measure(encoder, truth, settings.seed, progress, observations) for encoder in encoders
        ]
    setup = make_setup(material, len(truth.photos), settings)
    report = DescriptorReport(setup, tuple(columns), *near_duplicates, material.failures)
    report.write(out, seconds=time.perf_counter() - start)
    return report


def _check(encoders: Sequence[Encoder]) -> None:
    names = [encoder.name for encoder in encoders]
    if len(set(names)) < len(names):
        raise UsageError(f"two columns have the same name: {', '.join(names)}")
    if not any(encoder.descriptor for encoder in encoders):
        raise UsageError("name a descriptor: near duplicates are searched among its neighbours")


def _measure(
    encoder: Encoder,
    truth: GroundTruth,
    seed: int,
    progress: Progress,
    observations: DescriptorObservations,
) -> Column:
    """Measure one column of the table."""
    material, queries = truth.material, truth.material.queries
    made = material.copies.made & truth.copies_of()
    base = encoder.vectors(material.entries.rows[encoder.name][truth.searched_rows.rows])
    copies = encoder.vectors(material.copies.rows[encoder.name])
    with progress(int(made.sum()), f"searching by {encoder.name}") as bar:
        hits = search_copies(copies, made, queries.pictures, base, truth.right, bar.by)
    generator = np.random.default_rng([seed, _BOOTSTRAP])
    figures = recall_figures(hits, made, queries.edits, queries.places(), generator)
    detection = truth.detection_queries(encoder, copies, material.copies.blank, made)
    assert detection is not None  # one of the paper's edits is random
    predictions = predict(detection, base, np.random.default_rng([seed, _TIES]))
    observations.write_hits(encoder.name, hits, made)
    observations.write_predictions(encoder.name, predictions)
    return Column(
        encoder, figures, score_predictions(predictions, generator), _false_matches(truth, base)
    )


def _false_matches(truth: GroundTruth, base: Vectors) -> FalseMatches:
    """Compare photos with whole photographs, but neither with crops nor with near duplicates."""
    searched = truth.searched_rows
    whole = RowSubset.flagged(truth.material.base.recipe[searched.rows] == 0)
    left_out = [whole.places(truth.right[photo]) for photo in truth.photos]
    return false_matches(base[searched.place[truth.photos]], base[whole.rows], left_out)
