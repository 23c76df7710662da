"""Requirements of an archive by size: fitted to synthetic archives, checked at another size.

Each figure is modelled as a + b · n, where n is the number of entries (for a query: of entries in
the visited cells) and a, b ≥ 0. The line is fitted to the figures of the --fit sizes, and its
prediction for the --check size is printed beside the measurement. Then it is fitted to all three
sizes and extrapolated, for several codebooks. Memory is the anonymous memory of the
process at the end of a measurement: no mapped files. Existing archives in the folder of --work are
reused.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _common import describe_setup, make_parser, prepare_process, working_folder
from scale import run_part

_MEASURED_CODEBOOK = (1024, 8)  # cells and code bytes of the codebook that archives are made with
_CODEBOOKS = ((1024, 8), (4096, 8), (65536, 8), (65536, 16))  # cells, code bytes
_SIZES = (1e6, 1e7, 1e8, 1e9)
_DIMENSION = 256
_UNITS = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


@dataclass(frozen=True)
class Figure:
    """One figure of an archive."""

    title: str  # with its unit
    read: Callable[[dict], float]  # takes the figure from the measurements of an archive
    query: bool = False  # grows with the visited entries, not with all entries


def _query_time(engine: str, mode: str) -> Callable[[dict], float]:
    return lambda found: found[engine]["times"]["64"][mode]


FIGURES = (
    Figure("record on disk, GB", lambda found: found["make"]["bytes"] / 1e9),
    Figure("index of the lance engine on disk, GB", lambda found: found["index"]["bytes"] / 1e9),
    Figure("building that index, s", lambda found: found["index"]["seconds"]),
    Figure("building: memory, GB", lambda found: found["index"]["anonymous"] / 1e9),
    Figure("memory engine: opening, s", lambda found: found["memory"]["opening"]),
    Figure("memory engine: memory, GB", lambda found: found["memory"]["anonymous"] / 1e9),
    Figure("memory engine: a query alone, ms", _query_time("memory", "alone"), query=True),
    Figure("memory engine: in batches of 100, ms", _query_time("memory", "together"), query=True),
    Figure("lance engine: opening, s", lambda found: found["lance"]["opening"]),
    Figure("lance engine: memory, GB", lambda found: found["lance"]["anonymous"] / 1e9),
    Figure("lance engine: a query alone, ms", _query_time("lance", "alone"), query=True),
    Figure("lance engine: in batches of 100, ms", _query_time("lance", "together"), query=True),
)


@dataclass(frozen=True)
class Line:
    """The line a + b · n."""

    a: float
    b: float

    def __call__(self, entries: float) -> float:
        """Return the value at a number of entries."""
        return self.a + self.b * entries


def main() -> int:
    """Measure, fit, check and print."""
    options = _options()
    prepare_process(options.threads)
    describe_setup(probes=options.probes, fit=options.fit, check=options.check)
    with working_folder(options.work) as folder:
        found = {size: _measure(folder, size, options) for size in (*options.fit, options.check)}
    lines = [_fit(figure, found, options.fit) for figure in FIGURES]
    _print_check(found, lines, options)
    lines = [_fit(figure, found, (*options.fit, options.check)) for figure in FIGURES]
    coarse = {cells: _coarse_milliseconds(cells) for cells, _ in _CODEBOOKS}
    print("\n| cells | ms to find the nearest cells of a query, alone |\n|---|---|")
    for cells, milliseconds in coarse.items():
        print(f"| {cells:,} | {milliseconds:.2f} |")
    for cells, size in _CODEBOOKS:
        _print_model(lines, coarse, cells, size, options.probes)
    return 0


def _options() -> argparse.Namespace:
    parser = make_parser(__doc__, photos=False)
    parser.add_argument("--fit", type=_count, nargs=2, default=(1_000_000, 3_000_000))
    parser.add_argument("--check", type=_count, default=10_000_000)
    parser.add_argument("--per-file", type=int, default=500_000, help="entries in a data file")
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--probes", type=int, default=8)
    return parser.parse_args()


def _count(text: str) -> int:
    return int(float(text))


def _measure(folder: Path, size: int, options: argparse.Namespace) -> dict[str, dict]:
    """Measure all parts of an archive of `size` entries, which stays in the folder."""
    place = folder / str(size)
    place.mkdir(exist_ok=True)
    part_options = argparse.Namespace(**{**vars(options), "entries": size})
    found = {}
    for part in ("make", "index", "memory", "lance"):
        found[part] = run_part(part, place, part_options)
        print(f"{size:,} entries, {part}: done", flush=True)
    return found


def _fit(figure: Figure, found: dict[int, dict], sizes: Sequence[int]) -> Line:
    """Fit a line by least squares of the relative errors."""
    from scipy.optimize import nnls

    values = np.array([figure.read(found[size]) for size in sizes])
    counted = np.array(sizes, float)
    scale = counted.max()
    (a, b), _ = nnls(np.stack([1 / values, counted / scale / values], axis=1), np.ones(len(sizes)))
    return Line(float(a), float(b / scale))


def _print_check(found: dict[int, dict], lines: Sequence[Line], options) -> None:
    sizes = (*options.fit, options.check)
    print(
        "\n| | " + " | ".join(f"{_short(size)} measured" for size in sizes)
        + f" | {_short(options.check)} predicted | measured / predicted |"
    )  # fmt: skip
    print("|---" * (3 + len(sizes)) + "|")
    for figure, line in zip(FIGURES, lines, strict=True):
        measured = [figure.read(found[size]) for size in sizes]
        predicted = line(options.check)
        values = " | ".join(f"{value:.3g}" for value in (*measured, predicted))
        print(f"| {figure.title} | {values} | {measured[-1] / predicted:.2f} |")


def _coarse_milliseconds(cells: int, queries: int = 100) -> float:
    """Return the median milliseconds of finding a query's nearest centroids."""
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
    """Print the table of a codebook: the fitted lines scaled to its cells and code size."""
    measured_cells, measured_size = _MEASURED_CODEBOOK
    print(f"\n`IVF{cells},PQ{size}x8`, {probes} probes")
    print("\n| | " + " | ".join(_short(entries) for entries in _SIZES) + " |")
    print("|---" * (1 + len(_SIZES)) + "|")
    for figure, line in zip(FIGURES, lines, strict=True):
        extra = _extra_gigabytes(figure.title, size - measured_size)
        values = []
        for entries in _SIZES:
            if figure.query:
                visited = entries * measured_cells / cells * size / measured_size
                value = line(visited) + coarse[cells] - coarse[measured_cells]
            else:
                value = line(entries) + extra * entries
            values.append(f"{value:.3g}")
        print(f"| {figure.title} | " + " | ".join(values) + " |")


def _extra_gigabytes(title: str, extra_bytes: int) -> float:
    """Return the GB per entry that longer codes add to a figure; 0 if it does not count codes."""
    with_codes = "record", "index of", "memory engine: memory"
    return extra_bytes / 1e9 if title.startswith(with_codes) else 0.0


def _short(entries: float) -> str:
    for unit, name in _UNITS:
        if entries >= unit:
            return f"{entries / unit:g}{name}"
    return f"{entries:g}"


if __name__ == "__main__":
    sys.exit(main())
