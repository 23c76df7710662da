"""Finding a query's cells among many centroids: all compared, or by a graph over them.

Centroids are made-up vectors around a bundled codebook's reconstructions, not trained; entries are
random codes in random cells. Processor time of one thread; both ways in turn.
"""

import statistics
import sys
import time

import numpy as np
from _common import describe_setup, make_parser, prepare_process

_LINKS = 32
_BATCH = 100
_SPREAD = 0.03  # of a query around a centroid, each component


def main() -> int:
    """Measure and print a table."""
    parser = make_parser(__doc__, photos=False)
    parser.add_argument("--cells", type=int, nargs="+", default=[1024, 4096, 16384, 65536])
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--probes", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    prepare_process(1)
    import homing

    describe_setup(entries=options.entries, probes=options.probes)
    bundled = homing.load_codebook("homing-s-IVF4096-PQ8x8")
    print(
        "| cells | a vector's cell, exact, µs | all compared: alone, batch, µs | search | "
        "graph: alone, batch, µs | search | nearest found, of all probes | graph made, s |"
    )
    print("|---" * 8 + "|")
    for cells in options.cells:
        print(measure(bundled, cells, options), flush=True)
    return 0


def measure(bundled, cells: int, options) -> str:
    """Return one row."""
    from _synthetic import scattered

    from homing.codebooks import Codebook
    from homing.codebooks.factory import parse_factory

    generator = np.random.default_rng(cells)
    coarse = scattered(bundled, cells, generator)
    arrays = {"coarse": coarse, "pq": bundled.arrays["pq"]}
    at = generator.integers(cells, size=_BATCH)
    noise = generator.standard_normal((_BATCH, coarse.shape[1]), dtype=np.float32)
    queries = coarse[at] + np.float32(_SPREAD) * noise
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    held = generator.integers(cells, size=options.entries).astype(np.int32)
    codes = generator.integers(256, size=(options.entries, 8), dtype=np.uint8)
    indexes, made = [], []
    for graph in ("", f"_HNSW{_LINKS}"):
        book = Codebook(parse_factory(f"IVF{cells}{graph},PQ8x8"), coarse.shape[1], arrays)
        start = time.process_time()
        indexes.append(book.index(held, codes))
        made.append(time.process_time() - start)
    exact = microseconds(lambda: book.cells(queries), options.rounds)
    probes = options.probes
    for index in indexes:
        index.nprobe = probes
    found = [index.quantizer.search(queries, probes)[1] for index in indexes]
    first = np.mean(found[0][:, 0] == found[1][:, 0])
    pairs = zip(*found, strict=True)
    share = np.mean([len(np.intersect1d(a, b)) / probes for a, b in pairs])
    columns = []
    for index in indexes:
        coarse_search, whole = index.quantizer.search, index.search
        alone = microseconds(
            lambda search=coarse_search: [search(query[None], probes) for query in queries],
            options.rounds,
        )
        batch = microseconds(lambda search=coarse_search: search(queries, probes), options.rounds)
        searched = microseconds(lambda search=whole: search(queries, 64), options.rounds)
        columns.append(f"{alone:.0f}, {batch:.0f} | {searched:.0f}")
    return (
        f"| {cells:,} | {exact:.0f} | {columns[0]} | {columns[1]} | {first:.3f}, {share:.3f} | "
        f"{made[1] - made[0]:.1f} |"
    )


def microseconds(run, rounds: int) -> float:
    """Return the median processor time a query, of a batch."""
    run()
    times = []
    for _ in range(rounds):
        start = time.process_time()
        run()
        times.append(1e6 * (time.process_time() - start) / _BATCH)
    return statistics.median(times)


if __name__ == "__main__":
    sys.exit(main())
