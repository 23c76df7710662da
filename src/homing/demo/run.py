"""Steps of the demonstration: release, edit, search both archives, compare."""

import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from homing.archive import Archive, Report, VectorMatches, create, open_archive
from homing.archive.ingest.run import Observer
from homing.demo.material import copy_bundled_pictures, write_background
from homing.demo.report import DemoReport, EditRow, Example
from homing.edits import Edit, paper_edits, random_available
from homing.errors import ArchiveError, UsageError
from homing.extras import install_command

_PROBES = 1
_EXAMPLES = 5
_MOST_PICTURES = 200
_AMPLIFIED = 20


class _Bar(Protocol):
    def by(self, count: int) -> None: ...


#: Opens a progress bar of a total and a description.
Progress = Callable[[int, str], AbstractContextManager[_Bar]]


@dataclass(frozen=True)
class _Pair:
    """One picture, untouched and released, as RGB in memory."""

    id: str
    original: Image.Image
    released: Image.Image
    psnr: float


def run_demo(
    out: Path,
    *,
    photos: Path | None,
    background: int,
    seed: int,
    progress: Progress,
    on_row: Callable[[EditRow], None] | None = None,
) -> DemoReport:
    """Release pictures, edit them, and search for the copies.

    `out` must be new or empty; it will hold the archives and the released files. `photos` is a
    folder, of which the first 200 pictures count; None takes those that ship with homing.
    `background` is the number of generated pictures, `seed` that of all random draws. `on_row`
    gets each row of the table as soon as it is known.
    """
    start = time.perf_counter()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{str(out)!r} exists and is not empty; name another folder")
    pictures = photos if photos is not None else out / "pictures"
    if photos is None:
        copy_bundled_pictures(pictures)
    active, passive, report = _fill(out, pictures, background, seed, progress)
    pairs = _load(report, active)
    edits = paper_edits(with_random=random_available())
    rows, examples = _compare(active, passive, pairs, edits, seed, progress, on_row)
    decibels = [pair.psnr for pair in pairs]
    return DemoReport(
        pictures=len(pairs),
        background=background,
        descriptor=active.settings.descriptor,
        codebook=active.settings.codebook,
        probes=_PROBES,
        rows=rows,
        examples=examples,
        psnr_mean=float(np.mean(decibels)),
        psnr_least=min(decibels),
        seconds_release=report.seconds,
        seconds_total=time.perf_counter() - start,
        notes=_notes(report),
    )


def _fill(
    out: Path, pictures: Path, background: int, seed: int, progress: Progress
) -> tuple[Archive, Archive, Report]:
    """Make two archives of one background: with the pictures released, and as they are."""
    with progress(background, "drawing background") as bar:
        write_background(out / "background", background, seed=seed, progress=bar.by)
    base = create(out / "archive")
    with progress(background, "adding background") as bar:
        base.add(out / "background", progress=Observer(worked=lambda: bar.by(1)))
    shutil.copytree(out / "archive", out / "archive-passive")
    active, passive = open_archive(out / "archive"), open_archive(out / "archive-passive")
    inputs = [item.path for item in active.inputs(pictures)][:_MOST_PICTURES]
    with progress(len(inputs), "releasing") as bar:
        report = active.release(
            inputs, out=out / "released", seed=seed, progress=Observer(worked=lambda: bar.by(1))
        )
    passive.add(inputs)
    shutil.rmtree(out / "background")
    return active, passive, report


def _load(report: Report, active: Archive) -> list[_Pair]:
    pairs = [
        _Pair(
            outcome.id,
            _rgb(Path(outcome.source)),
            _rgb(Path(outcome.file)),
            float("inf") if outcome.psnr is None else outcome.psnr,
        )
        for outcome in report
        if outcome.status == "released" and outcome.id is not None and outcome.file is not None
    ]
    if not pairs:
        reasons = "; ".join(f"{o.source}: {o.reason}" for o in report.failures[:3])
        raise ArchiveError(f"no picture could be released into {str(active.path)!r} ({reasons})")
    return pairs


def _rgb(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB")


def _compare(
    active: Archive,
    passive: Archive,
    pairs: Sequence[_Pair],
    edits: Sequence[Edit],
    seed: int,
    progress: Progress,
    on_row: Callable[[EditRow], None] | None,
) -> tuple[tuple[EditRow, ...], tuple[Example, ...]]:
    rows: list[EditRow] = []
    examples: list[Example] = []
    shown: set[str] = set()
    with progress(len(edits), "searching") as bar:
        for number, edit in enumerate(edits):
            found = _search(active, [pair.released for pair in pairs], edit, seed, number)
            missed = _search(passive, [pair.original for pair in pairs], edit, seed, number)
            ids = np.array([pair.id for pair in pairs], dtype=object)
            hit_active, hit_passive = found.ids[:, 0] == ids, missed.ids[:, 0] == ids
            rows.append(EditRow(edit.name, float(hit_passive.mean()), float(hit_active.mean())))
            if on_row is not None:
                on_row(rows[-1])
            gained = np.flatnonzero(hit_active & ~hit_passive).tolist()
            fresh = [place for place in gained if pairs[place].id not in shown]
            if fresh and len(examples) < _EXAMPLES:
                # One per edit, so that the page shows several edits; the most colourful.
                place = max(fresh, key=lambda place: _saturation(pairs[place].original))
                shown.add(pairs[place].id)
                generator = _generator(seed, number, place)
                examples.append(_example(pairs[place], edit, generator, found, missed, place))
            bar.by(1)
    return tuple(rows), tuple(examples)


def _search(
    archive: Archive, pictures: Sequence[Image.Image], edit: Edit, seed: int, number: int
) -> VectorMatches:
    edited = (
        edit.apply(picture, _generator(seed, number, place))
        for place, picture in enumerate(pictures)
    )
    vectors = archive.descriptor.describe(list(edited))
    return archive.search_vectors(vectors, k=1, probes=_PROBES)


def _generator(seed: int, edit: int, place: int) -> np.random.Generator:
    """Give the released and the untouched picture the same draws."""
    return np.random.default_rng([seed, edit, place])


def _example(
    pair: _Pair,
    edit: Edit,
    generator: np.random.Generator,
    found: VectorMatches,
    missed: VectorMatches,
    place: int,
) -> Example:
    return Example(
        title=pair.id,
        original=pair.original,
        released=pair.released,
        difference=_difference(pair.original, pair.released),
        edited=edit.apply(pair.released, generator),
        edit=edit.name,
        active_hit=found.ids[place, 0],
        active_similarity=float(found.similarity[place, 0]),
        passive_hit=missed.ids[place, 0],
        psnr=pair.psnr,
    )


def _saturation(image: Image.Image) -> float:
    return float(np.asarray(image.resize((32, 32)).convert("HSV"))[:, :, 1].mean())


def _difference(original: Image.Image, released: Image.Image) -> Image.Image:
    change = np.asarray(released, dtype=np.int16) - np.asarray(original, dtype=np.int16)
    amplified = np.clip(128 + _AMPLIFIED * change, 0, 255)
    return Image.fromarray(amplified.astype(np.uint8))


def _notes(report: Report) -> tuple[str, ...]:
    notes = [f"{outcome.source} was left out: {outcome.reason}" for outcome in report.failures]
    if not random_available():
        notes.append(
            f"The paper's edit 'random' was left out: it needs AugLy ({install_command('bench')})."
        )
    return tuple(notes)
