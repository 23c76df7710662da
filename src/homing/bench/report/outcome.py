"""Outcome of ``homing bench``, as values, as JSON and as CSV."""

import csv
import itertools
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from homing.bench.costs import CostPoint
from homing.bench.dataset.setup import Setup
from homing.bench.dataset.suites import Suite
from homing.bench.encode.encoders import Encoder
from homing.bench.measure.index_results import IndexResult
from homing.bench.measure.measurement import MEASURES, Measurement
from homing.bench.questions import Answer
from homing.bench.report.gallery import Example
from homing.bench.report.results import write_results
from homing.bench.states.state import PASSIVE
from homing.bench.statistics.tables import plain
from homing.search.engines.combined import NEAR


@dataclass(frozen=True, eq=False)
class Outcome:
    """All results of a run."""

    setup: Setup
    suite: Suite
    encoder: Encoder  # of the descriptor
    settings: dict[str, Any]
    indexes: tuple[IndexResult, ...]
    hashes: tuple[Measurement, ...]  # passive, by exact search
    near_duplicates: dict[str, int]  # counts
    points: tuple[CostPoint, ...]  # empty if costs were not measured
    examples: tuple[Example, ...] = field(repr=False)
    answers: tuple[Answer, ...] = ()
    notes: tuple[str, ...] = ()  # what could not be measured
    # files that could not be read or released, each with its reason
    failures: dict[str, str] = field(default_factory=dict)

    @property
    def searches(self) -> tuple[Measurement, ...]:
        """All searches: through codebooks, exactly, by hashes; exact passive search once."""
        first = self.indexes[0]
        found = [measured for result in self.indexes for measured in result.states]
        found.append(first.exact[0])
        found += [measured for result in self.indexes for measured in result.exact[1:]]
        return (*found, *self.hashes)

    def values(self) -> dict[str, Any]:
        """Return all figures, as JSON holds them; its keys are older than the fields' names."""
        return {
            "asked": self.settings,
            "base": asdict(self.setup),
            "twins": self.near_duplicates,
            "descriptor": {
                "name": self.encoder.name,
                "fingerprint": self.encoder.fingerprint,
                "dimension": self.encoder.dimension,
            },
            "indexes": [_index(result) for result in self.indexes],
            "hashes": [_searches(measured) for measured in self.hashes],
            "pareto": [plain(asdict(point)) for point in self.points],
            "questions": [plain(asdict(answer)) for answer in self.answers],
            "notes": list(self.notes),
            "failures": self.failures,
        }

    def lines(self) -> Iterator[dict[str, Any]]:
        """Yield one object per search and edit, then one per index, then one for the run."""
        values = self.values()
        for index, result in zip(values.pop("indexes"), self.indexes, strict=True):
            for measured in (*result.states, *result.exact):
                yield from _rows(measured)
            index.pop("states")
            yield index
        for measured in self.hashes:
            yield from _rows(measured)
        yield values

    def write(self, out: Path, *, seconds: float) -> None:
        """Write ``results.json`` and, as CSV, figures, files, costs and answers."""
        write_results(out, self.values(), seconds=seconds)
        _write_csv(
            out / "figures.csv", (row for found in self.searches for row in _flat_rows(found))
        )
        _write_csv(out / "files.csv", self._files())
        _write_csv(out / "pareto.csv", (_flat(asdict(point)) for point in self.points))
        _write_csv(out / "questions.csv", self._lines())

    def _files(self) -> Iterator[dict[str, Any]]:
        for result in self.indexes:
            for method, release in result.releases.items():
                for row in release.released:
                    yield {
                        "index": result.quantizer.name,
                        "method": method,
                        "file": row.file.name,
                        **asdict(row.quality),
                        "cell_kept": int(row.cell_kept),
                    }

    def _lines(self) -> Iterator[dict[str, Any]]:
        for answer in self.answers:
            for line in answer.lines:
                for name, value in line.figures.items():
                    about = {"question": answer.name, "line": line.label, "figure": name}
                    yield {**about, **plain(asdict(value))}


def _index(result: IndexResult) -> dict[str, Any]:
    codebook = result.quantizer.codebook
    return {
        "name": result.quantizer.name,
        "factory": str(codebook.factory),
        "fingerprint": codebook.fingerprint,
        "origin": result.quantizer.origin,
        "cells": codebook.cell_count,
        "code_bytes": codebook.code_size,
        "states": [_searches(measured) for measured in result.states],
        "exact": [_searches(measured) for measured in result.exact],
        "gains": [
            {
                "method": measured.method,
                "gain": plain(asdict(result.gain(number))),
                "share_closed": plain(asdict(result.won_back(number))),
                "share_closed_near": plain(asdict(result.won_back(number, NEAR))),
            }
            for number, measured in enumerate(result.states)
            if measured.method != PASSIVE
        ],
        "files": {
            method: {
                "count": len(release.released),
                "in_their_cell": sum(row.cell_kept for row in release.released),
                **{name: plain(asdict(s)) for name, s in result.quality(method).items()},
            }
            for method, release in result.releases.items()
        },
        "copy_detection": [
            {
                "method": each.method,
                "search": each.setting,
                **plain(asdict(each.figures)),
            }
            for each in result.detections
        ],
    }


def _searches(measured: Measurement) -> dict[str, Any]:
    """Figures of one state: for each way to search the mean and each edit."""
    return {
        "index": measured.index,
        "method": measured.method,
        "aimed_at": measured.aimed_at,
        "in_cell": plain(asdict(measured.cell())),
        "searches": [
            {
                "search": setting.name,
                "probes": "near" if setting.probes == NEAR else setting.probes,
                "ranked": setting.ranked,
                "cells_visited": visited,
                "mean": {
                    measure: plain(asdict(measured.mean(number, measure))) for measure in MEASURES
                },
                "edits": [
                    {
                        "edit": edit.name,
                        "in_mean": edit.in_mean,
                        "queries": measured.queries[place],
                        "errors": measured.errors[place],
                        **{
                            measure: plain(asdict(measured.figure(number, measure, place)))
                            for measure in MEASURES
                        },
                        "in_cell": plain(asdict(measured.cell(place))),
                    }
                    for place, edit in enumerate(measured.edits)
                ],
            }
            for number, (setting, visited) in enumerate(
                itertools.zip_longest(measured.settings, measured.copies.visited)
            )
        ],
    }


def _rows(measured: Measurement) -> Iterator[dict[str, Any]]:
    """Yield one object per way to search and edit, the mean last."""
    about = {"index": measured.index, "method": measured.method, "aimed_at": measured.aimed_at}
    for found in _searches(measured)["searches"]:
        about["search"] = found["search"]
        for row in found["edits"]:
            yield {**about, **row}
        yield {**about, "edit": f"mean of {len(measured.counted)}", **found["mean"]}


def _flat_rows(measured: Measurement) -> Iterator[dict[str, Any]]:
    for row in _rows(measured):
        row.setdefault("in_mean", "")
        row.setdefault("queries", "")
        row.setdefault("errors", "")
        row.setdefault("in_cell", plain(asdict(measured.cell())))
        yield _flat(row)


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """Expand intervals into three columns."""
    found: dict[str, Any] = {}
    for key, value in row.items():
        if isinstance(value, dict):
            found |= {f"{key}_{part}": each for part, each in value.items()}
        else:
            found[key] = value
    return found


def _write_csv(path: Path, rows: Iterator[dict[str, Any]]) -> None:
    first = next(rows, None)
    with path.open("w", encoding="utf-8", newline="") as file:
        if first is not None:
            writer = csv.DictWriter(file, list(first))
            writer.writeheader()
            writer.writerow(first)
            writer.writerows(rows)
