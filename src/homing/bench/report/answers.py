"""``observations.csv`` of ``homing bench``: one row a copy and way to search."""

import csv
from collections.abc import Iterable
from itertools import repeat
from pathlib import Path

import numpy as np

from homing.bench.measure.measured import Measured
from homing.bench.states.states import Common, State
from homing.bench.statistics.measures import recall

_HEADER = (
    "index", "method", "aimed_at", "search", "edit", "draw", "picture", "right", "better", "equal",
    "in_cell", "error",
)  # fmt: skip


def write_answers(path: Path, common: Common, found: Iterable[tuple[Measured, State]]) -> None:
    """Write what became of every copy.

    Parameters
    ----------
    path : Path
    common : Common
    found : iterable of (Measured, State)
        What was measured, and of what.
    """
    queries = common.material.queries
    rows = len(queries.rows)
    edits = np.array([row.edit.name for row in queries.rows], dtype=object)
    draws = np.array([row.draw for row in queries.rows])
    names = np.array([task.name for task in queries.tasks], dtype=object)
    kept = np.zeros(len(names), bool)
    kept[common.kept] = True
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_HEADER)
        for measured, state in found:
            about = [measured.index, measured.method, measured.aimed or ""]
            there = np.flatnonzero(measured.searched)
            cells = [""] * len(there)
            if measured.in_cell is not None:
                cells = measured.in_cell.astype(int).astype(str).tolist()
            for setting, places in zip(measured.settings, measured.places, strict=True):
                writer.writerows(
                    zip(
                        *(repeat(each, len(there)) for each in (*about, setting.name)),
                        edits[there % rows].tolist(),
                        draws[there % rows].tolist(),
                        names[there // rows].tolist(),
                        [f"{value:.6g}" for value in recall(places, 1).tolist()],
                        np.where(places.right > 0, places.greater, -1).tolist(),
                        places.equal.tolist(),
                        cells,
                        repeat("", len(there)),
                        strict=True,
                    )
                )
            for query in np.flatnonzero(~measured.searched).tolist():
                photo, row = divmod(query, rows)
                reason = state.reasons[query] or "the picture is not there in every state"
                writer.writerow(
                    (*about, "", edits[row], draws[row], names[photo], *[""] * 4, reason)
                )
