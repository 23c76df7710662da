"""All that ``homing bench`` found, as values, as JSON and as CSV."""

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from homing.bench.costs import Point
from homing.bench.dataset.setup import Setup
from homing.bench.dataset.suites import Suite
from homing.bench.encode.encoders import Encoder
from homing.bench.measure.detection import Detected
from homing.bench.measure.measured import MEASURES, Measured, share_closed
from homing.bench.questions import Answer
from homing.bench.report.gallery import Example
from homing.bench.report.report import write_results
from homing.bench.states.codebooks import Quantizer
from homing.bench.states.released import Release
from homing.bench.states.states import PASSIVE
from homing.bench.statistics.bootstrap import Interval, make_interval
from homing.bench.statistics.tables import plain

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Spread:
    """How a quantity is distributed over the files."""

    mean: float
    least: float
    tenth: float
    median: float
    ninetieth: float
    most: float


def spread(values: Sequence[float]) -> Spread:
    """Describe finite values; NaN where there are none."""
    finite = np.array([each for each in values if math.isfinite(each)])
    if not len(finite):
        return Spread(*[float("nan")] * 6)
    low, middle, high = np.percentile(finite, [10, 50, 90]).tolist()
    return Spread(float(finite.mean()), float(finite.min()), low, middle, high, float(finite.max()))


@dataclass(frozen=True, eq=False)
class Family:
    """One codebook: copies searched for through it, passive and released for it.

    Attributes
    ----------
    quantizer : Quantizer
    states : tuple of Measured
        Passive first, then each method.
    exact : tuple of Measured
        The same states, by exact search.
    detected : tuple of Detected
        Copy detection in these states, at one probe and exactly.
    releases : dict
        From the method's name to its files.
    """

    quantizer: Quantizer
    states: tuple[Measured, ...]
    exact: tuple[Measured, ...]
    detected: tuple[Detected, ...]
    releases: dict[str, Release]

    def closed(self, number: int) -> Interval:
        """Share of one probe's loss that a state wins back."""
        return share_closed(self.states[0], self.states[number], self.exact[0])

    def gain(self, number: int) -> Interval:
        """What a state's R@1 at one probe, re-ranked, is above the passive one's; paired."""
        (before, lows), (after, highs) = (
            each.mean_samples(each.setting(1, ranked=True))
            for each in (self.states[0], self.states[number])
        )
        return make_interval(after - before, highs - lows)

    def quality(self, method: str) -> dict[str, Spread]:
        """How far a method's files are from their sources."""
        rows = [row.quality for row in self.releases[method].released]
        return {
            "psnr": spread([row.psnr for row in rows]),
            "ssim": spread([row.ssim for row in rows if row.ssim is not None]),
            "largest_change": spread([row.largest for row in rows]),
        }


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a run found.

    Attributes
    ----------
    setup : Setup
    suite : Suite
    encoder : Encoder
        Of the descriptor.
    asked : dict
        Settings, as they were given.
    families : tuple of Family
    hashes : tuple of Measured
        Passive, by exact search.
    twins : dict
        Counts.
    points : tuple of Point
        What recall costs; empty if that was not asked for.
    examples : tuple of Example
    answers : tuple of Answer
        To what the paper left open; see :mod:`homing.bench.questions`.
    notes : tuple of str
        What could not be done.
    failures : dict
        Files that could not be read or released, each with its reason.
    """

    setup: Setup
    suite: Suite
    encoder: Encoder
    asked: dict[str, Any]
    families: tuple[Family, ...]
    hashes: tuple[Measured, ...]
    twins: dict[str, int]
    points: tuple[Point, ...]
    examples: tuple[Example, ...] = field(repr=False)
    answers: tuple[Answer, ...] = ()
    notes: tuple[str, ...] = ()
    failures: dict[str, str] = field(default_factory=dict)

    @property
    def searches(self) -> tuple[Measured, ...]:
        """Everything searched: through codebooks, exactly, by hashes; exact passive search once."""
        first = self.families[0]
        found = [measured for family in self.families for measured in family.states]
        found.append(first.exact[0])
        found += [measured for family in self.families for measured in family.exact[1:]]
        return (*found, *self.hashes)

    def values(self) -> dict[str, Any]:
        """All figures, as JSON holds them."""
        return {
            "asked": self.asked,
            "base": asdict(self.setup),
            "twins": self.twins,
            "descriptor": {
                "name": self.encoder.name,
                "fingerprint": self.encoder.fingerprint,
                "dimension": self.encoder.dimension,
            },
            "indexes": [_index(family) for family in self.families],
            "hashes": [_searches(measured) for measured in self.hashes],
            "pareto": [plain(asdict(point)) for point in self.points],
            "questions": [plain(asdict(answer)) for answer in self.answers],
            "notes": list(self.notes),
            "failures": self.failures,
        }

    def lines(self) -> Iterator[dict[str, Any]]:
        """Yield one object a search and edit, then one an index, then one of the run."""
        values = self.values()
        for index, family in zip(values.pop("indexes"), self.families, strict=True):
            for measured in (*family.states, *family.exact):
                yield from _rows(measured)
            index.pop("states")
            yield index
        for measured in self.hashes:
            yield from _rows(measured)
        yield values

    def write(self, out: Path, *, seconds: float) -> None:
        """Write ``results.json`` and, as CSV, figures, files, costs and answers.

        Parameters
        ----------
        out : Path
            Folder; made if need be.
        seconds : float
            What the run took.
        """
        write_results(out, self.values(), seconds=seconds)
        _write_csv(
            out / "figures.csv", (row for found in self.searches for row in _flat_rows(found))
        )
        _write_csv(out / "files.csv", self._files())
        _write_csv(out / "pareto.csv", (_flat(asdict(point)) for point in self.points))
        _write_csv(out / "questions.csv", self._lines())

    def _files(self) -> Iterator[dict[str, Any]]:
        for family in self.families:
            for method, release in family.releases.items():
                for row in release.released:
                    yield {
                        "index": family.quantizer.name,
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


def _index(family: Family) -> dict[str, Any]:
    codebook = family.quantizer.codebook
    return {
        "name": family.quantizer.name,
        "factory": str(codebook.factory),
        "fingerprint": codebook.fingerprint,
        "origin": family.quantizer.origin,
        "cells": codebook.cell_count,
        "code_bytes": codebook.code_size,
        "states": [_searches(measured) for measured in family.states],
        "exact": [_searches(measured) for measured in family.exact],
        "gains": [
            {
                "method": measured.method,
                "gain": plain(asdict(family.gain(number))),
                "share_closed": plain(asdict(family.closed(number))),
            }
            for number, measured in enumerate(family.states)
            if measured.method != PASSIVE
        ],
        "files": {
            method: {
                "count": len(release.released),
                "in_their_cell": sum(row.cell_kept for row in release.released),
                **{name: plain(asdict(s)) for name, s in family.quality(method).items()},
            }
            for method, release in family.releases.items()
        },
        "copy_detection": [
            {
                "method": each.method,
                "search": each.setting,
                **plain(asdict(each.figures)),
            }
            for each in family.detected
        ],
    }


def _searches(measured: Measured) -> dict[str, Any]:
    """One state's figures: for each way to search the mean and each edit."""
    return {
        "index": measured.index,
        "method": measured.method,
        "aimed_at": measured.aimed,
        "in_cell": plain(asdict(measured.cell())),
        "searches": [
            {
                "search": setting.name,
                "probes": setting.probes,
                "ranked": setting.ranked,
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
                            measure: plain(asdict(measured.of(number, measure, place)))
                            for measure in MEASURES
                        },
                        "in_cell": plain(asdict(measured.cell(place))),
                    }
                    for place, edit in enumerate(measured.edits)
                ],
            }
            for number, setting in enumerate(measured.settings)
        ],
    }


def _rows(measured: Measured) -> Iterator[dict[str, Any]]:
    """One object a way to search and edit, the mean last."""
    about = {"index": measured.index, "method": measured.method, "aimed_at": measured.aimed}
    for found in _searches(measured)["searches"]:
        about["search"] = found["search"]
        for row in found["edits"]:
            yield {**about, **row}
        yield {**about, "edit": f"mean of {len(measured.counted)}", **found["mean"]}


def _flat_rows(measured: Measured) -> Iterator[dict[str, Any]]:
    for row in _rows(measured):
        row.setdefault("in_mean", "")
        row.setdefault("queries", "")
        row.setdefault("errors", "")
        row.setdefault("in_cell", plain(asdict(measured.cell())))
        yield _flat(row)


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """Intervals as three columns."""
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
