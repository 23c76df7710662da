"""Archives and queries of `finding.py`: made once, stored in files, resumed after a break."""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
from _common import require
from _rows import rows_of
from numpy.typing import NDArray
from PIL import Image

import homing
from homing.archive.query.calibration import (
    Strangers,
    calibrate_on_pictures,
    describe_strangers,
    write_calibration,
)
from homing.archive.query.originals import Sources
from homing.archive.query.queries import DescribedQuery
from homing.archive.table.commit import commit_rows
from homing.bench.context import Run
from homing.bench.dataset.base import Base, Plan, make_base, make_plan
from homing.bench.encode.definitions import definitions
from homing.bench.encode.describe import encode
from homing.bench.encode.encoders import descriptor_encoder
from homing.bench.encode.variants import Crop, cropped
from homing.bench.settings import Sizes
from homing.bench.workers import Workers
from homing.edits import Edit
from homing.errors import PictureError
from homing.images import FoundPicture, find_pictures, read_rgb
from homing.options import DEFAULT_LIMITS
from homing.search.false_alarms import LEAST_BACKGROUND
from homing.search.views import query_views

_ROWS = 8192  # entries recorded together
_CHUNK = 50  # queries that are kept in one file
_EDITED = 8  # what a seed is for

Arrays = dict[str, NDArray]


@dataclass(frozen=True)
class State:
    """An archive, and the files whose copies are searched for in it.

    Attributes
    ----------
    archive : homing.Archive
    ids : tuple of str
    files : tuple of Path
    """

    archive: homing.Archive
    ids: tuple[str, ...]
    files: tuple[Path, ...]


@dataclass(frozen=True)
class Query:
    """A copy to be searched for: a file under an edit.

    Attributes
    ----------
    path : Path
    edit : Edit
    seed : tuple of int
    wanted : str
        Id of the entry that it is a copy of; empty where there is none.
    """

    path: Path
    edit: Edit
    seed: tuple[int, ...]
    wanted: str = ""

    def picture(self) -> Image.Image:
        """Make the copy."""
        return self.edit.apply(read_rgb(self.path), np.random.default_rng(self.seed))


def kept(path: Path, make: Callable[[], Arrays]) -> Arrays:
    """Read the arrays of a file; compute and write them first if it is missing."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.part")
        with part.open("wb") as file:
            np.savez(file, **make())
        part.replace(path)
    with np.load(path, allow_pickle=False) as found:
        return dict(found)


def known_by(*parts: object, sources: Sequence[str]) -> str:
    """Return a cache name for results made from these values by that part of our code."""
    code = definitions(tuple(sources), ("pillow", "numpy", "torch"))
    return hashlib.sha256(repr((code, *parts)).encode()).hexdigest()[:12]


def make_states(
    photos: Sequence[FoundPicture], options, workers: Workers, folder: Path
) -> dict[str, State]:
    """Make an archive with the photos as they are, and one with the photos released.

    Parameters
    ----------
    photos : sequence of FoundPicture
    options : argparse.Namespace
        With `background`, `base_size`, `codebook`, `method`, `psnr` and `seed`.
    workers : Workers
    folder : Path
        For the archives and all that is kept.
    """
    base = make_base(_plan(photos, options), options.seed)
    _record_base(base, len(photos), options.codebook, workers, folder)
    files = _files(base, folder / "crops")
    paths = [found.path for found in photos]

    passive = _opened(folder, "passive")
    added = passive.add(paths)
    require(not added.failures, f"not all were added: {added}")
    files |= {outcome.id: partial(Path, outcome.source) for outcome in added}
    active = _opened(folder, options.method)
    released = active.release(
        paths,
        out=folder / f"{options.method}-out",
        psnr=options.psnr,
        method=options.method,
        seed=options.seed,
    )
    require(not released.failures, f"not all were released: {released}")
    written = {row.id: active.path / row.file for row in active.entries() if row.file}
    places = {"passive": None, options.method: written}
    found = {}
    for (name, outside), archive, report in zip(
        places.items(), (passive, active), (added, released), strict=True
    ):
        ids = tuple(outcome.id for outcome in report)
        mine = tuple(files[i]() if outside is None else outside[i] for i in ids)
        known = files | {i: partial(Path, path) for i, path in zip(ids, mine, strict=True)}
        archive.sources = partial(_Places, archive._table, archive.path, known=known)
        found[name] = State(archive, ids, mine)
    return found


def calibrated(
    states: Mapping[str, State], photos: Sequence[FoundPicture], options, folder: Path
) -> dict[str, State]:
    """The same archives, but calibrated on pictures that match nothing: background out of the base.

    Parameters
    ----------
    states : mapping of str to State
        See :func:`make_states`, with the other parameters.

    Returns
    -------
    dict of str to State
        Nothing if there are too few of these pictures.
    """
    strangers = [found.path for found in _plan(photos, options).unmatched]
    if len(strangers) < LEAST_BACKGROUND:
        return {}
    looked: list[Strangers] = []
    found = {}
    for name, state in states.items():
        target, building = folder / f"{name}-calibrated", folder / f"{name}-calibrated-unfinished"
        if not target.exists():
            if not looked:
                looked.append(
                    describe_strangers(state.archive.descriptor, strangers, DEFAULT_LIMITS)
                )
            shutil.rmtree(building, ignore_errors=True)
            shutil.copytree(state.archive.path, building)
            archive = homing.open(building)
            made = archive._current.run(partial(calibrate_on_pictures, strangers=looked[0]))
            write_calibration(archive.path, archive.settings, made)
            building.rename(target)
        found[name] = replace(state, archive=homing.open(target))
    return found


def _plan(photos: Sequence[FoundPicture], options) -> Plan:
    background = list(find_pictures([options.background]))
    return make_plan(photos, background, Sizes(base_size=options.base_size, seed=options.seed))


def _record_base(base: Base, first: int, codebook: str, workers: Workers, folder: Path) -> None:
    """Make the archive of the distractors: photographs and crops of them."""
    target, building = folder / "base", folder / "base-unfinished"
    if target.exists():
        return
    shutil.rmtree(building, ignore_errors=True)
    archive = homing.create(building, codebook=codebook)
    tasks = base.tasks[first:]
    encoder = descriptor_encoder(archive.descriptor)
    encoded = encode(tasks, [encoder], Run(workers, folder / "cache", _progress), "base")
    require(bool(encoded.made.all()), "a background picture cannot be read")
    vectors = encoded.rows[encoder.name]
    for start in range(0, len(vectors), _ROWS):
        rows = range(start, min(start + _ROWS, len(vectors)))
        names = [base.name(first + row) for row in rows]
        entries = rows_of(archive.codebook, archive._table.schema, names, vectors[rows])
        taken = commit_rows(archive._table, pa.Table.from_batches([entries]))
        require(not taken, "an id is taken")
    building.rename(target)


def _opened(folder: Path, name: str) -> homing.Archive:
    """Open a copy of the base; made whole or not at all."""
    target, building = folder / name, folder / f"{name}-unfinished"
    if not target.exists():
        shutil.rmtree(building, ignore_errors=True)
        shutil.copytree(folder / "base", building)
        building.rename(target)
    return homing.open(target)


def _files(base: Base, crops: Path) -> dict[str, Callable[[], Path]]:
    """Files of the base's pictures; crops are written when they are needed."""
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
        cropped(read_rgb(path), crop).save(part, format="png", compress_level=1)
        part.replace(target)
    return target


@dataclass(frozen=True)
class _Places(Sources):
    """Pictures of the entries, those of the base too, which was recorded without files."""

    known: Mapping[str, Callable[[], Path]] = None

    def find(self, id: str) -> Path | str:  # noqa: A002 - as the method it stands for
        return self.known[id]()


def queries_of(
    files: Sequence[Path], ids: Sequence[str], edit: Edit, place: int, seed: int
) -> list[list[Query]]:
    """Copies of files under an edit, in chunks that are stored together."""
    made = iter(
        Query(path, edit, (seed, _EDITED, place, number), wanted)
        for number, (path, wanted) in enumerate(zip(files, ids, strict=True))
    )
    return list(iter(lambda: list(islice(made, _CHUNK)), []))


def looked_at(
    chunk: Sequence[Query], path: Path, descriptor, workers: Workers
) -> list[DescribedQuery | None]:
    """All views of queries, described; None of one that cannot be made."""

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

    arrays = kept(path, make)
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
def _progress(total: int, title: str) -> Iterator["_Bar"]:
    yield _Bar(total, title)


class _Bar:
    def __init__(self, total: int, title: str) -> None:
        self._total, self._title, self._done, self._said = total, title, 0, 0

    def by(self, count: int) -> None:
        self._done += count
        if self._done >= self._said + self._total / 20:
            self._said = self._done
            print(f"{self._title}: {self._done} of {self._total}", flush=True)
