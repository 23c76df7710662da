"""Recall by cost: cells read, codes compared and milliseconds, untouched and released, and rivals.

Copies of untouched and of released pictures are searched for through each codebook, in more and
more cells, with every entry in one place and in two; and, untouched, by what else there is: finer
cells, a graph (HNSW), other codes (RaBitQ, fast scan), and exactly. The 64 best codes are put in
order by exact similarity. `--crowd` adds made-up vectors to the base: each is a distractor, moved
along the difference of two others. `cost_plot.py` draws the points that are written.
"""

import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from _compared import Copies, compared_states, make_compared_parser
from _crowd import Crowd

PROBES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64)
MARGINS = (0.1, 0.25, 0.35, 0.7)
REACH = (8, 16, 32, 64, 128, 256)  # efSearch of a graph
_RANKED = 64
_AT_ONCE = 1000


@dataclass(frozen=True)
class Point:
    """One way to search: what it finds, and what a query costs."""

    entries: int
    index: str
    state: str  # untouched or released
    places: int  # cells that an entry is held in
    way: str
    cells: float  # lists read; 0 where there are none
    codes: float  # compared
    code_bytes: int
    centroids: int  # compared, or 0
    recall: float
    milliseconds: float  # of processor time, in batches


def main() -> int:
    """Measure, print and write points; or draw those of earlier runs."""
    made = make_compared_parser(__doc__ or "")
    made.add_argument("--places", type=int, nargs="+", default=[1, 2], help="cells an entry")
    made.add_argument("--finer", nargs="*", default=[], help="further codebooks, untouched")
    made.add_argument("--rivals", nargs="*", default=[], help="Faiss indexes, untouched")
    made.add_argument("--crowd", type=int, default=0, help="made-up entries beside the base")
    made.add_argument("--points", type=Path, help="JSON file to write")
    options = made.parse_args()
    compared = compared_states(options)
    crowd = Crowd(compared.benchmark.distractors, options.crowd).vectors(slice(None))
    print("| index | state | places | search | cells | codes | R@1 | ms |\n" + "|---" * 8 + "|")
    found = []
    for point in points(compared, crowd, options):
        found.append(point)
        print(
            f"| {point.index} | {point.state} | {point.places} | {point.way} | {point.cells:.2f} | "
            f"{point.codes:,.0f} | {point.recall:.4f} | {point.milliseconds:.3f} |",
            flush=True,
        )
    if options.points:
        options.points.write_text(json.dumps([asdict(point) for point in found], indent=0))
    return 0


def points(compared, crowd, options):
    """Yield the points of all codebooks and rivals."""
    from homing.codebooks import train_codebook

    benchmark = compared.benchmark
    others = np.concatenate([benchmark.distractors, crowd])
    for each in compared.active:
        states = {"untouched": compared.passive, "released": each.leading}
        yield from codebook_points(each.quantizer.codebook, benchmark, states, others, options)
    untouched = {"untouched": compared.passive}
    for name in options.finer:
        codebook = train_codebook(benchmark.distractors, name, seed=benchmark.seed)
        yield from codebook_points(codebook, benchmark, untouched, others, options)
    for name in options.rivals:
        yield from rival_points(name, benchmark, compared.passive, others)


def codebook_points(codebook, benchmark, states, others, options):
    """Yield the points of a codebook: states by places by cells."""
    from homing.bench.search.engine import Searcher, Setting
    from homing.search.engines.combined import Near

    ways = {f"{probes} probes": probes for probes in PROBES if probes <= codebook.cell_count / 8}
    ways |= {f"within {margin:g}": Near(margin) for margin in MARGINS}
    searcher = Searcher(codebook, others)
    for state, found in states.items():
        copies = Copies(benchmark, found)
        for places in options.places:
            engine = searcher.engine(benchmark.entries(found), benchmark.seed, places)
            held = np.bincount(engine.cells.ravel(), minlength=codebook.cell_count)
            near = codebook.nearest_cells(copies.vectors, max(PROBES))
            compared = held[near].cumsum(axis=1)
            for way, probes in ways.items():
                start = time.process_time()
                hits = engine.search(copies.vectors, Setting(probes, True, way))
                spent = 1e3 * (time.process_time() - start) / len(near)
                codes = compared[np.arange(len(near)), hits.visited - 1].mean()
                yield Point(
                    len(engine.cells), codebook.form, state, places, way, hits.visited.mean(),
                    float(codes), codebook.code_size, codebook.cell_count,
                    copies.recall(hits.rows[:, 0]), spent,
                )  # fmt: skip


def rival_points(name, benchmark, state, others):
    """Yield the points of a Faiss index of untouched pictures, or of exact search ("Flat")."""
    import faiss

    vectors = np.concatenate([benchmark.entries(state), others])
    copies = Copies(benchmark, state)
    index = faiss.index_factory(vectors.shape[1], name)
    index.train(others)
    index.add(vectors)
    about = len(vectors), name, "untouched", 1
    if isinstance(index, faiss.IndexHNSW):
        for reach in REACH:
            index.hnsw.efSearch = reach
            faiss.cvar.hnsw_stats.reset()
            found, spent = _timed(lambda some: index.search(some, 1)[1][:, 0], copies.vectors)
            compared = faiss.cvar.hnsw_stats.ndis / len(found)
            way = f"reach {reach}"
            yield Point(*about, way, 0, compared, 1024, 0, copies.recall(found), spent)
        return
    if isinstance(index, faiss.IndexFlat):
        found, spent = _timed(lambda some: index.search(some, 1)[1][:, 0], copies.vectors)
        yield Point(*about, "exact", 0, len(vectors), 1024, 0, copies.recall(found), spent)
        return
    held = np.array([index.invlists.list_size(n) for n in range(index.nlist)])
    for probes in (each for each in PROBES if each <= index.nlist / 8):
        index.nprobe = probes
        found, spent = _timed(lambda some: _ranked(index, vectors, some), copies.vectors)
        codes = held[index.quantizer.search(copies.vectors, probes)[1]].sum(axis=1).mean()
        way, size = f"{probes} probes", index.sa_code_size()
        yield Point(
            *about, way, probes, float(codes), size, index.nlist, copies.recall(found), spent
        )


def _timed(search, queries):
    start = time.process_time()
    parts = [search(queries[n : n + _AT_ONCE]) for n in range(0, len(queries), _AT_ONCE)]
    return np.concatenate(parts), 1e3 * (time.process_time() - start) / len(queries)


def _ranked(index, vectors, queries):
    """Return the most similar of the entries with the nearest codes, (n,)."""
    found = index.search(queries, _RANKED)[1]
    similar = np.einsum("ncd,nd->nc", vectors[np.maximum(found, 0)], queries)
    similar[found < 0] = -np.inf
    return np.take_along_axis(found, similar.argmax(axis=1)[:, None], axis=1)[:, 0]


if __name__ == "__main__":
    sys.exit(main())
