"""Question: what can an adversary who knows of activation do?

Wash activation out, or activate the copy for another cell.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from homing.activation import Method
from homing.activation.objectives.objective import Objective, Targets
from homing.activation.simulated_edits.edits import NO_EDITS
from homing.bench.dataset.queries import Queries, plan_copies
from homing.bench.encode.code_checksum import function_checksum
from homing.bench.questions.case import Answer, Case, Figures, Line, index_figures
from homing.bench.questions.cells import middles
from homing.bench.states.released import Release
from homing.bench.states.state import State
from homing.bench.statistics.bootstrap import Interval
from homing.codebooks import AnyCodebook, with_codes
from homing.edits import PAPER, Edit, make_edit
from homing.edits.operations import jpeg
from homing.images import FoundPicture


def _wash(
    window: int, edges: float, quality: int, image: Image.Image, _generator: np.random.Generator
) -> Image.Image:
    """Filter by a median, resize down and up again, save as JPEG."""
    small = (max(1, round(image.width * edges)), max(1, round(image.height * edges)))
    shrunk = image.filter(ImageFilter.MedianFilter(window)).resize(small, Image.Resampling.BILINEAR)
    return jpeg(shrunk.resize(image.size, Image.Resampling.BILINEAR), quality)


WASHES: tuple[Edit, ...] = (
    make_edit("washed", partial(_wash, 3, 0.7, 70)),
    make_edit("washed harder", partial(_wash, 5, 0.5, 50)),
)
"""A median of 3 or 5 pixels, 0.7 or 0.5 of each edge and back, JPEG 70 or 50."""


def next_cell(codebook: AnyCodebook, vectors: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Return the vectors towards which an adversary pulls: middles of the second nearest cells.

    `vectors` is (n, dimension); the codebook has at least two cells.
    """
    given, book = np.asarray(vectors, np.float32), with_codes(codebook)
    return middles(book, book.nearest_cells(given, 2)[:, 1])


def aim_elsewhere(
    method: Method,
    where: Callable[[AnyCodebook, npt.NDArray[np.float32]], npt.NDArray[np.float32]] = next_cell,
) -> Method:
    """Turn a method into an adversary's: as if each picture's descriptor were another."""
    objective = partial(_aimed_elsewhere, where, method.objective)
    return replace(method, objective=objective, lookahead=NO_EDITS)


def _aimed_elsewhere(
    where: Callable[[AnyCodebook, npt.NDArray[np.float32]], npt.NDArray[np.float32]],
    objective: Callable[..., Objective],
    targets: Targets,
    *rest: Any,
) -> Objective:
    there = where(targets.codebook, targets.vectors)
    return objective(Targets.in_own_cells(targets.codebook, there), *rest)


def answer_adversary(case: Case) -> Answer:
    """Search for copies that were attacked, of untouched and of activated pictures."""
    lines = [*_washed(case), *_activated_again(case)]
    return Answer(
        "adversary",
        "What if an adversary knows?",
        f"{len(case.pictures):,} pictures. Washed: a median filter of 3 pixels, 0.7 of each edge "
        "and back, JPEG 70 (harder: 5 pixels, 0.5, JPEG 50). Activated for the next cell: towards "
        "its middle, by the same method, codebook and least PSNR "
        f"({case.maker.releaser.psnr:g} dB), which the adversary knows; the base holds the "
        "pictures before that.",
        tuple(lines),
    )


def _washed(case: Case) -> list[Line]:
    benchmark, lines = case.benchmark, []
    photos = benchmark.material.plan.photos
    sample = set(case.pictures.tolist())
    sources = [photo.path if n in sample else None for n, photo in enumerate(photos)]
    files = [file if n in sample else None for n, file in enumerate(case.active.files)]
    for edit in WASHES:
        queries = plan_copies(photos, (edit,), random_draws=1, seed=benchmark.seed)
        for label, state, paths in (
            ("untouched", case.passive, sources),
            ("activated", case.active, files),
        ):
            figures = _attacked(case, state, queries, paths)
            lines.append(Line(f"{label}, {edit.name}", figures))
    return lines


def _activated_again(case: Case) -> list[Line]:
    codebook = case.quantizer.codebook
    if codebook.cell_count < 2:
        return []
    photos = case.benchmark.material.plan.photos
    identity = (PAPER[0],)
    queries = plan_copies(photos, identity, random_draws=1, seed=case.benchmark.seed)
    lines = []
    for label, state in (("untouched", case.passive), ("activated", case.active)):
        chosen = [n for n in case.pictures.tolist() if state.files[n] is not None]
        given = [
            FoundPicture(file or Path(), photo.relative)
            for file, photo in zip(state.files, photos, strict=True)
        ]
        release = case.maker.releaser.release(
            given,
            aim_elsewhere(case.method),
            codebook,
            f"activating {label} pictures for another cell",
            chosen=chosen,
            version=function_checksum(next_cell, ()),
        )
        figures = _attacked(case, state, queries, release.paths)
        figures["files that left their cell"] = _share_left(release)
        lines.append(Line(f"{label}, then activated for the next cell", figures))
    return lines


def _share_left(release: Release) -> Interval:
    left = [not row.cell_kept for row in release.released]
    share = sum(left) / len(left) if left else float("nan")
    return Interval(share, share, share)


def _attacked(case: Case, state: State, queries: Queries, files: Sequence[Path | None]) -> Figures:
    """Measure copies of some files, searched for among a state's own entries."""
    benchmark = replace(case.benchmark, material=replace(case.benchmark.material, queries=queries))
    described = case.maker.describe(case.passive, queries, files, state.method, case.quantizer)
    attacked = replace(described, entries=state.entries)
    return index_figures(benchmark, case.searcher, attacked, case.present_in([described]))
