"""Pictures described by several processes of this machine, shard by shard.

Each process has the descriptor for itself, reads its shard, and hands back what it has seen; only
the process that was asked to add writes to the record. One that is killed has therefore neither
doubled nor lost a row: its shard is described again.
"""

import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from homing.allocator import keep_freed_memory
from homing.archive.describing import BATCH, Described, describe
from homing.archive.manifest import Input
from homing.archive.record import Record
from homing.archive.settings import ArchiveSettings, check_descriptor
from homing.archive.stores import Place
from homing.descriptors import load_descriptor
from homing.descriptors.workers import share_threads
from homing.errors import DescriptorError
from homing.images import Limits
from homing.processes import Workers

__all__ = ["describe_by_workers"]

_LARGEST = 16 * BATCH  # pictures of a shard: some seconds' work
_SHARES = 4  # shards for each process, at least, so that all have work to the end


def describe_by_workers(
    record: Record,
    settings: ArchiveSettings,
    inputs: Sequence[Input],
    *,
    archive: Place,
    limits: Limits,
    device: str,
    workers: int,
) -> Iterator[Described]:
    """Describe those of the inputs that are not in the record, in the order given.

    Parameters
    ----------
    record : Record
        Each process opens it anew.
    settings : ArchiveSettings
        Of the archive; they name the descriptor, which each process loads.
    inputs : sequence of Input
    archive : Place
    limits : Limits
    device : str
        Where the descriptor runs.
    workers : int
        Processes; they share this machine's processors.

    Raises
    ------
    DescriptorError
        The descriptor cannot be loaded by what the settings say of it.
    UsageError
        Several processes have died over one shard; raised by the iterator.
    """
    try:
        # Here first, so that weights are fetched once, and an error comes before any process does.
        check_descriptor(load_descriptor(settings.descriptor), settings, archive)
    except DescriptorError as error:
        raise DescriptorError(
            f"the archive's descriptor cannot be loaded by other processes: {error}"
        ) from error
    begin = partial(_begin, record.path, settings, archive, limits, device, workers)
    return _described(begin, _shards(inputs, workers), workers)


def _described(
    begin: Callable[[], Callable[[list[Input]], list[Described]]],
    shards: Iterator[list[Input]],
    workers: int,
) -> Iterator[Described]:
    with Workers(begin, workers, "describe pictures") as processes:
        for shard in processes.in_order(shards):
            yield from shard


def _shards(inputs: Sequence[Input], workers: int) -> Iterator[list[Input]]:
    """Whole batches of inputs: few to a shard where there are few, since many cost less."""
    share = len(inputs) // (_SHARES * workers)
    size = min(_LARGEST, max(BATCH, share // BATCH * BATCH))
    rest = iter(inputs)
    while shard := list(itertools.islice(rest, size)):
        yield shard


def _begin(
    place: Place,
    settings: ArchiveSettings,
    archive: Place,
    limits: Limits,
    device: str,
    workers: int,
) -> Callable[[list[Input]], list[Described]]:
    """Make a process ready; returns what describes a shard."""
    keep_freed_memory()
    share_threads(workers)
    record = Record.open(place)
    descriptor = load_descriptor(settings.descriptor, device=device)
    check_descriptor(descriptor, settings, archive)
    readers = max(1, (os.cpu_count() or 1) // workers)

    def described(shard: list[Input]) -> list[Described]:
        record.refresh()
        found = describe(record, descriptor, shard, archive=archive, limits=limits, readers=readers)
        return list(found)

    return described
