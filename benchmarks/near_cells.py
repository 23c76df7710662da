"""Cells near a query, and entries held in several: recall against cells visited.

A search visits the cells whose centroids are hardly further from the query than the nearest, by a
share of the spacing of centroids; and all entries are held in their one, two or three nearest
cells. The margins in `homing.search.engines.combined` were chosen by these tables, on pictures that
nothing else is measured on. The last table is of the default search, in stages, of an archive
calibrated on pictures that match nothing. Files and descriptions are kept in the folder of --out,
as `homing bench` keeps them.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from _compared import compared_states, make_compared_parser

MARGINS = (0.0, 0.1, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.7)
STRANGERS = 2000  # distractors, as queries without a copy
_AT_ONCE = 500  # queries of a default search


def main() -> int:
    """Print a table for each codebook."""
    made = make_compared_parser(__doc__ or "")
    made.add_argument("--places", type=int, nargs="+", default=[1, 2, 3], help="cells an entry")
    made.add_argument("--margins", type=float, nargs="+", default=MARGINS)
    options = made.parse_args()
    compared = compared_states(options)
    for each in compared.active:
        print_tables(compared, each, options)
        print_default_search(compared, each, options)
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
            cells = [measured.copies.visited[number] for measured in found]
            recalls = [measured.mean(number).mean for measured in found]
            won = share_won_back(first, found[1], exact, number).mean
            print(
                f"| {name} | {strangers:.2f} | {cells[0]:.2f}, {recalls[0]:.4f} | "
                f"{cells[1]:.2f}, {recalls[1]:.4f}, {won:.3f} |",
                flush=True,
            )


def print_default_search(compared, each, options) -> None:
    """Search archives of the benchmark's vectors as `homing search --no-confirm` does."""
    benchmark = compared.benchmark
    strangers = benchmark.material.unmatched_rows.rows[benchmark.encoder.name]
    print(f"\n{each.quantizer.name}: default search")
    print("| entries | cells, R@1 | strangers' cells |\n|---|---|---|")
    ways = [(compared.passive, 1), *((each.leading, places) for places in options.places)]
    for state, places in ways:
        with tempfile.TemporaryDirectory() as folder:
            archive = make_archive(Path(folder) / "archive", benchmark, state, each, places)
            searched = benchmark.searched_copies(state)
            cells, found = search(archive, state.copies[searched])
            queries = benchmark.material.queries
            right = np.full(len(searched), np.nan)
            right[searched] = found == queries.pictures[searched]
            of_edits = zip(queries.edits, queries.places(), strict=True)
            mean = np.mean([np.nanmean(right[rows]) for edit, rows in of_edits if edit.in_mean])
            others, _ = search(archive, strangers)
        held = f"{state.method}, {places} cells"
        print(f"| {held} | {cells.mean():.2f}, {mean:.4f} | {others.mean():.2f} |", flush=True)


def make_archive(path, benchmark, state, each, places):
    """Make an archive of the base, all of it released or added, calibrated on other pictures."""
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
    return archive


def search(archive, vectors):
    """Return the cells visited and the number of the first entry found, for each query."""
    from homing.archive.query.queries import DescribedQuery
    from homing.options import SearchOptions

    options = SearchOptions(confirm=False)
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
