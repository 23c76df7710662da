"""Requirements of an archive by size: fitted to made-up archives, checked at another size.

Each figure is taken to be a + b · n, n being the entries (of a query: the entries in the cells that
it visits), neither below 0. The line is fitted to the figures of the --fit sizes; its prediction
for the --check size is printed beside the measurement. Then it is fitted to all three, and applied
to sizes beyond all measurements, for several codebooks. Memory is the process's own
(libraries included, mapped files not) when all has been measured. Archives that are there already
in the folder of --work are taken.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _common import describe_setup, parser, prepare_process, working_folder
from scale import run_part

_MEASURED = (1024, 8)  # cells and code bytes of the codebook that archives are made with
_BOOKS = ((1024, 8), (4096, 8), (65536, 8), (65536, 16))  # cells, code bytes
_SIZES = (1e6, 1e7, 1e8, 1e9)
_DIMENSION = 256
_UNITS = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


@dataclass(frozen=True)
class Figure:
    """One figure of an archive.

    Attributes
    ----------
    title : str
        With its unit.
    of : callable
        From what was measured of an archive to the figure.
    query : bool
        Whether it grows with the entries visited, not with all of them.
    """

    title: str
    of: Callable[[dict], float]
    query: bool = False


def _times(engine: str, way: str) -> Callable[[dict], float]:
    return lambda found: found[engine]["times"]["64"][way]


FIGURES = (
    Figure("record on disk, GB", lambda found: found["make"]["bytes"] / 1e9),
    Figure("index of the lance engine on disk, GB", lambda found: found["index"]["bytes"] / 1e9),
    Figure("building that index, s", lambda found: found["index"]["seconds"]),
    Figure("building: memory, GB", lambda found: found["index"]["own"] / 1e9),
    Figure("memory engine: opening, s", lambda found: found["memory"]["opening"]),
    Figure("memory engine: memory, GB", lambda found: found["memory"]["own"] / 1e9),
    Figure("memory engine: a query alone, ms", _times("memory", "alone"), query=True),
    Figure("memory engine: in batches of 100, ms", _times("memory", "together"), query=True),
    Figure("lance engine: opening, s", lambda found: found["lance"]["opening"]),
    Figure("lance engine: memory, GB", lambda found: found["lance"]["own"] / 1e9),
    Figure("lance engine: a query alone, ms", _times("lance", "alone"), query=True),
    Figure("lance engine: in batches of 100, ms", _times("lance", "together"), query=True),
)


@dataclass(frozen=True)
class Line:
    """a + b · n."""

    a: float
    b: float

    def __call__(self, entries: float) -> float:
        """Value at a number of entries."""
        return self.a + self.b * entries


def main() -> int:
    """Measure, fit, check and print."""
    options = _options()
    prepare_process(options.threads)
    describe_setup(probes=options.probes, fit=options.fit, check=options.check)
    with working_folder(options.work) as folder:
        found = {size: _measured(folder, size, options) for size in (*options.fit, options.check)}
    lines = [_fitted(figure, found, options.fit) for figure in FIGURES]
    _print_check(found, lines, options)
    lines = [_fitted(figure, found, (*options.fit, options.check)) for figure in FIGURES]
    coarse = {cells: _coarse(cells) for cells, _ in _BOOKS}
    print("\n| cells | ms to find the nearest of a query, alone |\n|---|---|")
    for cells, milliseconds in coarse.items():
        print(f"| {cells:,} | {milliseconds:.2f} |")
    for cells, size in _BOOKS:
        _print_model(lines, coarse, cells, size, options.probes)
    return 0


def _options() -> argparse.Namespace:
    made = parser(__doc__, photos=False)
    made.add_argument("--fit", type=_count, nargs=2, default=(1_000_000, 3_000_000))
    made.add_argument("--check", type=_count, default=10_000_000)
    made.add_argument("--per-file", type=int, default=500_000, help="entries in a data file")
    made.add_argument("--queries", type=int, default=200)
    made.add_argument("--probes", type=int, default=8)
    return made.parse_args()


def _count(text: str) -> int:
    return int(float(text))


def _measured(folder: Path, size: int, options: argparse.Namespace) -> dict[str, dict]:
    """All parts of an archive of a size, which stays in the folder."""
    place = folder / str(size)
    place.mkdir(exist_ok=True)
    asked = argparse.Namespace(**{**vars(options), "entries": size})
    found = {}
    for part in ("make", "index", "memory", "lance"):
        found[part] = run_part(part, place, asked)
        print(f"{size:,} entries, {part}: done", flush=True)
    return found


def _fitted(figure: Figure, found: dict[int, dict], sizes: Sequence[int]) -> Line:
    """Least squares of the relative errors."""
    from scipy.optimize import nnls

    values = np.array([figure.of(found[size]) for size in sizes])
    counted = np.array(sizes, float)
    scale = counted.max()
    (a, b), _ = nnls(np.stack([1 / values, counted / scale / values], axis=1), np.ones(len(sizes)))
    return Line(float(a), float(b / scale))


def _print_check(found: dict[int, dict], lines: Sequence[Line], options) -> None:
    sizes = (*options.fit, options.check)
    print(
        "\n| | " + " | ".join(f"{_short(size)} measured" for size in sizes)
        + f" | {_short(options.check)} foretold | measured / foretold |"
    )  # fmt: skip
    print("|---" * (3 + len(sizes)) + "|")
    for figure, line in zip(FIGURES, lines, strict=True):
        measured = [figure.of(found[size]) for size in sizes]
        told = line(options.check)
        values = " | ".join(f"{value:.3g}" for value in (*measured, told))
        print(f"| {figure.title} | {values} | {measured[-1] / told:.2f} |")


def _coarse(cells: int, queries: int = 100) -> float:
    """Median milliseconds to find a query's nearest centroids."""
    import faiss

    generator = np.random.default_rng(0)
    index = faiss.IndexFlatL2(_DIMENSION)
    index.add(generator.standard_normal((cells, _DIMENSION), dtype=np.float32))
    times = []
    for query in generator.standard_normal((queries, 1, _DIMENSION), dtype=np.float32):
        start = time.perf_counter()
        index.search(query, 8)
        times.append(1e3 * (time.perf_counter() - start))
    return float(np.median(times))


def _print_model(
    lines: Sequence[Line], coarse: dict[int, float], cells: int, size: int, probes: int
) -> None:
    """Print a table of a codebook: what its entries and cells make of the fitted lines."""
    measured_cells, measured_size = _MEASURED
    print(f"\n`IVF{cells},PQ{size}x8`, {probes} probes")
    print("\n| | " + " | ".join(_short(entries) for entries in _SIZES) + " |")
    print("|---" * (1 + len(_SIZES)) + "|")
    for figure, line in zip(FIGURES, lines, strict=True):
        longer = _longer(figure.title, size - measured_size)
        values = []
        for entries in _SIZES:
            if figure.query:
                visited = entries * measured_cells / cells * size / measured_size
                value = line(visited) + coarse[cells] - coarse[measured_cells]
            else:
                value = line(entries) + longer * entries
            values.append(f"{value:.3g}")
        print(f"| {figure.title} | " + " | ".join(values) + " |")


def _longer(title: str, more: int) -> float:
    """Return what longer codes add to a figure per entry: their bytes if it counts codes."""
    kept = "record", "index of", "memory engine: memory"
    return more / 1e9 if title.startswith(kept) else 0.0


def _short(entries: float) -> str:
    for unit, name in _UNITS:
        if entries >= unit:
            return f"{entries / unit:g}{name}"
    return f"{entries:g}"


if __name__ == "__main__":
    sys.exit(main())
