"""Archives and queries of `finding.py`, stored in files so that an interrupted run resumes."""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
from _common import require
from _rows import make_rows
from numpy.typing import NDArray
from PIL import Image

import homing
from homing.archive.query.calibrate import Strangers, calibrate, describe_strangers
from homing.archive.query.calibration import write_calibration
from homing.archive.query.originals import Places, Sources
from homing.archive.query.queries import DescribedQuery
from homing.archive.table.commit import commit_rows
from homing.bench.context import ProcessPool, Run
from homing.bench.dataset.base import Base, Plan, make_base, make_plan
from homing.bench.encode.code_checksum import code_checksum
from homing.bench.encode.encoders import descriptor_encoder
from homing.bench.encode.pipeline import encode
from homing.bench.encode.variants import Crop, crop_image
from homing.bench.settings import Sizes
from homing.edits import Edit
from homing.errors import PictureError
from homing.images import FoundPicture, find_pictures, read_rgb
from homing.options import DEFAULT_LIMITS
from homing.search.false_alarms import LEAST_BACKGROUND
from homing.search.views import query_views

_ROWS = 8192  # entries per commit
_CHUNK = 50  # queries per stored file
_EDIT_STREAM = 8  # part of a seed: the random stream of query edits

Arrays = dict[str, NDArray]
_Files = dict[str, Callable[[], Path]]


@dataclass(frozen=True)
class State:
    """An archive, and the files whose copies are searched for in it."""

    archive: homing.Archive
    ids: tuple[str, ...]
    files: tuple[Path, ...]


@dataclass(frozen=True)
class Query:
    """A copy to search for: a file under an edit."""

    path: Path
    edit: Edit
    seed: tuple[int, ...]
    wanted: str = ""  # id of the entry that it is a copy of; empty if there is none

    def picture(self) -> Image.Image:
        """Make the copy."""
        return self.edit.apply(read_rgb(self.path), np.random.default_rng(self.seed))


def load_or_make(path: Path, make: Callable[[], Arrays]) -> Arrays:
    """Read the arrays of a file; compute and write them first if it is missing."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.part")
        with part.open("wb") as file:
            np.savez(file, **make())
        part.replace(path)
    with np.load(path, allow_pickle=False) as found:
        return dict(found)


def cache_key(*parts: object, sources: Sequence[str]) -> str:
    """Return a cache name for results made from these values by the code of `sources`."""
    code = code_checksum(tuple(sources), ("pillow", "numpy", "torch"))
    return hashlib.sha256(repr((code, *parts)).encode()).hexdigest()[:12]


def make_states(
    photos: Sequence[FoundPicture], options, workers: ProcessPool, folder: Path
) -> dict[str, State]:
    """Make an archive with the unmodified photos, and one with the released photos.

    `options` has `background`, `base_size`, `codebook`, `method`, `psnr` and `seed`. Archives and
    caches are written to `folder`.
    """
    passive = make_passive(photos, options, workers, folder)
    files, paths = passive.archive.sources().files, list(passive.files)
    active = _open_copy(folder, options.method)
    released = active.release(
        paths,
        out=folder / f"{options.method}-out",
        psnr=options.psnr,
        method=options.method,
        seed=options.seed,
    )
    require(not released.failures, f"not all were released: {released}")
    written = {row.id: active.path / row.file for row in active.entries() if row.file}
    ids = tuple(outcome.id for outcome in released)
    outside = tuple(written[name] for name in ids)
    return {"passive": passive, options.method: _state(active, ids, outside, files)}


def make_passive(
    photos: Sequence[FoundPicture], options, workers: ProcessPool, folder: Path
) -> State:
    """Make the archive of the distractors with the unmodified photos, as :func:`make_states`."""
    base = make_base(_plan(photos, options), options.seed)
    _record_base(base, len(photos), options.codebook, workers, folder)
    archive = _open_copy(folder, "passive")
    added = archive.add([found.path for found in photos])
    require(not added.failures, f"not all were added: {added}")
    ids = tuple(outcome.id for outcome in added)
    paths = tuple(Path(outcome.source) for outcome in added)
    return _state(archive, ids, paths, _files(base, folder / "crops"))


def _state(archive, ids: tuple[str, ...], paths: tuple[Path, ...], files: "_Files") -> State:
    files = files | {name: partial(Path, path) for name, path in zip(ids, paths, strict=True)}
    archive.sources = partial(_known_sources, archive, files)
    return State(archive, ids, paths)


def _known_sources(archive, files: "_Files", _folders: Sequence[Path] = ()) -> "_KnownSources":
    return _KnownSources(archive._table, archive.path, files=files)


def calibrate_states(
    states: Mapping[str, State], photos: Sequence[FoundPicture], options, folder: Path
) -> dict[str, State]:
    """Copy the archives, and calibrate the copies on background pictures outside the base.

    These pictures match no entry. Returns no states if there are too few of them.
    """
    strangers = [found.path for found in _plan(photos, options).unmatched]
    if len(strangers) < LEAST_BACKGROUND:
        return {}
    described: list[Strangers] = []  # at most one, made when first needed
    found = {}
    for name, state in states.items():
        target, building = folder / f"{name}-calibrated", folder / f"{name}-calibrated-unfinished"
        if not target.exists():
            if not described:
                described.append(
                    describe_strangers(state.archive.descriptor, strangers, DEFAULT_LIMITS)
                )
            shutil.rmtree(building, ignore_errors=True)
            shutil.copytree(state.archive.path, building)
            archive = homing.open(building)
            rest = {"settings": archive.settings, "previews": archive.preview_store}
            made = archive._current.run(partial(calibrate, strangers=described[0], **rest))
            write_calibration(archive.path, archive.settings, made)
            building.rename(target)
        found[name] = replace(state, archive=homing.open(target))
    return found


def _plan(photos: Sequence[FoundPicture], options) -> Plan:
    background = list(find_pictures([options.background]))
    return make_plan(photos, background, Sizes(base_size=options.base_size, seed=options.seed))


def _record_base(base: Base, first: int, codebook: str, workers: ProcessPool, folder: Path) -> None:
    """Make the archive of the distractors: photographs and their crops."""
    target, building = folder / "base", folder / "base-unfinished"
    if target.exists():
        return
    shutil.rmtree(building, ignore_errors=True)
    archive = homing.create(building, codebook=codebook)
    tasks = base.tasks[first:]
    encoder = descriptor_encoder(archive.descriptor)
    encoded = encode(tasks, [encoder], Run(workers, folder / "cache", _show_progress), "base")
    require(bool(encoded.made.all()), "a background picture cannot be read")
    vectors = encoded.rows[encoder.name]
    for start in range(0, len(vectors), _ROWS):
        rows = range(start, min(start + _ROWS, len(vectors)))
        names = [base.name(first + row) for row in rows]
        entries = make_rows(archive.codebook, archive._table.schema, names, vectors[rows])
        duplicates = commit_rows(archive._table, pa.Table.from_batches([entries]))
        require(not duplicates, "an id exists already")
    building.rename(target)


def _open_copy(folder: Path, name: str) -> homing.Archive:
    """Open a copy of the base archive; an incomplete copy is replaced."""
    target, building = folder / name, folder / f"{name}-unfinished"
    if not target.exists():
        shutil.rmtree(building, ignore_errors=True)
        shutil.copytree(folder / "base", building)
        building.rename(target)
    return homing.open(target)


def _files(base: Base, crops: Path) -> dict[str, Callable[[], Path]]:
    """Map ids of the base's pictures to functions that return their file; these write crops."""
    found: dict[str, Callable[[], Path]] = {}
    for row in range(len(base.owner)):
        task, recipe = base.made_by(row)
        if isinstance(recipe, Crop):
            name = hashlib.sha256(base.name(row).encode()).hexdigest()
            found[base.name(row)] = partial(_crop, task.path, recipe, crops / f"{name}.png")
        else:
            found[base.name(row)] = partial(Path, task.path)
    return found


def _crop(path: Path, crop: Crop, target: Path) -> Path:
    if not target.exists():
        target.parent.mkdir(exist_ok=True)
        part = target.with_suffix(f".{os.getpid()}.part")
        crop_image(read_rgb(path), crop).save(part, format="png", compress_level=1)
        part.replace(target)
    return target


@dataclass(frozen=True)
class _KnownSources(Sources):
    """Finder of entries' pictures that also knows the base, which was recorded without files."""

    files: Mapping[str, Callable[[], Path]] = None

    def find(self, id: str) -> Path | str:  # noqa: A002 - as in the base class
        return self.files[id]()

    def places(self, ids: Iterable[str]) -> Places:
        return Places({name: self.files[name]() for name in ids})


def make_queries(
    files: Sequence[Path], ids: Sequence[str], edit: Edit, place: int, seed: int
) -> list[list[Query]]:
    """Make the queries of files under an edit, in chunks that are stored together."""
    made = iter(
        Query(path, edit, (seed, _EDIT_STREAM, place, number), wanted)
        for number, (path, wanted) in enumerate(zip(files, ids, strict=True))
    )
    return list(iter(lambda: list(islice(made, _CHUNK)), []))


def describe_chunk(
    chunk: Sequence[Query], path: Path, descriptor, workers: ProcessPool
) -> list[DescribedQuery | None]:
    """Describe all views of queries, or load them from `path`; None for a failed edit."""

    def make() -> Arrays:
        views = list(workers.map(partial(_views, size=descriptor.input_size), chunk))
        squares = [pixels for _, pixels in views if len(pixels)]
        vectors = np.empty((0, descriptor.dimension), np.float32)
        if squares:
            vectors = descriptor.describe_squashed(np.concatenate(squares), pad=True)
        return {
            "names": np.array([name for names, _ in views for name in names], dtype=str),
            "counts": np.array([len(names) for names, _ in views]),
            "vectors": vectors,
        }

    arrays = load_or_make(path, make)
    ends = np.cumsum(arrays["counts"]).tolist()
    names = arrays["names"].tolist()
    return [
        DescribedQuery(tuple(names[end - count : end]), arrays["vectors"][end - count : end])
        if count
        else None
        for end, count in zip(ends, arrays["counts"].tolist(), strict=True)
    ]


def _views(query: Query, size: int) -> tuple[list[str], NDArray[np.uint8]]:
    try:
        found = query_views(query.picture(), size, "all", limits=DEFAULT_LIMITS)
    except PictureError:  # too small for the edit
        return [], np.empty((0, size, size, 3), np.uint8)
    return [view.name for view in found], np.stack([view.pixels for view in found])


@contextlib.contextmanager
def _show_progress(total: int, title: str) -> Iterator["_Progress"]:
    yield _Progress(total, title)


class _Progress:
    def __init__(self, total: int, title: str) -> None:
        self._total, self._title, self._done, self._printed = total, title, 0, 0

    def by(self, count: int) -> None:
        self._done += count
        if self._done >= self._printed + self._total / 20:
            self._printed = self._done
            print(f"{self._title}: {self._done} of {self._total}", flush=True)
