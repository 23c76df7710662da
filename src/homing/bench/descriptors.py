"""``homing bench descriptors``: exact search for edited copies, by descriptors and by hashes."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from homing.bench.base import make_plan
from homing.bench.copy_detection import Predictions, detect_copies, predict
from homing.bench.encoding import Encoder, Progress
from homing.bench.extra import require_extra
from homing.bench.material import Index, Material, gather, seek_twins
from homing.bench.observations import Observations
from homing.bench.report import Column, Report
from homing.bench.scoring import FalseMatches, false_matches, recall_figures, search_copies
from homing.bench.setup import setup_of
from homing.bench.suites import find_suite
from homing.bench.twins import Twins
from homing.bench.workers import open_workers
from homing.errors import UsageError
from homing.images import DEFAULT_LIMITS, Found, Limits

__all__ = ["Settings", "run_descriptors"]

_MOST_COPIES = 1000  # pictures whose random copies copy detection looks for
# What the parts of a seed are for; base.py and queries.py have 1 to 5.
_BOOTSTRAP, _TIES = 6, 7

Vectors = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Settings:
    """What is measured.

    Attributes
    ----------
    base_size : int
        Distractors besides the photos: photographs of the background, then crops of them.
    random_draws : int
        Copies of each picture under the random edit.
    pictures : int or None
        Only so many photos, drawn by the seed.
    seed : int
        Of everything that is drawn.
    """

    base_size: int = 100_000
    random_draws: int = 5
    pictures: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        counts = (self.base_size, self.random_draws, 1 if self.pictures is None else self.pictures)
        if min(counts) < 1 or self.seed < 0:
            raise UsageError(f"counts are at least 1 and the seed at least 0; got {self}")


def run_descriptors(
    photos: Sequence[Found],
    background: Sequence[Found],
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
    photos : sequence of Found
        Pictures whose edited copies are searched for.
    background : sequence of Found
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
    plan = make_plan(
        photos,
        background,
        base_size=settings.base_size,
        pictures=settings.pictures,
        seed=settings.seed,
    )
    cache = out / "cache"
    with open_workers() as workers:
        material = gather(
            plan,
            encoders,
            workers,
            cache,
            progress,
            apart=encoders,
            edits=find_suite("paper").edits,
            random_draws=settings.random_draws,
            seed=settings.seed,
            limits=limits,
        )
        if not material.readable.any():
            raise UsageError(f"none of the pictures can be read ({material.entries.reasons[0]})")
        twins = seek_twins(material, encoders, workers, cache, progress, limits=limits)
    judged = _Judged(material, Index.of(material.entries.made), *twins)
    with Observations(out) as observations:
        columns = [
            _measure(encoder, judged, settings.seed, progress, observations) for encoder in encoders
        ]
    setup = setup_of(
        material,
        material.readable,
        random_draws=settings.random_draws,
        seed=settings.seed,
    )
    report = Report(setup, tuple(columns), *twins, material.failures)
    report.write(out, seconds=time.perf_counter() - start)
    return report


def _check(encoders: Sequence[Encoder]) -> None:
    names = [encoder.name for encoder in encoders]
    if len(set(names)) < len(names):
        raise UsageError(f"two columns have the same name: {', '.join(names)}")
    if not any(encoder.descriptor for encoder in encoders):
        raise UsageError("name a descriptor: twins are sought among its neighbours")


@dataclass(frozen=True, eq=False)
class _Judged:
    """What is measured, and what is right; the same for every encoder."""

    material: Material
    index: Index
    twins: Twins
    strange: Twins

    @cached_property
    def pictures(self) -> Rows:
        """For each edited copy, which photo it is of."""
        queries = self.material.queries
        return np.repeat(np.arange(len(queries.tasks)), len(queries.rows))

    @cached_property
    def made(self) -> Flags:
        """For each edited copy, whether there is one, and its picture in the base."""
        return self.material.copies.made & self.material.readable[self.pictures]

    @cached_property
    def right(self) -> list[Rows]:
        """For each photo the places that are right: its own, then its twins'."""
        found = self.twins.by_picture(len(self.material.plan.photos))
        return [
            self.index.places(np.concatenate([[photo], rows])) for photo, rows in enumerate(found)
        ]

    @cached_property
    def ignored(self) -> list[Rows]:
        """For each picture that is not in the base the places of its twins."""
        found = self.strange.by_picture(len(self.material.unmatched))
        return [self.index.places(rows) for rows in found]


def _measure(
    encoder: Encoder,
    judged: _Judged,
    seed: int,
    progress: Progress,
    observations: Observations,
) -> Column:
    """One column of the table."""
    material, queries, made = judged.material, judged.material.queries, judged.made
    base = encoder.vectors(material.entries.rows[encoder.name][judged.index.rows])
    copies = encoder.vectors(material.copies.rows[encoder.name])
    with progress(int(made.sum()), f"searching by {encoder.name}") as bar:
        answers = search_copies(copies, made, judged.pictures, base, judged.right, bar.by)
    edits = list(dict.fromkeys(row.edit for row in queries.rows))
    places = [
        np.stack([queries.of(n) for n, row in enumerate(queries.rows) if row.edit is edit])
        for edit in edits
    ]
    generator = np.random.default_rng([seed, _BOOTSTRAP])
    figures = recall_figures(answers, made, edits, places, generator)
    predictions = _predictions(encoder, judged, copies, base, seed)
    rows, entries = judged.index.rows, material.base
    observations.answers(
        encoder.name, queries, entries, rows, answers, made, material.copies.reasons
    )
    observations.copies(encoder.name, entries, rows, predictions, material.plan)
    return Column(
        encoder, figures, detect_copies(predictions, generator), _false_matches(judged, base)
    )


def _predictions(
    encoder: Encoder, judged: _Judged, copies: Vectors, base: Vectors, seed: int
) -> Predictions:
    """The first random copy of each photo, and copies of pictures that are not in the base."""
    material, queries = judged.material, judged.material.queries
    drawn = next(n for n, row in enumerate(queries.rows) if row.edit.random and row.draw == 0)
    first = queries.of(drawn)[:_MOST_COPIES]
    photos = np.flatnonzero(judged.made[first])
    sizes = [len(task.recipes) for task in material.unmatched]
    owner = np.repeat(np.arange(len(sizes)), sizes)
    # Of a picture that cannot be read itself, no twins could be sought.
    edited = material.others.made & material.others.made[material.originals][owner]
    edited[material.originals] = False
    others = encoder.vectors(material.others.rows[encoder.name][edited])
    picture = np.concatenate([photos, owner[edited]])
    return predict(
        np.concatenate([copies[first[photos]], others]),
        base,
        encoder.vectors(material.scale.rows[encoder.name][material.scale.made]),
        [judged.right[photo] for photo in photos]
        + [judged.ignored[each] for each in owner[edited]],
        np.arange(len(picture)) < len(photos),
        picture,
        np.random.default_rng([seed, _TIES]),
    )


def _false_matches(judged: _Judged, base: Vectors) -> FalseMatches:
    """Photos against whole photographs; neither against crops nor twins."""
    whole = Index.of(judged.material.base.recipe[judged.index.rows] == 0)
    photos = np.flatnonzero(judged.material.readable)
    left_out = [whole.places(judged.right[photo]) for photo in photos]
    return false_matches(base[judged.index.place[photos]], base[whole.rows], left_out)
