"""Observations, one row each, as CSV."""

import csv
from collections.abc import Iterable
from itertools import repeat
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from homing.bench.dataset.ground_truth import GroundTruth
from homing.bench.measure.measurement import Measurement
from homing.bench.search.copy_detection import Predictions
from homing.bench.search.exact import ExactHits
from homing.bench.states.benchmark import Benchmark
from homing.bench.states.state import State
from homing.bench.statistics.measures import recall

_HEADER = (
    "index", "method", "aimed_at", "search", "edit", "draw", "picture", "right", "better", "equal",
    "in_cell", "error",
)  # fmt: skip

Flags = npt.NDArray[np.bool_]


def write_observations(
    path: Path, benchmark: Benchmark, measured: Iterable[tuple[Measurement, State]]
) -> None:
    """Write ``observations.csv`` of ``homing bench``: a row for each copy and way to search."""
    queries = benchmark.material.queries
    rows = len(queries.rows)
    edits = np.array([row.edit.name for row in queries.rows], dtype=object)
    draws = np.array([row.draw for row in queries.rows])
    names = np.array([task.name for task in queries.tasks], dtype=object)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_HEADER)
        for measurement, state in measured:
            about = [measurement.index, measurement.method, measurement.aimed_at or ""]
            copies = measurement.copies
            searched = np.flatnonzero(copies.searched)
            cells = [""] * len(searched)
            if copies.in_cell is not None:
                cells = copies.in_cell.astype(int).astype(str).tolist()
            for setting, places in zip(copies.settings, copies.places, strict=True):
                writer.writerows(
                    zip(
                        *(repeat(each, len(searched)) for each in (*about, setting.name)),
                        edits[searched % rows].tolist(),
                        draws[searched % rows].tolist(),
                        names[searched // rows].tolist(),
                        [f"{value:.6g}" for value in recall(places, 1).tolist()],
                        np.where(places.right > 0, places.greater, -1).tolist(),
                        places.equal.tolist(),
                        cells,
                        repeat("", len(searched)),
                        strict=True,
                    )
                )
            for query in np.flatnonzero(~copies.searched).tolist():
                photo, row = divmod(query, rows)
                reason = state.reasons[query] or "the picture is not there in every state"
                writer.writerow(
                    (*about, "", edits[row], draws[row], names[photo], *[""] * 4, reason)
                )


class DescriptorObservations:
    """``observations.csv`` and ``copies.csv`` of ``homing bench descriptors``."""

    def __init__(self, out: Path, truth: GroundTruth) -> None:
        out.mkdir(parents=True, exist_ok=True)
        self._truth = truth
        self._files: list[IO[str]] = []
        self._hits = self._open(
            out / "observations.csv",
            "descriptor", "edit", "draw", "picture", "right", "right_without_twins", "greater",
            "equal", "similarity", "nearest", "nearest_similarity", "error",
        )  # fmt: skip
        self._predictions = self._open(
            out / "copies.csv",
            "descriptor", "picture", "has_match", "place", "score", "similarity", "entry", "right",
            "counted",
        )  # fmt: skip

    def _open(self, path: Path, *names: str) -> Any:
        file = path.open("w", encoding="utf-8", newline="")
        self._files.append(file)
        writer = csv.writer(file)
        writer.writerow(names)
        return writer

    def __enter__(self) -> "DescriptorObservations":
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files:
            file.close()

    def write_hits(self, name: str, hits: ExactHits, made: Flags) -> None:
        """Write the results of exact search by an encoder for every edited copy.

        `hits` are of the queries made, `made` of all queries.
        """
        queries, reasons = self._truth.material.queries, self._truth.material.copies.reasons
        right, strict = recall(hits.places, 1), recall(hits.strict, 1)
        number = 0
        for query, done in enumerate(made):
            picture, row = divmod(query, len(queries.rows))
            drawn = queries.rows[row]
            first = (name, drawn.edit.name, drawn.draw, queries.tasks[picture].name)
            if not done:
                reason = reasons[query] or "the picture itself cannot be read"
                self._hits.writerow((*first, *[""] * 7, reason))
                continue
            self._hits.writerow(
                (
                    *first,
                    f"{right[number]:.6g}",
                    f"{strict[number]:.6g}",
                    hits.places.greater[number],
                    hits.places.equal[number],
                    f"{hits.right[number]:.6f}",
                    self._entry(hits.nearest[number]),
                    f"{hits.similarity[number]:.6f}",
                    "",
                )
            )
            number += 1

    def write_predictions(self, name: str, found: Predictions) -> None:
        """Write the predictions by an encoder that copy detection is scored by."""
        plan = self._truth.material.plan
        for query, matched in enumerate(found.matched):
            photos = plan.photos if matched else plan.unmatched
            picture = photos[found.picture[query]].relative
            for place, similarity in enumerate(found.similarity[query]):
                self._predictions.writerow(
                    (
                        name,
                        picture,
                        int(matched),
                        place,
                        f"{similarity - found.norm[query]:.6f}",
                        f"{similarity:.6f}",
                        self._entry(found.rows[query, place]),
                        int(found.right[query, place]),
                        int(found.counted[query, place]),
                    )
                )

    def _entry(self, place: np.int64) -> str:
        """Name of the entry at a place among those searched."""
        return self._truth.material.base.name(int(self._truth.searched_rows.rows[place]))
