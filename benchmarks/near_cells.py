"""Cells near a query: recall against cells visited, for margins of several widths.

A search visits the cells whose centroids are hardly further from the query than the nearest, by a
share of the spacing of centroids. The margins in `homing.search.engines.combined` were chosen by
this table, on pictures that nothing else is measured on. Files and descriptions are kept in the
folder of --out, as `homing bench` keeps them.
"""

import sys
from pathlib import Path

import numpy as np
from _common import describe_setup, make_parser, prepare_process

MARGINS = (0.0, 0.1, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.7)
STRANGERS = 2000  # distractors, as queries without a copy


def main() -> int:
    """Print a table for each codebook."""
    made = make_parser(__doc__ or "")
    made.add_argument("--background", type=Path, required=True, help="other pictures")
    made.add_argument("--index", nargs="+", default=["homing-s-IVF256-PQ8x8"], help="codebooks")
    made.add_argument("--base-size", type=int, default=100_000)
    made.add_argument("--pictures", type=int)
    made.add_argument("--random-draws", type=int, default=3)
    made.add_argument("--format", default="png", help="of the released files")
    made.add_argument("--out", type=Path, default=Path("near-cells"))
    options = made.parse_args()
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
        compared = compare_states(maker, material, tuple(options.index), methods)
        for each in compared.active:
            print_table(compared, each)
    return 0


def print_table(compared, each) -> None:
    """Measure one codebook, untouched and released, with margins of all widths."""
    from homing.bench.measure.measurement import measure_exact, measure_index, share_won_back
    from homing.bench.search.engine import Searcher, Setting
    from homing.search.engines.combined import Near
    from homing.search.engines.memory import automatic_probes

    benchmark, codebook = compared.benchmark, each.quantizer.codebook
    one = Setting(1, True, "1")
    automatic = Setting(automatic_probes(codebook.cell_count), True, "automatic")
    searcher = Searcher(codebook, benchmark.distractors)
    states = (compared.passive, *each.states)
    engines = [searcher.engine(benchmark.entries(state), benchmark.seed) for state in states]
    exact = measure_exact(benchmark, compared.passive, benchmark.distractors)
    base = [
        measure_index(benchmark, engine, "near", state, (one, automatic))
        for engine, state in zip(engines, states, strict=True)
    ]
    print(
        f"\n{each.quantizer.name}: exact {exact.mean(0).mean:.4f}; one probe, {automatic.probes}:"
    )
    for state, measured in zip(states, base, strict=True):
        print(f"  {state.method}: {measured.mean(0).mean:.4f}, {measured.mean(1).mean:.4f}")
    print("| margin | strangers' cells | untouched: cells, R@1 | released: cells, R@1, share |")
    print("|---" * 4 + "|")
    most = automatic_probes(codebook.cell_count)
    for margin in MARGINS:
        near = Setting(Near(margin), True, "near")
        strangers = codebook.count_near_cells(benchmark.distractors[:STRANGERS], margin, most)
        found = [
            measure_index(benchmark, engine, "near", state, (one, near))
            for engine, state in zip(engines, states, strict=True)
        ]
        cells = [measured.copies.visited[1] for measured in found]
        recalls = [measured.mean(1).mean for measured in found]
        won = share_won_back(base[0], found[1], exact, 1).mean
        print(
            f"| {margin:.2f} | {np.mean(strangers):.2f} | {cells[0]:.2f}, {recalls[0]:.4f} | "
            f"{cells[1]:.2f}, {recalls[1]:.4f}, {won:.3f} |"
        )


if __name__ == "__main__":
    sys.exit(main())
