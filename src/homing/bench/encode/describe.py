"""From tasks to vectors: processes edit while threads describe, all of it kept.

A run that was interrupted, or that has one more descriptor, makes only what is missing; see
:mod:`homing.bench.encode.shards`.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

from homing.bench.context import Bar, Run
from homing.bench.encode.encoders import Encoder
from homing.bench.encode.rows import Encoded, joined
from homing.bench.encode.shards import Shard
from homing.bench.encode.variants import Made, Task, Want, make
from homing.options import Limits

_SHARD = 64  # tasks
_MOST = 64  # variants that a process makes of a file before it hands them over


def encode(tasks: Sequence[Task], encoders: Sequence[Encoder], run: Run, title: str) -> Encoded:
    """Make all variants of all tasks and encode them.

    Parameters
    ----------
    tasks : sequence of Task
    encoders : sequence of Encoder
        Of different names.
    run : Run
        Its cache holds the shards.
    title : str
        Of the progress bar.

    Returns
    -------
    Encoded
        Rows in the order of the tasks and of their recipes.
    """
    run.cache.mkdir(parents=True, exist_ok=True)
    with _threads(encoders) as pool:
        shards = [
            Shard(tuple(tasks[first : first + _SHARD]), encoders, run.cache, run.limits, pool)
            for first in range(0, len(tasks), _SHARD)
        ]
        missing = [shard for shard in shards if shard.missing]
        with run.progress(sum(shard.count for shard in shards), title) as bar:
            bar.by(sum(shard.count for shard in shards if not shard.missing))
            waiting: deque[Shard] = deque()
            try:
                for shard in _worked(missing, run, bar):
                    waiting.append(shard)  # its last squares are described while the next is made
                    if len(waiting) > 1:
                        waiting.popleft().finish()
            finally:  # interrupted, too
                while waiting:
                    waiting.popleft().finish()
    return joined([shard.read() for shard in shards], encoders)


@contextmanager
def _threads(encoders: Sequence[Encoder]) -> Iterator[Executor]:
    """Give the threads that encode: networks side by side, if there is one."""
    if not any(encoder.descriptor for encoder in encoders):
        with ThreadPoolExecutor(1) as pool:
            yield pool
        return
    from homing.descriptors.workers import network_pool

    with network_pool() as (pool, _):
        yield pool


def _worked(shards: Sequence[Shard], run: Run, bar: Bar) -> Iterator[Shard]:
    """Have all tasks of the shards made; yield each shard when it is complete."""
    jobs = [(shard, part) for shard in shards for task in shard.tasks for part in _parts(task)]
    orders = ((part, shard.wants, run.limits) for shard, part in jobs)
    left = {id(shard): shard.count for shard in shards}
    for (shard, part), made in zip(jobs, run.workers.map(_carry_out, orders), strict=True):
        shard.take(made)
        left[id(shard)] -= len(part.recipes)
        bar.by(len(part.recipes))
        if not left[id(shard)]:
            yield shard


def _parts(task: Task) -> Iterator[Task]:
    """A task as several: all crops of one photograph may be thousands, too many for the memory."""
    for first in range(0, len(task.recipes), _MOST):
        yield replace(task, recipes=task.recipes[first : first + _MOST])


def _carry_out(order: tuple[Task, tuple[Want, ...], Limits]) -> Made:
    return make(*order)
