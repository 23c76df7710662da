"""Released files: each photograph activated once for each method and codebook, and stored.

A file's name is a checksum of its source, and its folder's name one of all else that decides it:
method, codebook, descriptor, least PSNR, seed, format and the code itself. So an interrupted run
goes on, and a change of any of these makes new files.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homing.activation import Activated, Activator, Method
from homing.bench.cache import checksum, read_json, write_bytes, write_json
from homing.bench.context import Run
from homing.bench.encode.code_checksum import code_checksum, describe_fields
from homing.bench.encode.variants import Task, Whole
from homing.bench.states.quality import Quality, compare_files
from homing.bench.statistics.tables import plain
from homing.codebooks import Codebook
from homing.errors import PictureError
from homing.images import SUFFIXES, FoundPicture
from homing.options import Activation

if TYPE_CHECKING:
    from homing.descriptors import Descriptor

_FORMAT = 3  # of the records
# The code that makes files.
_SOURCES = ("activation", "codebooks", "descriptors", "images")
_PACKAGES = ("pillow", "imagecodecs", "numpy", "torch", "faiss-cpu")
_COMPARED = 16  # files at a time


@dataclass(frozen=True)
class ReleasedFile:
    """The released file of one photograph."""

    file: Path
    quality: Quality
    cell_kept: bool  # the file is in the cell that it was activated for


@dataclass(frozen=True)
class Release:
    """Photographs released by one method for one codebook."""

    rows: tuple[ReleasedFile | None, ...]  # one a photograph; None where there is no file
    failures: dict[str, str]  # why photographs could not be released, by name

    @property
    def paths(self) -> tuple[Path | None, ...]:
        """Paths of the files, one a photograph."""
        return tuple(None if row is None else row.file for row in self.rows)

    @property
    def released(self) -> tuple[ReleasedFile, ...]:
        """The files that exist."""
        return tuple(row for row in self.rows if row is not None)


@dataclass(frozen=True)
class Releaser:
    """Releases photographs beneath a folder."""

    folder: Path  # made if need be
    descriptor: "Descriptor"
    run: Run  # its workers compare files with their sources
    psnr: float = Activation.psnr  # least PSNR of the files, dB
    format: str | None = "png"  # of the files; None: the format of each photograph
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
        """Release photographs, or find their files from an earlier run.

        `chosen` are the numbers of photographs to release (None: all). `version` identifies all
        else that decides the files: a method or a codebook that is not the package's own.
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
        stored = {
            n: _StoredFile(folder, Task(photos[n].path, photos[n].relative, (Whole(),)))
            for n in wanted
        }
        missing = [each for each in stored.values() if each.read() is None]
        failures = {}
        with self.run.progress(len(stored), title) as bar:
            bar.by(len(stored) - len(missing))
            for each, outcome in self._activate(activator, missing):
                if isinstance(outcome, PictureError):
                    failures[each.task.name] = str(outcome)
                else:
                    each.write_record(outcome)
                bar.by(1)
        rows = {number: each.read() for number, each in stored.items()}
        return Release(tuple(rows.get(number) for number in range(len(photos))), failures)

    def _activate(
        self, activator: Activator, missing: Sequence["_StoredFile"]
    ) -> Iterator[tuple["_StoredFile", "PictureError | ReleasedFile"]]:
        """Activate photographs, write the files, and have the workers compare them."""
        results = zip(missing, activator.run(each.task.path for each in missing), strict=True)
        while some := list(islice(results, _COMPARED)):
            files = [each.write(r) if isinstance(r, Activated) else None for each, r in some]
            pairs = [
                (each.task.path, file, self.run.limits)
                for (each, _), file in zip(some, files, strict=True)
                if file is not None
            ]
            compared = self.run.workers.map(compare_files, pairs)
            for (each, result), file in zip(some, files, strict=True):
                if isinstance(result, PictureError):
                    yield each, result
                    continue
                assert file is not None
                quality = next(compared)
                if isinstance(quality, PictureError):
                    yield each, quality
                else:
                    yield each, ReleasedFile(file, quality, result.cell_kept)

    def _key(self, method: Method, codebook: Codebook, version: str) -> str:
        content = [
            _FORMAT,
            describe_fields(replace(method, summary=""), ("homing.activation",)),
            codebook.fingerprint,
            self.descriptor.fingerprint,
            self.psnr,
            self.format,
            self.seed,
            self.run.limits.max_pixels,
            self.run.limits.max_bytes,
            code_checksum(_SOURCES, _PACKAGES),
            version,
        ]
        return checksum(content)[:16]


class _StoredFile:
    """The file of one photograph and its record; the file counts once the record exists."""

    def __init__(self, folder: Path, task: Task) -> None:
        self.task = task
        self._folder = folder
        self._stem = checksum(task.file_key)
        self._record = folder / f"{self._stem}.json"

    def read(self) -> ReleasedFile | None:
        values = read_json(self._record)
        if values is None or not (self._folder / values["file"]).is_file():
            return None
        file, kept = self._folder / values.pop("file"), values.pop("cell_kept")
        del values["source"]
        values["psnr"] = math.inf if values["psnr"] is None else values["psnr"]
        return ReleasedFile(file, Quality(**values), kept)

    def write(self, result: Activated) -> Path:
        file = self._folder / f"{self._stem}{SUFFIXES[result.kind]}"
        write_bytes(file, result.data)
        return file

    def write_record(self, row: ReleasedFile) -> None:
        values: dict[str, Any] = {"source": self.task.name, "file": row.file.name}
        values |= {**plain(asdict(row.quality)), "cell_kept": row.cell_kept}
        write_json(self._record, values)
