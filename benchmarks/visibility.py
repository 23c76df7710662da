"""What is seen of a release: folders of released files against their sources.

The files may be of any version or method. A released file is paired with the source of its path
beneath the folder, or of its stem. PSNR, SSIM, bytes and flat pixels are of the files as they are.
SSIMULACRA2, FLIP and CIEDE2000 are of the pictures as shown: one of at most 1,600 pixels on the
longer side as it is; a larger one (a) shrunk to 1,600 by Lanczos, both files alike, (b) shrunk to
800, and (c) at 1:1 in crops of 800 x 800 at nine fixed places, of which the worst counts, by each
measure. Pixels are taken for sRGB, alpha is left out.
"""

import argparse
import json
import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from _common import describe_setup, prepare_process, require
from _pairs import Pair, pair_files, read_pair, spread_places

_CROP, _CROPS = 800, 3  # pixels a side; crops a side of the picture
_OWN_SIZE = "1:1"
_LEAST_QUALITY = 75  # of the JPEG sources whose growth is also given apart
_WORST = 5


@dataclass(frozen=True)
class Measured:
    """Figures of one released file."""

    name: str
    psnr: float  # dB; infinite if nothing changed
    ssim: float | None
    size: int  # bytes
    growth: float  # bytes over the source's
    quality: int | None  # of a source that is a JPEG
    flat: int  # pixels of the source that equal their four neighbours
    flat_changed: int  # of these
    larger: bool  # than the screen
    seen: Mapping[str, object]  # Visibility, by --at; of a picture not larger the first alone


def main() -> int:
    """Measure and print."""
    options = _options()
    prepare_process(1)  # files are measured in processes: one thread each
    from homing.bench.states.visibility import has_flip

    folders = [options.first, *options.more]
    for folder in (options.sources, *folders):
        require(folder.is_dir(), f"{folder} is no folder")
    describe_setup(sources=options.sources, seen_at=", ".join(options.at))
    if not has_flip():
        print("FLIP is not measured: its package flip-evaluator is not installed\n")
    rows: dict[Path, list[Measured]] = {}
    failed = []
    context = get_context("spawn")  # forking a process that runs threads may hang
    with ProcessPoolExecutor(options.processes, mp_context=context) as pool:
        for folder in folders:
            pairs, without = pair_files(options.sources, folder)
            failed += [f"{folder}: {name} has no source" for name in without]
            measured = list(pool.map(partial(_measure, at=options.at), pairs))
            failed += [f"{folder}: {each}" for each in measured if isinstance(each, str)]
            rows[folder] = [each for each in measured if isinstance(each, Measured)]
            require(bool(rows[folder]), f"no file in {folder} could be measured: {failed}")
    _print_table(rows, options.at)
    _print_worst(rows)
    for line in failed:
        print(f"left out: {line}", file=sys.stderr)
    if options.json is not None:
        options.json.write_text(json.dumps(_values(rows, options.at, failed), indent=1) + "\n")
    return 1 if failed else 0


def _options():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("sources", type=Path, help="folder of the untouched pictures")
    parser.add_argument("first", type=Path, metavar="RELEASED", help="folder of released files")
    parser.add_argument("more", type=Path, nargs="*", metavar="RELEASED", help="others")
    parser.add_argument(
        "--at",
        type=_sizes,
        default=("1600", "800", _OWN_SIZE),
        help="how larger pictures are shown: longer sides in pixels, and 1:1; default 1600,800,1:1",
    )
    parser.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--json", type=Path, help="file for all figures")
    return parser.parse_args()


def _sizes(text: str) -> tuple[str, ...]:
    sizes = tuple(dict.fromkeys(each.strip() for each in text.split(",")))
    if not all(each == _OWN_SIZE or (each.isdecimal() and int(each) > 0) for each in sizes):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list such as 1600,800,{_OWN_SIZE}")
    return sizes


def _measure(pair: Pair, at: Sequence[str]) -> "Measured | str":
    """Measure one file, in a process; a picture that cannot be compared gives the reason."""
    from homing.bench.states.visibility import SCREEN, as_shown, measure_visibility
    from homing.errors import HomingError
    from homing.images import psnr, ssim

    try:
        original, released = read_pair(pair)
    except HomingError as error:
        return str(error)
    peak, both = original.peak, (original.samples, released.samples)
    larger = max(both[0].shape[:2]) > SCREEN
    seen = {}
    for size in at if larger else at[:1]:
        if size == _OWN_SIZE and larger:
            seen[size] = _worst_crop(*both, peak)
        else:
            side = int(size) if larger else SCREEN
            seen[size] = measure_visibility(
                *(as_shown(each, peak=peak, side=side) for each in both)
            )
    sizes = [path.stat().st_size for path in (pair.released, pair.source)]
    flat = _flat(both[0])
    changed = (both[0] != both[1]).any(axis=2)
    return Measured(
        pair.name,
        psnr(*both, peak=peak),
        ssim(*both, peak=peak),
        sizes[0],
        sizes[0] / sizes[1],
        original.quality,
        int(flat.sum()),
        int((flat & changed).sum()),
        larger,
        seen,
    )


def _worst_crop(before, after, peak: int):
    """Return the worst figure of each measure over crops at fixed places."""
    from homing.bench.states.visibility import Visibility, as_shown, measure_visibility

    height, width = before.shape[:2]
    found = []
    for top in spread_places(height, _CROP, _CROPS):
        for left in spread_places(width, _CROP, _CROPS):
            place = slice(top, top + _CROP), slice(left, left + _CROP)
            found.append(
                measure_visibility(*(as_shown(each[place], peak=peak) for each in (before, after)))
            )

    def most(name: str) -> float | None:
        values = [getattr(each, name) for each in found]
        return None if None in values else max(values)

    scores = [each.ssimulacra2 for each in found if each.ssimulacra2 is not None]
    differences = most("delta_e"), most("delta_e_99")
    return Visibility(min(scores, default=None), most("flip"), *differences)


def _flat(pixels):
    """Return which pixels equal their four neighbours in all channels; those of the rim do not."""
    import numpy as np

    across = (pixels[:, 1:] == pixels[:, :-1]).all(axis=2)
    down = (pixels[1:] == pixels[:-1]).all(axis=2)
    flat = np.zeros(pixels.shape[:2], bool)
    flat[1:-1, 1:-1] = across[1:-1, 1:] & across[1:-1, :-1] & down[1:, 1:-1] & down[:-1, 1:-1]
    return flat


_COLUMNS = (
    "released", "seen", "files", "PSNR mean", "least", "SSIM mean", "SSIMULACRA2 mean", "5 %",
    "least", "FLIP", "ΔE00 mean", "99 %", "bytes mean", "most", "JPEG ≥ 75 mean", "most",
    "flat pixels changed",
)  # fmt: skip


def _print_table(rows: Mapping[Path, Sequence[Measured]], at: Sequence[str]) -> None:
    print("| " + " | ".join(_COLUMNS) + " |")
    print("|---" * len(_COLUMNS) + "|")
    for folder, measured in rows.items():
        for figures in _summaries(measured, at):
            cells = [folder.name, figures["seen"], str(figures["files"])]
            for key, digits in _FIGURES:
                value = figures.get(key)
                cells.append("" if value is None else f"{value:.{digits}f}")
            print("| " + " | ".join(cells) + " |")
    print(
        "\nbytes: over the source's; the second pair of JPEG sources of an estimated quality of "
        f"{_LEAST_QUALITY} or more. SSIMULACRA2: 70 high quality, 85 and more not told apart.\n"
        "FLIP and ΔE00 are means over files, the 99th percentile is each file's; of crops the "
        "worst of each file.\nflat pixels: equal to their four neighbours; share of all files' "
        "together.",
        flush=True,
    )


_FIGURES = (
    ("psnr", 2), ("psnr_least", 2), ("ssim", 4), ("ssimulacra2", 1), ("ssimulacra2_5", 1),
    ("ssimulacra2_least", 1), ("flip", 3), ("delta_e", 2), ("delta_e_99", 2), ("growth", 3),
    ("growth_most", 3), ("growth_jpeg", 3), ("growth_jpeg_most", 3), ("flat_changed", 3),
)  # fmt: skip


def _summaries(measured: Sequence[Measured], at: Sequence[str]) -> Iterator[dict[str, object]]:
    """Yield one row for each way of showing; figures of the files themselves on the first."""
    for number, size in enumerate(at):
        some = [each.seen[size] for each in measured if size in each.seen]
        if not some:
            continue
        title = "1:1, worst crop" if size == _OWN_SIZE else f"at most {size}"
        about = {"seen": title + (" (of larger ones)" if number else ""), "files": len(some)}
        scores = [each.ssimulacra2 for each in some if each.ssimulacra2 is not None]
        yield {
            **about,
            **(_file_figures(measured) if number == 0 else {}),
            "ssimulacra2": _mean(scores),
            "ssimulacra2_5": _percentile(scores, 5),
            "ssimulacra2_least": min(scores, default=None),
            "flip": None if some[0].flip is None else _mean([each.flip for each in some]),
            "delta_e": _mean([each.delta_e for each in some]),
            "delta_e_99": _mean([each.delta_e_99 for each in some]),
        }


def _file_figures(measured: Sequence[Measured]) -> dict[str, object]:
    decibels = [each.psnr for each in measured if math.isfinite(each.psnr)]
    good = [
        each.growth
        for each in measured
        if each.quality is not None and each.quality >= _LEAST_QUALITY
    ]
    flat = sum(each.flat for each in measured)
    return {
        "psnr": _mean(decibels),
        "psnr_least": min(decibels, default=None),
        "ssim": _mean([each.ssim for each in measured if each.ssim is not None]),
        "growth": _mean([each.growth for each in measured]),
        "growth_most": max(each.growth for each in measured),
        "growth_jpeg": _mean(good),
        "growth_jpeg_most": max(good, default=None),
        "flat_changed": sum(each.flat_changed for each in measured) / flat if flat else None,
    }


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _percentile(values: Sequence[float], share: float) -> float | None:
    import numpy as np

    return float(np.percentile(values, share)) if values else None


def _print_worst(rows: Mapping[Path, Sequence[Measured]]) -> None:
    """Print the files of the least SSIMULACRA2, however they are shown."""
    for folder, measured in rows.items():
        scores = [
            (seen.ssimulacra2, size, each)
            for each in measured
            for size, seen in each.seen.items()
            if seen.ssimulacra2 is not None
        ]
        least = {}
        for score, size, each in sorted(scores, key=lambda found: found[0]):
            least.setdefault(each.name, (score, size, each))
        print(f"\nworst by SSIMULACRA2 in {folder}:")
        for score, size, each in list(least.values())[:_WORST]:
            shown = f" at {size}" if each.larger else ""
            print(
                f"  {score:.1f}{shown}, {each.psnr:.2f} dB, {each.growth:.2f} times the bytes: "
                f"{each.name}"
            )


def _values(
    rows: Mapping[Path, Sequence[Measured]], at: Sequence[str], failed: Sequence[str]
) -> dict[str, object]:
    from homing.bench.statistics.tables import plain

    return plain(
        {
            "folders": [
                {
                    "released": str(folder),
                    "summary": list(_summaries(measured, at)),
                    "files": [asdict(each) for each in measured],
                }
                for folder, measured in rows.items()
            ],
            "failed": list(failed),
        }
    )


if __name__ == "__main__":
    sys.exit(main())
