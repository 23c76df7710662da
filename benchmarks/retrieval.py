"""Edited copies of released and of untouched pictures, searched for among others.

PHOTOS are added unmodified to one archive, and released into others, one for each method of
activation; the background is added to all. Every picture is edited as in the paper, and every copy
is searched for. Intervals are 95 % by bootstrap over the pictures.
"""

import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from _common import (
    describe_copies,
    describe_setup,
    format_mean,
    make_parser,
    picture_paths,
    prepare_process,
    require,
    working_folder,
)

from homing.options import Activation

PASSIVE = "passive"
SETTINGS = {"1 probe": 1, "4 probes": 4, "automatic probes": None}  # probes; all with re-ranking
EXACT, SAME_CELL = "exact search", "stays in its cell"
COLUMNS = (*SETTINGS, EXACT, SAME_CELL)


@dataclass(frozen=True)
class State:
    """An archive, and the files whose copies are searched for in it."""

    archive: object  # homing.Archive
    ids: Sequence[str]
    files: Sequence[str]
    decibels: Sequence[float] = ()  # PSNR of the files against their sources; empty if untouched
    similarity: Sequence[float] = ()  # SSIM, likewise
    seconds: float = 0.0  # a picture, for releasing


def main() -> int:
    """Measure and print tables."""
    options = _options()
    prepare_process(options.threads)
    from homing.edits import paper_edits, random_available

    photos = picture_paths(options.photos, options.pictures)
    describe_setup(
        photos=len(photos),
        codebook=options.codebook,
        psnr=options.psnr,
        seed=options.seed,
    )
    with working_folder(options.work) as folder:
        states = _make_states(options, photos, folder)
        print(f"entries: {len(states[PASSIVE].archive)}\n")
        rows = {}
        for edit in paper_edits(with_random=random_available()):
            draws = options.random_draws if edit.random else 1
            rows[edit.name] = {
                name: _search(state, edit, draws, options.seed) for name, state in states.items()
            }
            _print_row(edit.name, rows[edit.name], first=len(rows) == 1)
        _print_summary(rows, states, options.seed)
    return 0


def _options():
    parser = make_parser(__doc__)
    parser.add_argument("--background", type=Path, help="folder of other pictures")
    parser.add_argument("--base", type=Path, help="an archive that has the background already")
    parser.add_argument(
        "--methods", nargs="+", default=["paper", Activation.method], help="of activation"
    )
    parser.add_argument("--pictures", type=int, default=150)
    parser.add_argument("--background-pictures", type=int, default=3000)
    parser.add_argument(
        "--random-draws", type=int, default=3, help="draws of the edit 'random' for each picture"
    )
    parser.add_argument("--codebook", default="IVF256,PQ8x8", help="a bundled one, or a file")
    parser.add_argument("--psnr", type=float, default=42.0)
    parser.add_argument("--format", help="of the released files; default: each picture's own")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    require(bool(options.background) != bool(options.base), "give either --background or --base")
    return options


def _make_states(options, photos: Sequence[Path], folder: Path) -> dict[str, State]:
    """Make an archive of the untouched pictures, and one of released pictures for each method."""
    import homing

    base = options.base
    if base is None:
        base = folder / "base"
        background = picture_paths([options.background], options.background_pictures)
        added = homing.create(base, codebook=options.codebook).add(background)
        require(not added.failures, "a background picture cannot be read")

    def open_copy(name: str):
        shutil.copytree(base, folder / name)
        return homing.open(folder / name)

    archive = open_copy(PASSIVE)
    report = archive.add(photos)
    require(report.count("added") == len(photos), f"not all were added: {report}")
    states = {PASSIVE: State(archive, [o.id for o in report], [o.source for o in report])}
    for method in options.methods:
        archive = open_copy(method)
        start = time.perf_counter()
        report = archive.release(
            photos,
            out=folder / f"{method}-out",
            seed=options.seed,
            psnr=options.psnr,
            method=method,
            format=options.format,
        )
        seconds = (time.perf_counter() - start) / len(photos)
        require(report.count("released") == len(photos), f"not all were released: {report}")
        quality = [_measure_quality(o.source, o.file) for o in report]
        states[method] = State(
            archive,
            [o.id for o in report],
            [o.file for o in report],
            *zip(*quality, strict=True),
            seconds=seconds,
        )
    return states


def _measure_quality(source: str, file: str) -> tuple[float, float]:
    """Measure PSNR and SSIM on the two files, independently of the report."""
    from homing.images import decode_pixels, psnr, ssim

    a, b = (decode_pixels(Path(path).read_bytes()) for path in (source, file))
    peak = 255 if a.dtype.itemsize == 1 else 65535
    return psnr(a, b, peak=peak), ssim(a, b, peak=peak)


def _search(state: State, edit, draws: int, seed: int) -> Mapping[str, object]:
    """Return, by column, the share of each picture's copies found: arrays (pictures,)."""
    import numpy as np

    archive, wanted = state.archive, np.array(state.ids, dtype=object)
    cells = np.array([archive.entry(i).cell for i in state.ids])
    vectors = np.stack([row.vector for row in archive._table.rows(with_vectors=True)])
    names = np.array([row.id for row in archive.entries()], dtype=object)
    found = {column: [] for column in COLUMNS}
    for draw in range(draws):
        queries = describe_copies(archive.descriptor, edit, state.files, seed=seed, draw=draw)
        for column, probes in SETTINGS.items():
            nearest = archive.search_vectors(queries, k=1, probes=probes).ids[:, 0]
            found[column].append(nearest == wanted)
        nearest = np.argmax(queries @ vectors.astype(np.float32).T, axis=1)
        found[EXACT].append(names[nearest] == wanted)
        found[SAME_CELL].append(archive.codebook.cells(queries) == cells)
    return {column: np.mean(right, axis=0) for column, right in found.items()}


def _print_row(name: str, found: Mapping[str, Mapping[str, object]], *, first: bool) -> None:
    if first:
        groups = [column + " |" * (len(found) - 1) for column in COLUMNS]
        print("| edit | " + " | ".join(groups) + " |")
        print("|---" * (1 + len(found) * len(COLUMNS)) + "|")
        print("| | " + " | ".join([*found] * len(COLUMNS)) + " |")
    values = [state[column].mean() for column in COLUMNS for state in found.values()]
    print(f"| {name} | " + " | ".join(f"{value:.2f}" for value in values) + " |", flush=True)


def _print_summary(
    rows: Mapping[str, Mapping[str, Mapping[str, object]]],
    states: Mapping[str, State],
    seed: int,
) -> None:
    """Print for each state its means over the edits, the share of the gap closed, and the cost."""
    import numpy as np

    def mean(name: str, column: str) -> object:
        return np.mean([row[name][column] for row in rows.values()], axis=0)

    print(f"\n| mean of {len(rows)} | " + " | ".join(COLUMNS) + " | share closed |")
    print("|---" * (2 + len(COLUMNS)) + "|")
    first, best = (mean(PASSIVE, column).mean() for column in ("1 probe", EXACT))
    for name in states:
        cells = [format_mean(mean(name, column), seed) for column in COLUMNS]
        share = (mean(name, "1 probe").mean() - first) / (best - first) if best > first else 0.0
        print(f"| {name} | " + " | ".join(cells) + f" | {share:.2f} |")
    print("\nshare closed: of the gap between untouched pictures at 1 probe and by exact search")
    print("\n| files | MB | PSNR least | mean | SSIM least | mean | seconds a picture |")
    print("|---" * 7 + "|")
    for name, state in states.items():
        megabytes = sum(Path(file).stat().st_size for file in state.files) / 1e6
        quality = "| | | | |"
        if state.decibels:
            similar = np.array([s for s in state.similarity if s is not None])
            quality = (
                f"| {min(state.decibels):.3f} | {np.mean(state.decibels):.3f} "
                f"| {similar.min():.3f} | {similar.mean():.3f} | {state.seconds:.2f}"
            )
        print(f"| {name} | {megabytes:.2f} {quality} |")


if __name__ == "__main__":
    sys.exit(main())
