"""From tasks to vectors: processes edit while threads describe, and all rows are cached.

An interrupted run, or one with another descriptor, makes only the missing rows; see
:mod:`homing.bench.encode.shards`.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

from homing.bench.context import Bar, Run
from homing.bench.encode.encoders import Encoder
from homing.bench.encode.rows import EncodedRows, concatenate_rows
from homing.bench.encode.shards import Shard
from homing.bench.encode.variants import EncoderInput, Task, Variants, make_variants
from homing.options import Limits

_SHARD = 64  # tasks
_MOST = 64  # variants that a process makes of a file before it returns them


def encode(tasks: Sequence[Task], encoders: Sequence[Encoder], run: Run, title: str) -> EncodedRows:
    """Make all variants of all tasks and encode them.

    Rows are in the order of the tasks and of their recipes. Encoders have different names.
    """
    run.cache.mkdir(parents=True, exist_ok=True)
    with _encoding_threads(encoders) as pool:
        shards = [
            Shard(tuple(tasks[first : first + _SHARD]), encoders, run.cache, run.limits, pool)
            for first in range(0, len(tasks), _SHARD)
        ]
        missing = [shard for shard in shards if shard.missing]
        with run.progress(sum(shard.count for shard in shards), title) as bar:
            bar.by(sum(shard.count for shard in shards if not shard.missing))
            waiting: deque[Shard] = deque()
            try:
                for shard in _fill(missing, run, bar):
                    waiting.append(shard)  # its last squares are described while the next is made
                    if len(waiting) > 1:
                        waiting.popleft().finish()
            finally:  # interrupted, too
                while waiting:
                    waiting.popleft().finish()
    return concatenate_rows([shard.read() for shard in shards], encoders)


@contextmanager
def _encoding_threads(encoders: Sequence[Encoder]) -> Iterator[Executor]:
    """Give the threads that encode: several networks at a time if there is a descriptor."""
    if not any(encoder.descriptor for encoder in encoders):
        with ThreadPoolExecutor(1) as pool:
            yield pool
        return
    from homing.descriptors.workers import network_pool

    with network_pool() as (pool, _):
        yield pool


def _fill(shards: Sequence[Shard], run: Run, bar: Bar) -> Iterator[Shard]:
    """Make the variants of all tasks; yield each shard when it is complete."""
    parts = [(shard, part) for shard in shards for task in shard.tasks for part in _parts(task)]
    jobs = ((part, shard.inputs, run.limits) for shard, part in parts)
    missing = {id(shard): shard.count for shard in shards}
    for (shard, part), variants in zip(parts, run.workers.map(_make, jobs), strict=True):
        shard.add(variants)
        missing[id(shard)] -= len(part.recipes)
        bar.by(len(part.recipes))
        if not missing[id(shard)]:
            yield shard


def _parts(task: Task) -> Iterator[Task]:
    """Divide a task: all crops of one photograph may be thousands, too many for the memory."""
    for first in range(0, len(task.recipes), _MOST):
        yield replace(task, recipes=task.recipes[first : first + _MOST])


def _make(job: tuple[Task, tuple[EncoderInput, ...], Limits]) -> Variants:
    return make_variants(*job)
