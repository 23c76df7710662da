"""What if the publisher saves the released file again, as JPEG or WebP?"""

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from homing.bench.questions.case import Answer, Case, Figures, Line, quality_figures
from homing.bench.states.released import Quality, quality_of
from homing.errors import PictureError
from homing.images import SUFFIXES, read_rgb
from homing.options import Limits

_CODINGS = (("JPEG", 95), ("JPEG", 90), ("JPEG", 75), ("WEBP", 90), ("WEBP", 75))
_NAMES = {"JPEG": "JPEG", "WEBP": "WebP"}


class _Order(NamedTuple):
    source: Path  # of the picture as it was
    file: Path
    kind: str
    quality: int
    folder: Path
    limits: Limits


def ask_lossy(case: Case) -> Answer:
    """Save released files again, index and edit what comes of it."""
    files = case.active.files
    lines = [
        Line("untouched", case.figures(case.passive)),
        Line("as released", case.figures(case.active) | _quality(case)),
    ]
    for kind, quality in _CODINGS:
        chosen = [n for n in case.pictures.tolist() if files[n] is not None]
        orders = (
            _Order(
                case.common.material.plan.photos[n].path,
                files[n] or Path(),
                kind,
                quality,
                case.folder / "saved again",
                case.stage.run.limits,
            )
            for n in chosen
        )
        saved: list[Path | None] = [None] * len(files)
        qualities = []
        name = f"{_NAMES[kind]} {quality}"
        with case.stage.run.progress(len(chosen), f"saving as {name}") as bar:
            for n, found in zip(chosen, case.stage.run.workers.map(_save, orders), strict=True):
                bar.by(1)
                if not isinstance(found, PictureError):
                    saved[n] = found[0]
                    qualities.append(found[1])
        state = case.stage.describer.state(
            case.passive, case.common.material.queries, saved, name, case.quantizer
        )
        pictures = case.there([state])
        lines.append(Line(name, case.figures(state, pictures) | quality_figures(qualities)))
    return Answer(
        "lossy",
        "What if the file is saved again?",
        f"{len(case.pictures):,} released pictures saved anew without chroma subsampling (WebP has "
        "it), after activation; the base holds what came of it. PSNR is against the original.",
        tuple(lines),
    )


def _quality(case: Case) -> Figures:
    assert case.active.release is not None
    rows = (case.active.release.rows[n] for n in case.pictures.tolist())
    return quality_figures([row.quality for row in rows if row is not None])


def _save(order: _Order) -> "tuple[Path, Quality] | PictureError":
    """Code a file anew, in a worker process, and measure it against the original."""
    name = hashlib.sha256(os.fsencode(order.file.absolute())).hexdigest()[:32]
    folder = order.folder / f"{order.kind}-{order.quality}"
    path = folder / f"{name}{SUFFIXES[order.kind]}"
    try:
        if not path.is_file():
            image = read_rgb(order.file, limits=order.limits)
            folder.mkdir(parents=True, exist_ok=True)
            part = path.with_name(f"{path.name}.{os.getpid()}.part")
            options = {"subsampling": 0} if order.kind == "JPEG" else {}
            image.save(part, order.kind, quality=order.quality, **options)
            part.replace(path)
        pixels = [np.asarray(read_rgb(each, limits=order.limits)) for each in (order.source, path)]
    except PictureError as error:
        return error
    return path, quality_of(*pixels, peak=255)
