"""Cells near a query, and entries held in several: recall against cells visited.

A search visits the cells whose centroids are hardly further from the query than the nearest, by a
share of the spacing of centroids; and all entries are held in their one, two or three nearest
cells. Then it goes through such cells in stages, until a hit is sure enough, in an archive that is
calibrated on pictures that match nothing. The stages in `homing.search.engines.combined` were
chosen by these tables, on pictures that nothing else is measured on. Cells and recall are means of
the fourteen edits, each of which counts the same. Files and descriptions are kept in the folder of
--out, as `homing bench` keeps them.
"""

import itertools
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _compared import Copies, compared_states, make_compared_parser

MARGINS = (0.0, 0.1, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.7)
STRANGERS = 2000  # distractors, as queries without a copy
_AT_ONCE = 500  # queries of a search in stages

# Stages that a search may go through: margins, or times the automatic number of cells.
LADDER = (1, 0.1, 0.15, 0.2, 0.25, 0.35, 0.5, 0.7, "x1", "x2", "x4")
# Some ways through them, each with the false-alarm rate that is enough after every stage but the
# last. The first is what homing did before there were rates of one stage each.
WAYS = (
    ((0.25, 1e-3), (0.7, 1e-3), ("x4", 0)),
    ((1, 1e-4), (0.25, 1e-4), (0.7, 0)),
    ((1, 1e-4), (0.2, 1e-4), (0.5, 0)),
    ((1, 1e-4), (0.15, 1e-4), (0.35, 1e-4), (0.7, 0)),
    ((1, 1e-4), (0.2, 1e-4), (0.5, 0.03), ("x2", 0)),
    ((1, 1e-4), (0.2, 1e-4), (0.5, 0.03), ("x4", 0)),
    ((1, 1e-4), (0.2, 1e-4), (0.5, 1e-2), ("x2", 0.03), ("x4", 0)),
    ((1, 1e-4), (0.2, 1e-4), (0.5, 0.03), ("x2", 0.03), ("x4", 0)),
    ((1, 1e-4), (0.2, 1e-4), (0.5, 0.03), ("x2", 0.1), ("x4", 0)),
    ((1, 1e-4), (0.2, 1e-4), (0.5, 0.03), ("x2", 0.2), ("x4", 0)),
    ((1, 1e-4), (0.2, 1e-4), (0.5, 0.1), ("x2", 0.3), ("x4", 0)),
    ((1, 1e-4), (0.15, 1e-4), (0.35, 1e-4), (0.7, 0.03), ("x2", 0.2), ("x4", 0)),
)


def main() -> int:
    """Print a table for each codebook."""
    made = make_compared_parser(__doc__ or "")
    made.add_argument("--places", type=int, nargs="+", default=[1, 2, 3], help="cells an entry")
    made.add_argument("--margins", type=float, nargs="+", default=MARGINS)
    options = made.parse_args()
    compared = compared_states(options)
    for each in compared.active:
        print_tables(compared, each, options)
        print_stages(compared, each, options)
    return 0


def print_tables(compared, each, options) -> None:
    """Measure one codebook, untouched and released, by places of an entry and margins."""
    from homing.bench.measure.measurement import measure_exact, measure_index, share_won_back
    from homing.bench.search.engine import Searcher, Setting
    from homing.search.engines.combined import Near
    from homing.search.engines.memory import automatic_probes

    benchmark, codebook = compared.benchmark, each.quantizer.codebook
    most = automatic_probes(codebook.cell_count)
    settings = [Setting(1, True, "1"), Setting(most, True, "automatic")]
    settings += [Setting(Near(margin), True, "near") for margin in options.margins]
    searcher = Searcher(codebook, benchmark.distractors)
    states = (compared.passive, *each.states)
    exact = measure_exact(benchmark, compared.passive, benchmark.distractors)
    print(f"\n{each.quantizer.name}: exact {exact.mean(0).mean:.4f}")
    first = None
    for places in options.places:
        found = []
        for state in states:
            engine = searcher.engine(benchmark.entries(state), benchmark.seed, places)
            found.append(measure_index(benchmark, engine, "near", state, settings))
        first = first or found[0]
        print(f"\nentries in {places} cells")
        print("| search | strangers' cells | untouched: cells, R@1 | released: cells, R@1, share |")
        print("|---" * 4 + "|")
        for number, setting in enumerate(settings):
            near = isinstance(setting.probes, Near)
            name = f"margin {setting.probes.margin:g}" if near else f"{setting.probes} probes"
            some = benchmark.distractors[:STRANGERS]
            strangers = (
                np.mean(codebook.count_near_cells(some, setting.probes.margin, most))
                if near
                else setting.probes
            )
            cells = [
                visited_cells(benchmark, codebook, state, setting.probes) for state in states[:2]
            ]
            recalls = [measured.mean(number).mean for measured in found]
            won = share_won_back(first, found[1], exact, number).mean
            print(
                f"| {name} | {strangers:.2f} | {cells[0]:.2f}, {recalls[0]:.4f} | "
                f"{cells[1]:.2f}, {recalls[1]:.4f}, {won:.3f} |",
                flush=True,
            )


def print_stages(compared, each, options) -> None:
    """Search archives of the benchmark's vectors in stages; strangers as well."""
    benchmark = compared.benchmark
    strangers = benchmark.material.unmatched_rows.rows[benchmark.encoder.name]
    states = [(each.leading, places) for places in options.places] + [(compared.passive, 1)]
    for state, places in states:
        copies = Copies(benchmark, state)
        with tempfile.TemporaryDirectory() as folder:
            made = make_archive(Path(folder) / "archive", benchmark, state, each, places)
            climbed = Climbed.of(*made, copies.vectors)
            others = Climbed.of(*made, strangers)
            default = {probes: search(made[0], copies.vectors, probes) for probes in ("near", None)}
        print(f"\n{each.quantizer.name}, {state.method}, {places} cells an entry: stages")
        print(
            "| stages, and the rate that is enough | cells, R@1 | strangers' cells |\n|---|---|---|"
        )
        for way in WAYS:
            cells, found = climbed.take(way)
            name = ", ".join(f"{stage}: {rate:g}" if rate else str(stage) for stage, rate in way)
            measured = f"{copies.mean(cells):.2f}, {copies.recall(found):.4f}"
            print(f"| {name} | {measured} | {others.take(way)[0].mean():.2f} |", flush=True)
        for probes, (cells, found) in default.items():
            measured = f"{copies.mean(cells):.2f}, {copies.recall(found):.4f}"
            print(f"| `--probes {probes or 'auto'}` | {measured} | |", flush=True)


def visited_cells(benchmark, codebook, state, probes) -> float:
    """Return the cells that a copy visits, the mean of the edits."""
    from homing.search.engines.combined import Near
    from homing.search.engines.memory import automatic_probes

    if not isinstance(probes, Near):
        return probes
    copies, most = Copies(benchmark, state), automatic_probes(codebook.cell_count)
    return copies.mean(codebook.count_near_cells(copies.vectors, probes.margin, most))


@dataclass(frozen=True, eq=False)
class Climbed:
    """What each query finds at every stage of the ladder; arrays (stages, n)."""

    cells: np.ndarray
    found: np.ndarray  # number of the first hit, or -1
    rates: np.ndarray  # least false-alarm rate of its hits

    @classmethod
    def of(cls, archive, calibration, vectors) -> "Climbed":
        """Search for all queries at every stage."""
        from homing.archive.query.answers import search_once
        from homing.archive.query.queries import DescribedQuery
        from homing.options import SearchOptions
        from homing.search.engines.combined import Near
        from homing.search.engines.memory import automatic_probes

        queries = [DescribedQuery(("upright",), vector[None]) for vector in vectors]
        automatic = automatic_probes(archive.codebook.cell_count)

        def climb(snapshot):
            steps = []
            for step in LADDER:
                probes = Near(step) if isinstance(step, float) else step
                if isinstance(step, str):
                    probes = automatic * int(step[1:])
                hits = []
                for n in range(0, len(queries), _AT_ONCE):
                    some, others = queries[n : n + _AT_ONCE], calibration.others
                    hits += search_once(snapshot, some, SearchOptions(), probes, None, others)
                first = [each.positions[0] if len(each.positions) else -1 for each in hits]
                rates = [calibration.rates(each, "upright", len(snapshot)) for each in hits]
                least = [each.min(initial=1) for each in rates]
                steps.append(([each.cells_searched for each in hits], first, least))
            return [np.array(arrays) for arrays in zip(*steps, strict=True)]

        return cls(*archive._current.run(climb))

    def take(self, way):
        """Return the cells that each query visits on a way, (n,), and what it finds."""
        rows = np.arange(self.cells.shape[1])
        at = np.full(len(rows), LADDER.index(way[0][0]))
        left = np.ones(len(rows), bool)
        for (_, enough), (following, _) in itertools.pairwise(way):
            left &= self.rates[at, rows] > enough
            at[left] = LADDER.index(following)
        return self.cells[at, rows], self.found[at, rows]


def make_archive(path, benchmark, state, each, places):
    """Make an archive of the base, all of it released or added; calibrate it on other pictures."""
    import lance
    from _rows import make_rows

    import homing
    from homing.archive.query.calibrate import Strangers, calibrate
    from homing.archive.query.calibration import write_calibration
    from homing.archive.query.queries import DescribedQuery
    from homing.bench.states.state import PASSIVE

    codebook = each.quantizer.codebook
    archive = homing.create(path, codebook=codebook, places=places)
    table, vectors = str(path / "entries.lance"), benchmark.base(state)
    schema = lance.dataset(table).schema
    kind = ["added" if state.method == PASSIVE else "released"] * len(vectors)
    ids = [str(number) for number in range(len(vectors))]
    batch = make_rows(codebook, schema, ids, vectors, kind)
    lance.write_dataset(batch, table, mode="append", schema=schema)
    archive = homing.open(path, engine="memory")
    others = benchmark.material.normalisation.rows[benchmark.encoder.name]
    queries = tuple(DescribedQuery(("upright",), vector[None]) for vector in others)
    calibrated = archive._current.run(
        lambda now: calibrate(now, archive.settings, archive.preview_store, Strangers(queries, 0))
    )
    write_calibration(path, archive.settings, calibrated)
    return archive, calibrated


def search(archive, vectors, probes):
    """Return the cells visited and the number of the first entry found, as `homing search` does."""
    from homing.archive.query.queries import DescribedQuery
    from homing.options import SearchOptions

    options = SearchOptions(confirm=False, probes=probes)
    cells, found = [], []
    for first in range(0, len(vectors), _AT_ONCE):
        some = vectors[first : first + _AT_ONCE]
        queries = [DescribedQuery(("upright",), vector[None]) for vector in some]
        for hits in archive.answer_unconfirmed(queries, options):
            cells.append(hits.cells_searched)
            found.append(int(hits[0].id))
    return np.array(cells), np.array(found)


if __name__ == "__main__":
    sys.exit(main())
