"""Pictures described by several workers, of this machine or others, shard by shard.

Each worker has the descriptor for itself, reads its shard, and hands back what it has seen; only
the process that was asked to add writes to the record. One that is killed has therefore neither
doubled nor lost a row: its shard is described again.
"""

import itertools
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from homing.archive.ingest.describe import BATCH, Described, describe
from homing.archive.ingest.worker import (
    length_of,
    loadable_descriptor,
    otherwise_seen,
    worker_descriptor,
)
from homing.archive.inputs import Input
from homing.archive.settings import ArchiveSettings, check_same_archive
from homing.archive.table.location import Location
from homing.archive.table.table import Table, open_in_worker
from homing.options import Limits
from homing.workers.choose import Workforce

_LARGEST = 16 * BATCH  # pictures of a shard: some seconds' work
_SHARES = 4  # shards for each worker, at least, so that all have work to the end


def describe_by_workers(
    table: Table,
    settings: ArchiveSettings,
    inputs: Sequence[Input],
    *,
    archive: Location,
    limits: Limits,
    device: str,
    workforce: Workforce,
) -> Iterator[Described]:
    """Describe those of the inputs that are not in the record, in the order given.

    Parameters
    ----------
    table : Table
        Each worker opens it anew.
    settings : ArchiveSettings
        Of the archive; they name the descriptor, which each worker loads.
    inputs : sequence of Input
    archive : Location
    limits : Limits
    device : str
        Where the descriptor runs.
    workforce : Workforce
        Those of a machine share its processors.

    Raises
    ------
    DescriptorError
        The descriptor cannot be loaded by what the settings say of it.
    UsageError
        Several workers have died over one shard, or one cannot reach the archive or the pictures;
        raised by the iterator.
    """
    loadable_descriptor(settings, archive)
    begin = partial(_begin, table.path, settings, archive, limits, device, workforce.per_machine)
    return _described(begin, _shards(inputs, workforce.count), workforce, device)


@dataclass(frozen=True)
class _Shard:
    """What a worker has seen, and on which machine; of each picture the length of its file."""

    machine: str
    described: list[Described]
    lengths: list[int | None]


def _described(
    begin: Callable[[], Callable[[list[Input]], _Shard]],
    shards: Iterator[list[Input]],
    workforce: Workforce,
    device: str,
) -> Iterator[Described]:
    with workforce.hire(begin, "describe pictures", device=device) as workers:
        for shard in workers.in_order(shards):
            for entry, length in zip(shard.described, shard.lengths, strict=True):
                yield _as_seen_here(entry, length, shard.machine)


def _as_seen_here(entry: Described, length: int | None, machine: str) -> Described:
    """Refuse what a worker has seen of a file that is not the one here."""
    reason = otherwise_seen(entry.planned.item.path, length, machine)
    return entry if reason is None else replace(entry, seen=None, failed=reason)


def _shards(inputs: Sequence[Input], workers: int) -> Iterator[list[Input]]:
    """Whole batches of inputs: few to a shard where there are few, since many cost less."""
    share = len(inputs) // (_SHARES * workers)
    size = min(_LARGEST, max(BATCH, share // BATCH * BATCH))
    rest = iter(inputs)
    while shard := list(itertools.islice(rest, size)):
        yield shard


def _begin(
    place: Location,
    settings: ArchiveSettings,
    archive: Location,
    limits: Limits,
    device: str,
    neighbours: int,
) -> Callable[[list[Input]], _Shard]:
    """Make a worker ready, one of so many of its machine; returns what describes a shard."""
    check_same_archive(archive, settings)
    table = open_in_worker(place)
    descriptor = worker_descriptor(settings, archive, device, neighbours)
    readers = max(1, (os.cpu_count() or 1) // neighbours)

    def described(shard: list[Input]) -> _Shard:
        table.refresh()
        lengths = [length_of(item.path) for item in shard]
        found = describe(table, descriptor, shard, archive=archive, limits=limits, readers=readers)
        return _Shard(socket.gethostname(), list(found), lengths)

    return described
