"""Question: what if the publisher saves the released file again: coded anew, grey, smaller?"""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from homing.bench.questions.case import Answer, Case, Figures, Line, quality_figures
from homing.bench.states.quality import Quality, measure_quality
from homing.errors import PictureError
from homing.files.durable import staged_beside
from homing.images import SUFFIXES, read_rgb
from homing.options import Limits

_NAMES = {"JPEG": "JPEG", "WEBP": "WebP"}


class _Saving(NamedTuple):
    kind: str
    quality: int
    grey: bool = False
    halved: bool = False  # in both sides

    @property
    def name(self) -> str:
        if self.grey:
            return "grey"
        return "half the size" if self.halved else f"{_NAMES[self.kind]} {self.quality}"

    def alter(self, image: Image.Image) -> Image.Image:
        if self.grey:
            return image.convert("L")
        size = max(1, image.width // 2), max(1, image.height // 2)
        return image.resize(size, Image.Resampling.LANCZOS) if self.halved else image


_SAVINGS = (
    *(_Saving("JPEG", quality) for quality in (95, 90, 75)),
    *(_Saving("WEBP", quality) for quality in (90, 75)),
    _Saving("JPEG", 95, grey=True),
    _Saving("JPEG", 95, halved=True),
)


class _SavedFile(NamedTuple):
    source: Path  # the untouched picture
    file: Path
    saving: _Saving
    folder: Path
    limits: Limits


def answer_lossy(case: Case) -> Answer:
    """Save released files again; index and edit the results.

    Where the picture itself changes (grey, smaller), the untouched ones are saved alike.
    """
    sources = [photo.path for photo in case.benchmark.material.plan.photos]
    lines = [
        Line("untouched", case.figures(case.passive)),
        Line("as released", case.figures(case.active) | _released_quality(case)),
    ]
    for saving in _SAVINGS:
        if saving.grey or saving.halved:
            lines.append(_saved_line(case, saving, sources, f"{saving.name}, untouched"))
        lines.append(_saved_line(case, saving, case.active.files, saving.name))
    return Answer(
        "lossy",
        "What if the file is saved again?",
        f"{len(case.pictures):,} released pictures saved anew without chroma subsampling (WebP has "
        "it), after activation; grey, and half the size in both sides, as JPEG 95; the base holds "
        "what came of it. PSNR is against the original.",
        tuple(lines),
    )


def _saved_line(case: Case, saving: _Saving, files: Sequence[Path | None], name: str) -> Line:
    """Save files, index and edit the results."""
    chosen = {n: file for n in case.pictures.tolist() if (file := files[n]) is not None}
    photos, limits = case.benchmark.material.plan.photos, case.maker.run.limits
    folder = case.folder / "saved again"
    jobs = (_SavedFile(photos[n].path, chosen[n], saving, folder, limits) for n in chosen)
    saved: list[Path | None] = [None] * len(files)
    qualities = []
    with case.maker.run.progress(len(chosen), f"saving as {name}") as bar:
        for n, result in zip(chosen, case.maker.run.workers.map(_save, jobs), strict=True):
            bar.by(1)
            if not isinstance(result, PictureError):
                saved[n] = result[0]
                qualities += [result[1]] if result[1] is not None else []
    queries = case.benchmark.material.queries
    state = case.maker.describe(case.passive, queries, saved, name, case.quantizer)
    seen = quality_figures(qualities) if qualities else {}
    return Line(name, case.figures(state, case.present_in([state])) | seen)


def _released_quality(case: Case) -> Figures:
    assert case.active.release is not None
    rows = (case.active.release.rows[n] for n in case.pictures.tolist())
    return quality_figures([row.quality for row in rows if row is not None])


def _save(job: _SavedFile) -> "tuple[Path, Quality | None] | PictureError":
    """Code a file anew, in a worker process, and measure it against the original.

    What has another size is not measured.
    """
    saving = job.saving
    name = hashlib.sha256(os.fsencode(job.file.absolute())).hexdigest()[:32]
    folder = job.folder / saving.name.replace(" ", "-")
    path = folder / f"{name}{SUFFIXES[saving.kind]}"
    try:
        if not path.is_file():
            image = saving.alter(read_rgb(job.file, limits=job.limits))
            folder.mkdir(parents=True, exist_ok=True)
            options = {"subsampling": 0} if saving.kind == "JPEG" else {}
            with staged_beside(path) as staged:
                image.save(staged, saving.kind, quality=saving.quality, **options)
                staged.replace(path)
        pixels = [np.asarray(read_rgb(each, limits=job.limits)) for each in (job.source, path)]
    except PictureError as error:
        return error
    if pixels[0].shape != pixels[1].shape:
        return path, None
    growth = path.stat().st_size / job.source.stat().st_size
    return path, measure_quality(*pixels, peak=255, bytes_over_source=growth)
