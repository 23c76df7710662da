"""Photographs untouched and released for codebooks, among others: what `homing bench` compares."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from _common import describe_setup, make_parser, prepare_process


def make_compared_parser(description: str) -> argparse.ArgumentParser:
    """Make a parser with the options of :func:`compared_states`."""
    made = make_parser(description)
    made.add_argument("--background", type=Path, required=True, help="other pictures")
    made.add_argument("--index", nargs="+", default=["homing-s-IVF256-PQ8x8"], help="codebooks")
    made.add_argument("--base-size", type=int, default=100_000)
    made.add_argument("--pictures", type=int)
    made.add_argument("--random-draws", type=int, default=3)
    made.add_argument("--format", default="png", help="of the released files; own: each its own")
    made.add_argument("--out", type=Path, required=True, help="folder of files and descriptions")
    return made


def compared_states(options: argparse.Namespace) -> Any:
    """Release and describe, or read what an earlier run left in the folder of --out."""
    prepare_process(options.threads)
    describe_setup(base=options.base_size, indexes=options.index)
    import homing
    from homing.activation import find_method
    from homing.bench.context import open_run
    from homing.bench.dataset.base import make_plan
    from homing.bench.dataset.material import gather_material
    from homing.bench.dataset.suites import find_suite
    from homing.bench.encode.encoders import descriptor_encoder
    from homing.bench.settings import Settings
    from homing.bench.states.compared_states import compare_states
    from homing.bench.states.released import Releaser
    from homing.bench.states.state_maker import StateMaker
    from homing.cli.output import progress
    from homing.images import find_pictures
    from homing.options import DEFAULT_LIMITS, Activation

    settings = Settings(
        base_size=options.base_size,
        pictures=options.pictures,
        random_draws=options.random_draws,
        format=None if options.format == "own" else options.format,
        hashes=False,
    )
    photos, others = find_pictures(options.photos), find_pictures([options.background])
    plan = make_plan(list(photos), list(others), settings)
    descriptor = homing.load_descriptor()
    with open_run(options.out, progress, DEFAULT_LIMITS) as run:
        releaser = Releaser(
            options.out / "released", descriptor, run, settings.psnr, settings.format, settings.seed
        )
        encoder = descriptor_encoder(descriptor)
        maker = StateMaker(descriptor, encoder, run, releaser, settings.seed)
        edits = find_suite(settings.suite, ()).edits
        material = gather_material(plan, [encoder], run, settings, apart=[encoder], edits=edits)
        methods = (find_method(Activation.method),)
        return compare_states(maker, material, tuple(options.index), methods)


class Copies:
    """Edited copies of the pictures in a state, and whether answers are right."""

    def __init__(self, benchmark, state) -> None:
        self._queries = benchmark.material.queries
        self._searched = benchmark.searched_copies(state)
        self._right = benchmark.padded_right[self._queries.pictures[self._searched]]
        self.vectors = np.ascontiguousarray(state.copies[self._searched])

    def recall(self, found) -> float:
        """Return the mean over the edits of the share answered rightly; `found` is (n,)."""
        return self.mean((found[:, None] == self._right).any(axis=1))

    def mean(self, values) -> float:
        """Return the mean over the edits of their copies' means; `values` is (n,)."""
        of_all = np.full(len(self._queries.pictures), np.nan)
        of_all[self._searched] = values
        of_edits = zip(self._queries.edits, self._queries.places(), strict=True)
        return float(np.mean([np.nanmean(of_all[rows]) for edit, rows in of_edits if edit.in_mean]))
