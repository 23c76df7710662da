"""Recall by cells among millions: released and untouched pictures, in one place and in two.

The base of photographs and crops is filled up with made-up vectors (`--entries`), of which only
codes are held; those that a search ranks are made again. The best codes are put in order by exact
similarity: `--rerank` of them. The last table is of cells, means of the edits, and of what an
archive in an object store asks for, beside the vectors that are ranked: the requests of `store.py`
for each cell, and those that do not depend on their number.
"""

import sys

import numpy as np
from _compared import Copies, compared_states, make_compared_parser
from _crowd import Crowd

PROBES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 128)
MARGINS = (0.1, 0.2, 0.25, 0.35, 0.5, 0.7)
AIMS = (0.95, 0.97, 0.98)
_AT_ONCE = 1000
_A_CELL, _A_QUERY = 2.2, 3.5  # requests, as `store.py` counts them


def main() -> int:
    """Measure and print a table for each codebook."""
    made = make_compared_parser(__doc__ or "")
    made.add_argument("--entries", type=float, default=1e7)
    made.add_argument("--rerank", type=int, nargs="+", default=[64, 256], help="codes put in order")
    made.add_argument("--places", type=int, nargs="+", default=[1, 2], help="cells an entry")
    options = made.parse_args()
    compared = compared_states(options)
    benchmark = compared.benchmark
    pictures = benchmark.distractors
    crowd = Crowd(
        pictures, int(options.entries) - len(pictures) - len(benchmark.entries(compared.passive))
    )
    for each in compared.active:
        codebook = each.quantizer.codebook
        others = Others(codebook, pictures, crowd, max(options.places))
        states = {"untouched": compared.passive, "released": each.leading}
        print(f"\n{each.quantizer.name} among {options.entries:,.0f}")
        ranked = " | ".join(f"R@1, {number} ranked" for number in options.rerank)
        print(f"| state | places | search | cells | codes | {ranked} |")
        print("|---" * (5 + len(options.rerank)) + "|")
        curves = {}
        for state, found in states.items():
            for places in options.places:
                engine = Engine(codebook, benchmark.entries(found), others, places)
                copies, points = Copies(benchmark, found), []
                for way, cells, codes, recalls in curve(engine, copies, codebook, options.rerank):
                    points.append((cells, recalls))
                    measured = " | ".join(f"{recall:.4f}" for recall in recalls)
                    print(
                        f"| {state} | {places} | {way} | {cells:.2f} | {codes:,.0f} | {measured} |",
                        flush=True,
                    )
                for number, rerank in enumerate(options.rerank):
                    of_rank = [(cells, recalls[number]) for cells, recalls in points]
                    curves[f"{state}, {places} places, {rerank} ranked"] = of_rank
        print_aims(curves)
    return 0


def print_aims(curves) -> None:
    """Print the least cells, and requests, for each recall aimed at."""
    print("\n| | " + " | ".join(f"{aim}: cells, requests" for aim in AIMS) + " |")
    print("|---" * (1 + len(AIMS)) + "|")
    for name, points in curves.items():
        needed = [cells_for(points, aim) for aim in AIMS]
        columns = [
            "never" if c is None else f"{c:.2f}, {_A_QUERY + _A_CELL * c:.1f}" for c in needed
        ]
        print(f"| {name} | " + " | ".join(columns) + " |", flush=True)


def cells_for(points, aim: float) -> float | None:
    """Return the least mean number of cells that finds so much; None if none does."""
    cells, recall = map(np.array, zip(*sorted(points), strict=True))
    recall = np.maximum.accumulate(recall)
    if recall[-1] < aim:
        return None
    return float(np.interp(aim, *np.unique(np.stack([recall, cells]), axis=1)))


class Others:
    """The codes of a base that all states share, in so many places, with its vectors."""

    def __init__(self, codebook, pictures, crowd: Crowd, places: int) -> None:
        self._pictures, self._crowd = pictures, crowd
        encoded = [place(codebook, block, places) for block in (pictures, *crowd.blocks())]
        self.cells, self.codes = map(np.concatenate, zip(*encoded, strict=True))

    def __len__(self) -> int:
        """Count the vectors."""
        return len(self.cells)

    def vectors(self, numbers):
        """Return some of the vectors, (n, d)."""
        found = np.empty((len(numbers), self._pictures.shape[1]), np.float32)
        of_pictures = numbers < len(self._pictures)
        found[of_pictures] = self._pictures[numbers[of_pictures]]
        found[~of_pictures] = self._crowd.vectors(numbers[~of_pictures] - len(self._pictures))
        return found


def place(codebook, vectors, places: int):
    """Return the nearest cells, (n, places), and the codes there, (n, places, bytes)."""
    near = codebook.nearest_cells(vectors, places)
    codes = [codebook.encode(vectors, cells) for cells in near.T]
    return near, np.stack(codes, axis=1)


class Engine:
    """Entries among others, each held in so many cells."""

    def __init__(self, codebook, entries, others: Others, places: int) -> None:
        from homing.codebooks.near_cells import FurtherPlaces
        from homing.search.engines.combined import CombinedEngine
        from homing.search.engines.memory import MemoryEngine

        self._entries, self._others = entries, others
        cells, codes = place(codebook, entries, places)
        cells = np.concatenate([others.cells[:, :places], cells])
        codes = np.concatenate([others.codes[:, :places], codes])
        owners = np.repeat(np.arange(len(cells)), places - 1)
        further = FurtherPlaces(
            owners, cells[:, 1:].ravel(), codes[:, 1:].reshape(-1, codes.shape[2])
        )
        memory = MemoryEngine(codebook, cells[:, 0], codes[:, 0], further)
        self._searched = CombinedEngine([codebook], [memory])
        self.held = np.bincount(cells.ravel(), minlength=codebook.cell_count)

    def search(self, queries, probes, ranked):
        """Return the first hits, (len(ranked), n), and the cells that each query visited, (n,).

        Entries stand behind the others here, and have the first numbers in the benchmark.
        """
        found, visited = [], []
        for first in range(0, len(queries), _AT_ONCE):
            some = queries[first : first + _AT_ONCE]
            visited.append(self._searched.visited(some, probes))
            near, _ = self._searched.search(some, candidates=max(ranked), visited=visited[-1])
            similar = np.concatenate(
                [
                    np.einsum("ncd,nd->nc", self._vectors(near[n : n + 100]), some[n : n + 100])
                    for n in range(0, len(some), 100)
                ]
            )
            similar[near < 0] = -np.inf
            best = [similar[:, :number].argmax(axis=1)[:, None] for number in ranked]
            found.append([np.take_along_axis(near, each, axis=1)[:, 0] for each in best])
        numbers = np.concatenate(found, axis=1) - len(self._others)
        numbers[numbers < 0] += len(self._others) + len(self._entries)
        return numbers, np.concatenate(visited)[:, 0]

    def _vectors(self, numbers):
        wanted, places = np.unique(np.maximum(numbers, 0), return_inverse=True)
        split = np.searchsorted(wanted, len(self._others))
        own = self._entries[wanted[split:] - len(self._others)]
        vectors = np.concatenate([self._others.vectors(wanted[:split]), own])
        return vectors[places.reshape(numbers.shape)]


def curve(engine: Engine, copies: Copies, codebook, ranked):
    """Yield the points of one state: the way, cells, codes compared, R@1 by codes ranked."""
    from homing.search.engines.combined import Near

    ways = {f"{probes} probes": probes for probes in PROBES if probes <= codebook.cell_count / 8}
    ways |= {f"within {margin:g}": Near(margin) for margin in MARGINS}
    compared = engine.held[codebook.nearest_cells(copies.vectors, max(PROBES))].cumsum(axis=1)
    for way, probes in ways.items():
        first, visited = engine.search(copies.vectors, probes, ranked)
        codes = compared[np.arange(len(visited)), visited - 1]
        recalls = [copies.recall(each) for each in first]
        yield way, copies.mean(visited), copies.mean(codes), recalls


if __name__ == "__main__":
    sys.exit(main())
