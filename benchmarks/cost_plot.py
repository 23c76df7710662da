"""The points of `cost.py`, drawn: recall against cells read, and against codes compared.

Copies of pictures by the same codebook untouched and released, and untouched pictures by all else.
"""

import argparse
import json
import sys
from itertools import pairwise
from pathlib import Path

LEVEL = 0.95  # recall at which the two states are compared
_RELEASED, _UNTOUCHED, _RIVALS = "#0067c0", "#c2410c", ("#0f766e", "#7e22ce", "#a16207", "#475569")
_SIZE = (9.0, 4.4)  # inches
_DOTS = 150


def main() -> int:
    """Draw points that were written by `cost.py --points`."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("points", type=Path, nargs="+", help="files of cost.py")
    parser.add_argument("--index", default="IVF1024,PQ8x8", help="that pictures were released for")
    parser.add_argument("--out", type=Path, default=Path("docs/recall-by-cost.png"))
    options = parser.parse_args()
    from matplotlib.figure import Figure

    found = [point for path in options.points for point in json.loads(path.read_text())]
    figure = Figure(figsize=_SIZE, layout="constrained", facecolor="white")
    by_cells, by_codes = figure.subplots(1, 2, sharey=True)
    draw_cells(by_cells, found, options.index)
    draw_codes(by_codes, found, options.index)
    figure.savefig(options.out, dpi=_DOTS)
    return 0


def curve(found, index: str, state: str, places: int, cost: str):
    """Return a line's costs and recalls: the points of which none cheaper finds as much."""
    line = sorted(
        (point[cost], point["recall"])
        for point in found
        if (point["index"], point["state"], point["places"]) == (index, state, places)
    )
    best = [(x, y) for n, (x, y) in enumerate(line) if all(y > other for _, other in line[:n])]
    return [x for x, _ in best], [y for _, y in best]


def draw_cells(axes, found, index: str) -> None:
    """Draw recall against cells read: each is a list to fetch, a request where it is remote."""
    lines = {
        "released": curve(found, index, "released", 2, "cells"),
        "untouched": curve(found, index, "untouched", 1, "cells"),
    }
    axes.plot(*lines["released"], "o-", color=_RELEASED, ms=4, lw=2)
    axes.plot(*lines["untouched"], "o-", color=_UNTOUCHED, ms=4, lw=2)
    axes.text(1, 0.993, "released, held in two cells", color=_RELEASED, weight="bold", ha="left")
    axes.text(2.2, 0.735, "untouched", color=_UNTOUCHED, weight="bold", ha="left")
    first, second = (crossing(*lines[state]) for state in ("released", "untouched"))
    arrow = {"arrowstyle": "<->", "color": "#111111", "lw": 1.4, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", (first, LEVEL), (second, LEVEL), arrowprops=arrow)
    text = f"{LEVEL:.0%} of the copies are found\nin {first:.1f} cells instead of {second:.0f}"
    axes.text(0.97, 0.3, text, transform=axes.transAxes, ha="right", va="top", size=9.5)
    _finish(axes, "cells read (remote: requests)")
    axes.set_ylabel("copies found first (R@1, 14 edits)")


def draw_codes(axes, found, index: str) -> None:
    """Draw recall against codes compared, with rivals that leave pictures untouched."""
    entries = found[0]["entries"]
    others = dict.fromkeys(p["index"] for p in found if p["state"] == "untouched")
    axes.plot(
        *curve(found, index, "released", 1, "codes"), "o-", color=_RELEASED, ms=4, lw=2,
        label=f"released, {_short(index)}",
    )  # fmt: skip
    axes.plot(
        *curve(found, index, "untouched", 1, "codes"), "o-", color=_UNTOUCHED, ms=4, lw=2,
        label=f"untouched, {_short(index)}",
    )  # fmt: skip
    rivals = [name for name in others if name not in (index, "Flat") and _is_shown(name)]
    for name, colour in zip(rivals, _RIVALS, strict=False):
        line = curve(found, name, "untouched", 1, "codes")
        axes.plot(*line, ".--", color=colour, ms=5, lw=1.2, label=f"untouched, {_short(name)}")
    axes.legend(loc="lower right", frameon=False, fontsize=8.5)
    _finish(axes, f"codes compared, of {entries:,} (HNSW: vectors)")


def crossing(costs, recalls) -> float:
    """Return the cost at which a line reaches the level, between its points on a log axis."""
    from math import exp, log

    pairs = list(zip(costs, recalls, strict=True))
    for (x, y), (next_x, next_y) in pairwise(pairs):
        if y < LEVEL <= next_y:
            share = (LEVEL - y) / (next_y - y)
            return exp(log(x) + share * (log(next_x) - log(x)))
    return costs[0]


def _is_shown(name: str) -> bool:
    return name.startswith("HNSW") or name.endswith("PQ8x8")


def _short(name: str) -> str:
    return name.partition(",")[0].replace("IVF", "") + " cells" if "IVF" in name else name


def _finish(axes, name: str) -> None:
    from matplotlib.ticker import FuncFormatter, NullFormatter

    axes.set_xscale("log")
    axes.set_ylim(0.6, 1.01)
    axes.set_xlabel(name)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(color="#e5e5e5", lw=0.7)
    axes.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    sys.exit(main())
