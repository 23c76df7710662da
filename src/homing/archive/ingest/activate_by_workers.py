"""Pictures activated by several workers, of this machine or others, a few batches at a time.

Each worker has the descriptor for itself, reads its pictures, and hands back the finished files'
bytes; only the process that was asked to release writes files and records them. A worker that is
killed has therefore left no half file and no row: what it had in hand is activated again. What is
made of a picture depends neither on its companions nor on who makes it.
"""

import itertools
import socket
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from homing.activation import Activated, Activator
from homing.activation.activator import BATCH
from homing.archive.ingest.worker import length_of, otherwise_seen, worker_descriptor
from homing.archive.settings import ArchiveSettings
from homing.archive.table.location import Location
from homing.descriptors import Descriptor
from homing.descriptors.workers import networks_per_process
from homing.errors import PictureError
from homing.workers.choose import Workforce

#: Activates pictures in their order; a bad one gives its error in its place.
Activate = Callable[[Iterable[Path]], Iterator[Activated | PictureError]]

#: Puts an activator together from the descriptor that a process has loaded.
MakeActivator = Callable[[Descriptor], Activator]

_AHEAD = 2  # shards for each worker that wait as whole files in memory, at most


def activate_by_workers(
    make: MakeActivator,
    settings: ArchiveSettings,
    *,
    archive: Location,
    device: str,
    workforce: Workforce,
) -> Activate:
    """Have pictures activated by workers; as :meth:`homing.activation.Activator.run`.

    Parameters
    ----------
    make : callable
        Called in each worker, with its descriptor. Of module level, or a partial of one.
    settings : ArchiveSettings
        Of the archive; they name the descriptor.
    archive : Location
        For messages: workers need not reach it.
    device : str
        Where the descriptor runs.
    workforce : Workforce
        Those of a machine share its processors.

    Raises
    ------
    UsageError
        Several workers have died over the same pictures, or one does not see them; raised by the
        iterator.
    """
    begin = partial(_begin, make, settings, archive, device, workforce.per_machine)
    size = _shard_size(networks_per_process(workforce.per_machine))

    def activate(sources: Iterable[Path]) -> Iterator[Activated | PictureError]:
        rest = iter(sources)
        shards = iter(lambda: list(itertools.islice(rest, size)), [])
        with workforce.hire(begin, "activate pictures", device=device) as workers:
            for shard in workers.in_order(shards, ahead=_AHEAD):
                yield from shard.as_seen_here()

    return activate


def _shard_size(networks: int) -> int:
    """Pictures for a worker that runs so many networks beside each other.

    One takes a batch after the other; of several, some have none left at a shard's end.
    """
    return BATCH * (1 if networks == 1 else 2 * networks)


@dataclass(frozen=True)
class _Shard:
    """What a worker has made, and on which machine; of each picture the length of its file."""

    machine: str
    paths: list[Path]
    made: list[Activated | PictureError]
    lengths: list[int | None]

    def as_seen_here(self) -> Iterator[Activated | PictureError]:
        """Refuse what was made of a file that is not the one here."""
        for path, made, length in zip(self.paths, self.made, self.lengths, strict=True):
            reason = otherwise_seen(path, length, self.machine)
            yield made if reason is None else PictureError(reason)


def _begin(
    make: MakeActivator, settings: ArchiveSettings, archive: Location, device: str, neighbours: int
) -> Callable[[list[Path]], _Shard]:
    """Make a worker ready, one of so many of its machine; returns what activates a shard."""
    activator = make(worker_descriptor(settings, archive, device, neighbours))

    def activated(shard: list[Path]) -> _Shard:
        lengths = [length_of(path) for path in shard]
        return _Shard(socket.gethostname(), shard, list(activator.run(shard)), lengths)

    return activated
