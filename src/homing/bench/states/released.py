"""Released files: each photograph activated once for each method and codebook, and kept.

A file's name is a checksum of its source, and its folder's one of all else that decides it: method,
codebook, descriptor, budget, seed, kind and the code itself. So a run that was interrupted goes on,
and what any of these changes is made anew.
"""

import hashlib
import json
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from homing.activation import Activated, Activator, Method
from homing.bench.context import Run
from homing.bench.encode.definitions import definitions, fields_of
from homing.bench.encode.variants import Task, Whole
from homing.bench.statistics.tables import plain
from homing.codebooks import Codebook
from homing.errors import PictureError
from homing.images import SUFFIXES, FoundPicture, psnr, read_picture, ssim
from homing.options import Activation, Limits

if TYPE_CHECKING:
    from homing.descriptors import Descriptor

Pixels = npt.NDArray[np.integer[Any]]

_FORMAT = 1
# Whose code makes files.
_SOURCES = ("activation", "codebooks", "descriptors", "images")
_PACKAGES = ("pillow", "imagecodecs", "numpy", "torch", "faiss-cpu")
_COMPARED = 16  # files at a time


@dataclass(frozen=True)
class Quality:
    """How far a file is from its source, measured on both as they are on the disk.

    Attributes
    ----------
    psnr : float
        dB; infinite if nothing changed.
    ssim : float or None
        None below seven pixels a side.
    largest : float
        Largest change of a sample, in levels of 255.
    """

    psnr: float
    ssim: float | None
    largest: float


@dataclass(frozen=True)
class Released:
    """One photograph's file.

    Attributes
    ----------
    file : Path
    quality : Quality
    cell_kept : bool
        Whether the file is in the cell that it was activated for.
    """

    file: Path
    quality: Quality
    cell_kept: bool


@dataclass(frozen=True)
class Release:
    """Photographs released by one method for one codebook.

    Attributes
    ----------
    rows : tuple of (Released or None)
        One a photograph, in their order; None where there is no file.
    failures : dict
        From a photograph's name to why it could not be released.
    """

    rows: tuple[Released | None, ...]
    failures: dict[str, str]

    @property
    def files(self) -> tuple[Path | None, ...]:
        """The files, one a photograph."""
        return tuple(None if row is None else row.file for row in self.rows)

    @property
    def released(self) -> tuple[Released, ...]:
        """Those there are."""
        return tuple(row for row in self.rows if row is not None)


@dataclass(frozen=True)
class Releaser:
    """Releases photographs beneath a folder.

    Attributes
    ----------
    folder : Path
        Made if need be.
    descriptor : Descriptor
    run : Run
        Its workers compare files with their sources.
    psnr : float
        Least PSNR of the files, dB.
    format : str or None
        Of the files; None keeps each photograph's own.
    seed : int
    """

    folder: Path
    descriptor: "Descriptor"
    run: Run
    psnr: float = Activation.psnr
    format: str | None = "png"
    seed: int = Activation.seed

    def release(
        self,
        photos: Sequence[FoundPicture],
        method: Method,
        codebook: Codebook,
        title: str,
        *,
        chosen: Sequence[int] | None = None,
        version: str = "",
    ) -> Release:
        """Release photographs, or take them from where they are kept.

        Parameters
        ----------
        photos : sequence of FoundPicture
        method : Method
        codebook : Codebook
            What they are activated for.
        title : str
            Of the progress bar.
        chosen : sequence of int, optional
            Numbers of those to be released; all without it.
        version : str
            Of what else decides the files: a method or a codebook that is not the package's own.

        Returns
        -------
        Release
        """
        activator = Activator(
            self.descriptor,
            codebook,
            method,
            psnr=self.psnr,
            seed=self.seed,
            limits=self.run.limits,
            format=self.format,
        )
        folder = self.folder / self._key(method, codebook, version)
        folder.mkdir(parents=True, exist_ok=True)
        wanted = range(len(photos)) if chosen is None else chosen
        kept = {
            n: _Kept(folder, Task(photos[n].path, photos[n].relative, (Whole(),))) for n in wanted
        }
        missing = [each for each in kept.values() if each.read() is None]
        failures = {}
        with self.run.progress(len(kept), title) as bar:
            bar.by(len(kept) - len(missing))
            for each, outcome in self._outcomes(activator, missing):
                if isinstance(outcome, PictureError):
                    failures[each.task.name] = str(outcome)
                else:
                    each.write(outcome)
                bar.by(1)
        rows = {number: each.read() for number, each in kept.items()}
        return Release(tuple(rows.get(number) for number in range(len(photos))), failures)

    def _outcomes(
        self, activator: Activator, missing: Sequence["_Kept"]
    ) -> Iterator[tuple["_Kept", "PictureError | Released"]]:
        """Activate, write, and have the workers compare what was written."""
        results = zip(missing, activator.run(each.task.path for each in missing), strict=True)
        while some := list(islice(results, _COMPARED)):
            files = [each.publish(r) if isinstance(r, Activated) else None for each, r in some]
            orders = [
                (each.task.path, file, self.run.limits)
                for (each, _), file in zip(some, files, strict=True)
                if file is not None
            ]
            compared = self.run.workers.map(compare_files, orders)
            for (each, result), file in zip(some, files, strict=True):
                if isinstance(result, PictureError):
                    yield each, result
                    continue
                assert file is not None
                quality = next(compared)
                yield (
                    each,
                    (
                        quality
                        if isinstance(quality, PictureError)
                        else Released(file, quality, result.cell_kept)
                    ),
                )

    def _key(self, method: Method, codebook: Codebook, version: str) -> str:
        content = [
            _FORMAT,
            fields_of(replace(method, summary=""), ("homing.activation",)),
            codebook.fingerprint,
            self.descriptor.fingerprint,
            self.psnr,
            self.format,
            self.seed,
            self.run.limits.max_pixels,
            self.run.limits.max_bytes,
            definitions(_SOURCES, _PACKAGES),
            version,
        ]
        return _checksum(content)[:16]


def compare_files(order: tuple[Path, Path, Limits]) -> "Quality | PictureError":
    """Measure a file against its source.

    Parameters
    ----------
    order : tuple
        Source, file, and the most that is decoded.
    """
    source, file, limits = order
    try:
        a, b = (read_picture(path, limits=limits) for path in (source, file))
    except PictureError as error:
        return error
    scale = b.peak // a.peak
    original = a.pixels * scale if scale > 1 else a.pixels
    if original.shape != b.pixels.shape:
        original, _ = np.broadcast_arrays(original, b.pixels)
    return quality_of(original, b.pixels, peak=b.peak)


def quality_of(original: Pixels, written: Pixels, *, peak: int) -> Quality:
    """Measure pixels against those they were made of.

    Parameters
    ----------
    original, written : ndarray, shape (h, w, c), whole numbers in 0..`peak`
    peak : int
    """
    change = np.abs(original.astype(np.int64) - written)
    return Quality(
        psnr(original, written, peak=peak),
        ssim(original, written, peak=peak),
        float(change.max(initial=0)) * 255 / peak,
    )


class _Kept:
    """One photograph's file and what is known of it; it counts once the latter is there."""

    def __init__(self, folder: Path, task: Task) -> None:
        self.task = task
        self._folder = folder
        self._stem = _checksum(task.file_key)
        self._record = folder / f"{self._stem}.json"

    def read(self) -> Released | None:
        try:
            values = json.loads(self._record.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        file = self._folder / values["file"]
        if not file.is_file():
            return None
        psnr = math.inf if values["psnr"] is None else values["psnr"]
        return Released(file, Quality(psnr, values["ssim"], values["largest"]), values["cell_kept"])

    def publish(self, result: Activated) -> Path:
        file = self._folder / f"{self._stem}{SUFFIXES[result.kind]}"
        _replace(file, result.data)
        return file

    def write(self, row: Released) -> None:
        values: dict[str, Any] = {"source": self.task.name, "file": row.file.name}
        values |= {**plain(asdict(row.quality)), "cell_kept": row.cell_kept}
        _replace(self._record, json.dumps(values).encode())


def _replace(path: Path, data: bytes) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_bytes(data)
    part.replace(path)


def _checksum(content: Any) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32]
