"""Pictures described or activated by several workers, of this machine or of a Ray cluster.

Each worker has its own descriptor, reads a shard of pictures and returns the results; only the
calling process writes files and rows. A worker that is killed therefore leaves no half file and no
row, and another one does its shard again. A result depends neither on the other pictures nor on the
worker.

A worker on another machine may see another file under the same path, or none. It therefore returns
each file's length, and the calling process compares it with its own file.
"""

import itertools
import os
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

from homing.activation.activator import BATCH as ACTIVATED_TOGETHER
from homing.activation.activator import Activated, Activator
from homing.archive.ingest.describe import BATCH, DescribedInput, describe
from homing.archive.inputs import Input
from homing.archive.settings import ArchiveSettings, check_descriptor, check_same_archive
from homing.archive.table.location import Location
from homing.archive.table.table import Table, open_in_worker
from homing.descriptors import Descriptor, load_descriptor
from homing.descriptors.workers import networks_per_process, share_threads
from homing.errors import DescriptorError, PictureError, UsageError
from homing.images.limits import shown
from homing.options import Limits
from homing.workers.choose import Workforce
from homing.workers.memory import keep_freed_memory
from homing.workers.processes import AHEAD

_ACTIVATED_AHEAD = 2  # shards per worker that wait as whole files in memory, at most
_LARGEST = 16 * BATCH  # pictures of a shard to describe: some seconds' work
_SHARES = 4  # shards to describe per worker, at least, so that all have work to the end

_Item = TypeVar("_Item")
Made = TypeVar("Made")

#: Activates pictures in order; a picture's error stands in its place.
Activate = Callable[[Iterable[Path]], Iterator[Activated | PictureError]]

#: Makes an activator with the descriptor that a process has loaded.
MakeActivator = Callable[[Descriptor], Activator]


def describe_by_workers(
    table: Table,
    settings: ArchiveSettings,
    inputs: Sequence[Input],
    *,
    archive: Location,
    limits: Limits,
    device: str,
    workforce: Workforce,
) -> Iterator[DescribedInput]:
    """Describe inputs by workers, each of which opens the table anew; as :func:`describe`.

    `DescriptorError` at once if workers cannot load the descriptor. The iterator raises
    `UsageError` if several workers die over one shard, or one cannot reach the archive or the
    pictures.
    """
    loadable_descriptor(settings, archive)
    worker = _WorkerSettings(settings, archive, device, workforce.per_machine)
    begin = partial(_begin_describing, worker, table.path, limits)
    shards = _sliced(inputs, _shard_size_described(len(inputs), workforce.count))
    results = _work(begin, shards, workforce, "describe pictures", device=device, ahead=AHEAD)
    return (
        described if fault is None else replace(described, description=None, failed=fault)
        for described, fault in results
    )


def activate_by_workers(
    make: MakeActivator,
    settings: ArchiveSettings,
    *,
    archive: Location,
    device: str,
    workforce: Workforce,
) -> Activate:
    """Return a function that activates pictures by workers; as `Activator.run`.

    Each worker calls `make`, of module level or a partial of one, with its descriptor. Workers need
    not reach `archive`, which is for messages. The function's iterator raises `UsageError` if
    several workers die over the same pictures, or one does not see them.
    """
    worker = _WorkerSettings(settings, archive, device, workforce.per_machine)
    begin = partial(_begin_activating, worker, make)
    size = _shard_size_activated(networks_per_process(workforce.per_machine))

    def activate(sources: Iterable[Path]) -> Iterator[Activated | PictureError]:
        results = _work(
            begin,
            _sliced(sources, size),
            workforce,
            "activate pictures",
            device=device,
            ahead=_ACTIVATED_AHEAD,
        )
        for activated, fault in results:
            yield activated if fault is None else PictureError(fault)

    return activate


def loadable_descriptor(settings: ArchiveSettings, archive: Location) -> Descriptor:
    """Load an archive's descriptor as its workers will, before any is started.

    Its weights are thereby fetched once, and `DescriptorError` comes before any process.
    """
    try:
        descriptor = load_descriptor(settings.descriptor)
        check_descriptor(descriptor, settings, archive)
    except DescriptorError as error:
        raise DescriptorError(
            f"the archive's descriptor cannot be loaded by other processes: {error}"
        ) from error
    return descriptor


def _shard_size_described(inputs: int, workers: int) -> int:
    """Size of a shard to describe: whole batches, smaller if there are few inputs."""
    share = inputs // (_SHARES * workers)
    return min(_LARGEST, max(BATCH, share // BATCH * BATCH))


def _shard_size_activated(networks: int) -> int:
    """Size of a shard for a worker that runs `networks` networks side by side.

    One network takes a batch after the other; of several, some are idle at a shard's end.
    """
    return ACTIVATED_TOGETHER * (1 if networks == 1 else 2 * networks)


def _sliced(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    rest = iter(items)
    return iter(lambda: list(itertools.islice(rest, size)), [])


@dataclass(frozen=True)
class _Shard(Generic[Made]):
    """The results of one worker for some files, one per file."""

    machine: str
    paths: list[Path]
    made: list[Made]
    lengths: list[int | None]  # bytes of each file as the worker sees it; None if it sees none

    @classmethod
    def of(cls, paths: list[Path], make: Callable[[], Iterable[Made]]) -> "_Shard[Made]":
        """Make the results in a worker."""
        lengths = [_length(path) for path in paths]  # before the files are read
        return cls(socket.gethostname(), paths, list(make()), lengths)

    def checked(self) -> Iterator[tuple[Made, str | None]]:
        """Yield each result, and None or why it is of another file than the one here."""
        for path, made, length in zip(self.paths, self.made, self.lengths, strict=True):
            yield made, _difference(path, length, self.machine)


def _length(path: Path) -> int | None:
    """Bytes of a file; None if it is missing."""
    try:
        return path.stat().st_size
    except OSError:
        return None


def _difference(path: Path, length: int | None, machine: str) -> str | None:
    """Return how a worker's file differs from the one here, or None; length is the worker's.

    `UsageError` if the worker sees no file and one is here.
    """
    here = _length(path)
    if length == here:
        return None
    if length is None:
        raise UsageError(
            f"the worker on {machine} does not see {shown(path)}, which is here; put the pictures "
            "where all machines see them under the same path, as on a shared file system"
        )
    return f"the worker on {machine} sees a file of {length} bytes, and here are {here or 'none'}"


def _work(
    begin: Callable[[], Callable[[list[_Item]], _Shard[Made]]],
    shards: Iterator[list[_Item]],
    workforce: Workforce,
    doing: str,
    *,
    device: str,
    ahead: int,
) -> Iterator[tuple[Made, str | None]]:
    """Have workers do shards; yield the checked results in order."""
    with workforce.hire(begin, doing, device=device) as workers:
        for shard in workers.in_order(shards, ahead=ahead):
            yield from shard.checked()


@dataclass(frozen=True)
class _WorkerSettings:
    """Settings by which a worker loads the archive's descriptor."""

    settings: ArchiveSettings
    archive: Location
    device: str
    per_machine: int  # workers that share the processors of a machine

    def load_descriptor(self) -> Descriptor:
        """Load it, and take the worker's share of the processors."""
        keep_freed_memory()
        share_threads(self.per_machine)
        descriptor = load_descriptor(self.settings.descriptor, device=self.device)
        check_descriptor(descriptor, self.settings, self.archive)
        return descriptor


def _begin_describing(
    worker: _WorkerSettings, place: Location, limits: Limits
) -> Callable[[list[Input]], _Shard[DescribedInput]]:
    """Prepare a worker; return the function that describes a shard. `place` is the table's."""
    check_same_archive(worker.archive, worker.settings)
    table = open_in_worker(place)
    descriptor = worker.load_descriptor()
    readers = max(1, (os.cpu_count() or 1) // worker.per_machine)

    def describe_shard(shard: list[Input]) -> _Shard[DescribedInput]:
        table.refresh()
        make = partial(
            describe,
            table,
            descriptor,
            shard,
            archive=worker.archive,
            limits=limits,
            preview=worker.settings.previews,
        )
        return _Shard.of([item.path for item in shard], partial(make, readers=readers))

    return describe_shard


def _begin_activating(
    worker: _WorkerSettings, make: MakeActivator
) -> Callable[[list[Path]], _Shard[Activated | PictureError]]:
    """Prepare a worker; return the function that activates a shard."""
    activator = make(worker.load_descriptor())
    return lambda shard: _Shard.of(shard, partial(activator.run, shard))
