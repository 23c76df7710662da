"""What was seen, one row an observation, in CSV."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from homing.bench.dataset.base import Base, Plan
from homing.bench.dataset.queries import Queries
from homing.bench.search.copy_detection import Predictions
from homing.bench.search.exact import Answers
from homing.bench.statistics.measures import recall

Rows = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


class Observations:
    """``observations.csv`` and ``copies.csv``, one row an observation.

    Parameters
    ----------
    out : Path
        Folder; made if need be.
    """

    def __init__(self, out: Path) -> None:
        out.mkdir(parents=True, exist_ok=True)
        self._files: list[IO[str]] = []
        self._answers = self._open(
            out / "observations.csv",
            "descriptor", "edit", "draw", "picture", "right", "right_without_twins", "greater",
            "equal", "similarity", "nearest", "nearest_similarity", "error",
        )  # fmt: skip
        self._copies = self._open(
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

    def __enter__(self) -> "Observations":
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files:
            file.close()

    def answers(
        self,
        name: str,
        queries: Queries,
        base: Base,
        rows: Rows,
        answers: Answers,
        made: Flags,
        reasons: Sequence[str | None],
    ) -> None:
        """Write what exact search said to every edited copy.

        Parameters
        ----------
        name : str
            Of the encoder.
        queries : Queries
        base : Base
        rows : ndarray
            For each place that was searched the row of the base.
        answers : Answers
            Of the queries made.
        made : ndarray of bool
            Of all queries.
        reasons : sequence of (str or None)
            Why others could not be made.
        """
        right, strict = recall(answers.places, 1), recall(answers.strict, 1)
        number = 0
        for query, done in enumerate(made):
            picture, row = divmod(query, len(queries.rows))
            drawn = queries.rows[row]
            first = (name, drawn.edit.name, drawn.draw, queries.tasks[picture].name)
            if not done:
                reason = reasons[query] or "the picture itself cannot be read"
                self._answers.writerow((*first, *[""] * 7, reason))
                continue
            self._answers.writerow(
                (
                    *first,
                    f"{right[number]:.6g}",
                    f"{strict[number]:.6g}",
                    answers.places.greater[number],
                    answers.places.equal[number],
                    f"{answers.right[number]:.6f}",
                    base.name(int(rows[answers.nearest[number]])),
                    f"{answers.similarity[number]:.6f}",
                    "",
                )
            )
            number += 1

    def copies(self, name: str, base: Base, rows: Rows, found: Predictions, plan: Plan) -> None:
        """Write the predictions that copy detection is scored by.

        Parameters
        ----------
        name : str
            Of the encoder.
        base : Base
        rows : ndarray
            For each place that was searched the row of the base.
        found : Predictions
        plan : Plan
        """
        for query, matched in enumerate(found.matched):
            photos = plan.photos if matched else plan.unmatched
            picture = photos[found.picture[query]].relative
            for place, similarity in enumerate(found.similarity[query]):
                self._copies.writerow(
                    (
                        name,
                        picture,
                        int(matched),
                        place,
                        f"{similarity - found.norm[query]:.6f}",
                        f"{similarity:.6f}",
                        base.name(int(rows[found.rows[query, place]])),
                        int(found.right[query, place]),
                        int(found.counted[query, place]),
                    )
                )
