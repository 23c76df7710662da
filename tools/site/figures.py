"""Figures of the documentation: the idea in a plane, and copies that keep their cell.

    python tools/site/figures.py [--out docs/pictures] [--only NAME]

Needs the extra ``bench`` (matplotlib).
"""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

mpl.use("svg")
mpl.rcParams |= {"font.family": "DejaVu Sans", "font.size": 11, "svg.hashsalt": "homing"}
import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402

_OUT = Path(__file__).parents[2] / "docs" / "pictures"
#: Colours that are read on white and on black.
_GREY, _TEAL, _ORANGE, _RED = "#8a8f98", "#12998a", "#e07b00", "#d64545"
_SEED = 5

Points = NDArray[np.float64]

_CENTROIDS = np.array(
    [
        [0.1, 0.2],
        [0.5, 0.1],
        [0.9, 0.25],
        [0.25, 0.6],
        [0.62, 0.5],
        [0.95, 0.7],
        [0.5, 0.92],
        [0.1, 0.95],
    ]
)
_PICTURE = np.array([0.435, 0.52])  # beside the wall between the cells 3 and 4
_ACTIVATED = np.array([0.60, 0.515])
_HOME = 4


def main() -> int:
    """Draw all figures, or one."""
    reader = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    reader.add_argument("--out", type=Path, default=_OUT, help="folder for the figures")
    reader.add_argument("--only", choices=FIGURES, help="one figure")
    options = reader.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for name in [options.only] if options.only else FIGURES:
        figure = FIGURES[name]()
        path = options.out / f"{name}.svg"
        figure.savefig(path, transparent=True, bbox_inches="tight", metadata={"Date": None})
        plt.close(figure)
        print(path)
    return 0


def _points() -> Any:
    figure, axes = _plane()
    others = _others()
    copies = _PICTURE + _moves()
    axes.scatter(*others.T, s=22, color=_GREY, label="other pictures")
    axes.scatter(*copies.T, s=26, color=_ORANGE, label="edited copies")
    axes.scatter(*_PICTURE, s=120, marker="*", color=_TEAL, label="the picture", zorder=3)
    _legend(axes)
    return figure


def _cells() -> Any:
    figure, axes = _plane()
    _draw_cells(axes)
    others = _others()
    inside = _cell_of(others) == _HOME
    axes.scatter(*others[~inside].T, s=22, color=_GREY, alpha=0.5, label="not looked at")
    axes.scatter(*others[inside].T, s=26, color=_TEAL, label="compared with the query")
    axes.scatter(0.7, 0.55, s=90, marker="X", color=_ORANGE, label="the query", zorder=3)
    axes.scatter(*_CENTROIDS.T, s=18, marker="+", color=_GREY, label="centroids")
    _legend(axes)
    return figure


def _with_copies(place: Points) -> Any:
    figure, axes = _plane()
    _draw_cells(axes)
    copies = place + _moves()
    kept = _cell_of(copies) == _HOME
    axes.scatter(*copies[kept].T, s=34, color=_TEAL, label=f"found: {kept.sum()} copies")
    if not kept.all():
        missed = copies[~kept]
        axes.scatter(*missed.T, s=34, marker="x", color=_RED, label=f"missed: {len(missed)}")
    if place is not _PICTURE:
        axes.annotate(
            "", place, _PICTURE, arrowprops={"arrowstyle": "->", "color": _ORANGE, "lw": 1.6}
        )
        axes.scatter(*_PICTURE, s=110, marker="*", facecolors="none", edgecolors=_ORANGE)
    axes.scatter(*place, s=130, marker="*", color=_ORANGE, label="the picture", zorder=3)
    _legend(axes)
    return figure


def _cells_kept() -> Any:
    """Measure the demonstration's pictures: copies in the cell of their picture, by edit."""
    import homing
    from homing.demo.material import copy_bundled_pictures
    from homing.edits import paper_edits
    from homing.images import read_rgb

    descriptor = homing.load_descriptor("homing-s")
    codebook = homing.load_codebook("homing-s-IVF1024-PQ8x8")
    with tempfile.TemporaryDirectory() as folder:
        copy_bundled_pictures(Path(folder))
        pictures = [read_rgb(path) for path in sorted(Path(folder).iterdir())]
    released = homing.activate(pictures, descriptor, codebook)
    shares: dict[str, list[float]] = {}
    for state in (pictures, released):
        home = codebook.cells(descriptor.describe(state))
        for edit in (each for each in paper_edits() if each.in_mean):
            copies = [
                edit.apply(picture, np.random.default_rng([_SEED, number]))
                for number, picture in enumerate(state)
            ]
            kept = codebook.cells(descriptor.describe(copies)) == home
            shares.setdefault(edit.name, []).append(float(np.mean(kept)))
    figure, axes = plt.subplots(figsize=(7.2, 4.6))
    names = list(shares)
    before, after = np.array([shares[name] for name in names]).T
    rows = np.arange(len(names))[::-1]
    axes.barh(rows + 0.2, before, 0.38, color=_GREY, label=f"untouched ({before.mean():.2f})")
    axes.barh(rows - 0.2, after, 0.38, color=_TEAL, label=f"released ({after.mean():.2f})")
    axes.set_yticks(rows, names)
    axes.set_xlabel("share of copies in their picture's cell")
    axes.set_xlim(0, 1)
    _quiet(axes)
    axes.legend(
        frameon=False, labelcolor=_GREY, loc="upper center", ncols=2, bbox_to_anchor=(0.4, 1.1)
    )
    return figure


def _plane() -> tuple[Any, Axes]:
    figure, axes = plt.subplots(figsize=(6.4, 3.6))
    axes.set_xlim(0, 1.05)
    axes.set_ylim(0, 1.05)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color(_GREY)
        spine.set_alpha(0.4)
    return figure, axes


def _draw_cells(axes: Axes) -> None:
    grid = np.stack(np.meshgrid(*[np.linspace(0, 1.05, 240)] * 2), -1)
    owner = _cell_of(grid.reshape(-1, 2)).reshape(grid.shape[:2])
    axes.contourf(*np.moveaxis(grid, -1, 0), owner == _HOME, [0.5, 1.5], colors=[_TEAL], alpha=0.16)
    for cell in range(len(_CENTROIDS)):
        axes.contour(*np.moveaxis(grid, -1, 0), owner == cell, [0.5], colors=[_GREY], linewidths=1)


def _cell_of(points: Points) -> NDArray[np.intp]:
    return np.argmin(np.linalg.norm(points[:, None] - _CENTROIDS, axis=2), axis=1)


def _others() -> Points:
    points = np.random.default_rng(_SEED).uniform(0.03, 1.02, (46, 2))
    return points[np.linalg.norm(points - _PICTURE, axis=1) > 0.16]


def _moves() -> Points:
    """Return what eight edits do to a picture's point."""
    angles = np.linspace(0, 2 * np.pi, 8, endpoint=False) + 0.3
    lengths = np.array([0.07, 0.045, 0.06, 0.075, 0.05, 0.07, 0.06, 0.05])
    return np.stack([np.cos(angles), 1.5 * np.sin(angles)], 1) * lengths[:, None]


def _quiet(axes: Axes) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for spine in axes.spines.values():
        spine.set_color(_GREY)
    axes.tick_params(colors=_GREY)
    axes.xaxis.label.set_color(_GREY)
    axes.yaxis.label.set_color(_GREY)


def _legend(axes: Axes) -> None:
    """Put the legend below: beside the plane it would be too small on a telephone."""
    axes.legend(
        frameon=False,
        labelcolor=_GREY,
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        ncols=2,
        handlelength=1,
    )


FIGURES: dict[str, Callable[[], Any]] = {
    "idea-points": _points,
    "idea-cells": _cells,
    "idea-wall": lambda: _with_copies(_PICTURE),
    "idea-activated": lambda: _with_copies(_ACTIVATED),
    "idea-cells-kept": _cells_kept,
}


if __name__ == "__main__":
    raise SystemExit(main())
