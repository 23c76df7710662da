"""Question: what if the publisher saves the released file again, as JPEG or WebP?"""

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from homing.bench.questions.case import Answer, Case, Figures, Line, quality_figures
from homing.bench.states.quality import Quality, measure_quality
from homing.errors import PictureError
from homing.files.durable import staged_beside
from homing.images import SUFFIXES, read_rgb
from homing.options import Limits

_CODINGS = (("JPEG", 95), ("JPEG", 90), ("JPEG", 75), ("WEBP", 90), ("WEBP", 75))
_NAMES = {"JPEG": "JPEG", "WEBP": "WebP"}


class _SavedFile(NamedTuple):
    source: Path  # the untouched picture
    file: Path
    kind: str
    quality: int
    folder: Path
    limits: Limits


def answer_lossy(case: Case) -> Answer:
    """Save released files again; index and edit the results."""
    files = case.active.files
    lines = [
        Line("untouched", case.figures(case.passive)),
        Line("as released", case.figures(case.active) | _released_quality(case)),
    ]
    for kind, quality in _CODINGS:
        chosen = [n for n in case.pictures.tolist() if files[n] is not None]
        jobs = (
            _SavedFile(
                case.benchmark.material.plan.photos[n].path,
                files[n] or Path(),
                kind,
                quality,
                case.folder / "saved again",
                case.maker.run.limits,
            )
            for n in chosen
        )
        saved: list[Path | None] = [None] * len(files)
        qualities = []
        name = f"{_NAMES[kind]} {quality}"
        with case.maker.run.progress(len(chosen), f"saving as {name}") as bar:
            for n, result in zip(chosen, case.maker.run.workers.map(_save, jobs), strict=True):
                bar.by(1)
                if not isinstance(result, PictureError):
                    saved[n] = result[0]
                    qualities.append(result[1])
        state = case.maker.describe(
            case.passive, case.benchmark.material.queries, saved, name, case.quantizer
        )
        pictures = case.present_in([state])
        lines.append(Line(name, case.figures(state, pictures) | quality_figures(qualities)))
    return Answer(
        "lossy",
        "What if the file is saved again?",
        f"{len(case.pictures):,} released pictures saved anew without chroma subsampling (WebP has "
        "it), after activation; the base holds what came of it. PSNR is against the original.",
        tuple(lines),
    )


def _released_quality(case: Case) -> Figures:
    assert case.active.release is not None
    rows = (case.active.release.rows[n] for n in case.pictures.tolist())
    return quality_figures([row.quality for row in rows if row is not None])


def _save(job: _SavedFile) -> "tuple[Path, Quality] | PictureError":
    """Code a file anew, in a worker process, and measure it against the original."""
    name = hashlib.sha256(os.fsencode(job.file.absolute())).hexdigest()[:32]
    folder = job.folder / f"{job.kind}-{job.quality}"
    path = folder / f"{name}{SUFFIXES[job.kind]}"
    try:
        if not path.is_file():
            image = read_rgb(job.file, limits=job.limits)
            folder.mkdir(parents=True, exist_ok=True)
            options = {"subsampling": 0} if job.kind == "JPEG" else {}
            with staged_beside(path) as staged:
                image.save(staged, job.kind, quality=job.quality, **options)
                staged.replace(path)
        pixels = [np.asarray(read_rgb(each, limits=job.limits)) for each in (job.source, path)]
    except PictureError as error:
        return error
    growth = path.stat().st_size / job.source.stat().st_size
    return path, measure_quality(*pixels, peak=255, bytes_over_source=growth)
