"""What a stage found: its table, and the files that hold it."""

import importlib.metadata
import json
import math
import platform
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from homing._version import __version__
from homing.bench.copy_detection import CopyDetection
from homing.bench.encoding import Encoder
from homing.bench.measures import Interval, can_tell
from homing.bench.scoring import EditFigures, FalseMatches, RecallFigures
from homing.bench.twins import Twins

__all__ = ["Column", "Report", "Section", "Setup"]

_PACKAGES = (
    "torch", "numpy", "pillow", "augly", "imagehash", "pdqhash", "opencv-python-headless"
)  # fmt: skip
_NOTHING = "\N{EN DASH}"  # stands in the table where there is no figure
_LEAST_RATE, _LEAST_SHARE = 1e-4, 1e-5  # of queries without a match, and of pairs


@dataclass(frozen=True)
class Setup:
    """What was measured on: what could be made, not what was planned.

    Attributes
    ----------
    photos, distractors, crops : int
        Entries of the base: photographs whose copies are searched for, other photographs, and
        random crops of those others.
    unmatched, normalisation : int
        Photographs kept out of the base.
    unreadable : int
        Files that could not be read, and are none of these.
    repeated : int
        Background files left out because they are among the photos.
    listed_twice : int
        Further mentions of the same files, left out.
    random_draws, seed : int
    """

    photos: int
    distractors: int
    crops: int
    unmatched: int
    normalisation: int
    unreadable: int
    repeated: int
    listed_twice: int
    random_draws: int
    seed: int

    @property
    def sentence(self) -> str:
        """Say it."""
        total = self.photos + self.distractors + self.crops
        text = (
            f"Base of {total:,}: {self.photos:,} photographs to be found, {self.distractors:,} "
            f"others, {self.crops:,} random crops of these others (30 to 90 % of their area). "
            f"Kept out of the base: {self.unmatched:,} photographs for queries without a match, "
            f"{self.normalisation:,} for the normalisation of scores. Exact search; "
            f"{self.random_draws} draws of the random edit a picture; seed {self.seed}."
        )
        if self.unreadable:
            text += f" {self.unreadable:,} files could not be read: they are none of these."
        if self.repeated:
            text += f" {self.repeated:,} background files are photographs to be found: left out."
        if self.listed_twice:
            text += f" {self.listed_twice:,} files were listed more than once: they count once."
        return text


@dataclass(frozen=True, eq=False)
class Column:
    """All figures of one encoder."""

    encoder: Encoder
    recall: RecallFigures
    copies: CopyDetection
    false_matches: FalseMatches


@dataclass(frozen=True)
class Section:
    """Some rows of the table under a title; each row a name and a cell a column."""

    title: str
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, eq=False)
class Report:
    """What a run found.

    Attributes
    ----------
    setup : Setup
    columns : tuple of Column
    twins, unmatched_twins : Twins
        Of the photos, and of the photographs whose copies have no match.
    failures : dict
        Files that could not be read, each with its reason.
    """

    setup: Setup
    columns: tuple[Column, ...]
    twins: Twins
    unmatched_twins: Twins
    failures: dict[str, str]

    @property
    def notes(self) -> tuple[str, ...]:
        """What has to be known to read the table."""
        twins = self.twins.evidence
        pictures = len({picture for picture, _ in twins})
        strange = len({picture for picture, _ in self.unmatched_twins.evidence})
        errors = sum(figures.errors for figures in self.columns[0].recall.edits)
        notes = [
            self.setup.sentence,
            f"Twins confirmed by local features: {len(twins):,} entries of the base show what one "
            f"of {pictures:,} photographs shows"
            f" ({sum(e.mirrored for e in twins.values()):,} mirrored); they count as right but "
            f"where the row says without. Of the photographs without a match {strange:,} have "
            "twins in the base, which count neither as right nor as wrong.",
            f"Copies that could not be made: {errors:,}; they count in no figure.",
        ]
        others = min(column.copies.others for column in self.columns)
        pairs = min(column.false_matches.pairs for column in self.columns)
        if not can_tell(_LEAST_RATE, others) or not can_tell(_LEAST_SHARE, pairs):
            notes.append(
                f"{_NOTHING} stands where less than one of {others:,} queries without a match, or "
                f"of {pairs:,} pairs, would be above: so few cannot tell so small a rate."
            )
        return tuple(notes)

    @property
    def header(self) -> tuple[str, ...]:
        """Names of the table's columns."""
        return ("", *(column.encoder.name for column in self.columns))

    @property
    def sections(self) -> tuple[Section, ...]:
        """The table's rows."""
        return (
            Section("R@1 [95 % interval]", tuple(self._recall_rows())),
            Section("copy detection, scores normalised", tuple(self._copy_rows())),
            Section("similarity of other photographs", tuple(self._false_rows())),
        )

    def _recall_rows(self) -> Iterator[tuple[str, ...]]:
        recalls = [column.recall for column in self.columns]
        for each in zip(*(each.edits for each in recalls), strict=True):
            name = each[0].edit + ("" if each[0].in_mean else " (not in the mean)")
            yield (name, *(_interval(figures.recall_1) for figures in each))
        means = [each.mean for each in recalls]
        name = means[0].edit
        yield (name, *(_interval(mean.recall_1) for mean in means))
        yield (f"{name}, without twins", *(_interval(mean.strict_1) for mean in means))
        yield (f"{name}, R@10", *(_interval(mean.recall_10) for mean in means))
        yield (
            f"{name}, reciprocal rank",
            *(_interval(mean.reciprocal_rank) for mean in means),
        )

    def _copy_rows(self) -> Iterator[tuple[str, ...]]:
        found = [column.copies for column in self.columns]
        scores = [each.normalised for each in found]
        yield ("µAP", *(_interval(s.micro_average_precision) for s in scores))
        yield (
            "µAP, scores as they are",
            *(_interval(f.raw.micro_average_precision) for f in found),
        )
        yield ("queries without a match", *(f"{f.others:,}" for f in found))
        if any(f.left_out for f in found):
            yield ("left out: all ten answers are twins", *(f"{f.left_out:,}" for f in found))
        yield ("recall at 90 % precision", *(_number(s.recall_at_precision_90) for s in scores))
        yield (
            "recall at 1e-3 false alarms a query",
            *(_number(s.recall_at_false_alarms_1e3) for s in scores),
        )
        yield (
            "recall at 1e-4 false alarms a query",
            *(_number(s.recall_at_false_alarms_1e4) for s in scores),
        )

    def _false_rows(self) -> Iterator[tuple[str, ...]]:
        found = [column.false_matches for column in self.columns]
        yield ("pairs", *(f"{f.pairs:,}" for f in found))
        yield ("one pair in 10,000 is above", *(_number(f.above_1e4) for f in found))
        yield ("one pair in 100,000 is above", *(_number(f.above_1e5) for f in found))
        yield ("nearest other, median", *(_number(f.median_nearest) for f in found))

    def lines(self) -> Iterator[dict[str, Any]]:
        """Yield one object an edit and column, then one a column, then one of the run."""
        for column in self.columns:
            name = column.encoder.name
            for figures in (*column.recall.edits, column.recall.mean):
                yield {"descriptor": name, **_edit(figures)}
            yield {
                "descriptor": name,
                "copy_detection": _plain(asdict(column.copies)),
                "false_matches": _plain(asdict(column.false_matches)),
            }
        yield {"base": asdict(self.setup), "twins": self._twins(), "failures": self.failures}

    def _twins(self) -> dict[str, int]:
        pairs, strange = self.twins.evidence, self.unmatched_twins.evidence
        return {
            "entries": len(pairs),
            "mirrored": sum(evidence.mirrored for evidence in pairs.values()),
            "photos": len({picture for picture, _ in pairs}),
            "unmatched_photos": len({picture for picture, _ in strange}),
        }

    def write(self, out: Path, *, seconds: float) -> None:
        """Write ``results.json`` and ``results.md``.

        Parameters
        ----------
        out : Path
            Folder; made if need be.
        seconds : float
            What the run took.
        """
        out.mkdir(parents=True, exist_ok=True)
        values = {
            "homing": __version__,
            "packages": {name: importlib.metadata.version(name) for name in _PACKAGES},
            "python": platform.python_version(),
            "seconds": round(seconds, 1),
            "base": asdict(self.setup),
            "twins": self._twins(),
            "failures": self.failures,
            "columns": [
                {
                    "name": column.encoder.name,
                    "kind": "descriptor" if column.encoder.descriptor else "hash",
                    "fingerprint": column.encoder.fingerprint,
                    "dimension": column.encoder.dimension,
                    "edits": [_edit(figures) for figures in column.recall.edits],
                    "mean": _edit(column.recall.mean),
                    "copy_detection": _plain(asdict(column.copies)),
                    "false_matches": _plain(asdict(column.false_matches)),
                }
                for column in self.columns
            ],
        }
        text = json.dumps(values, ensure_ascii=False, indent=2)
        (out / "results.json").write_text(text + "\n", encoding="utf-8")
        (out / "results.md").write_text(self.markdown(), encoding="utf-8")

    def markdown(self) -> str:
        """The table and its notes as Markdown."""
        lines = [*self.notes, ""]
        for section in self.sections:
            lines.append(f"| {section.title} | " + " | ".join(self.header[1:]) + " |")
            lines.append("|---" * len(self.header) + "|")
            lines += ["| " + " | ".join(row) + " |" for row in section.rows]
            lines.append("")
        return "\n".join(lines)


def _interval(value: Interval) -> str:
    if math.isnan(value.mean):
        return _NOTHING
    return f"{value.mean:.3f} [{value.low:.3f}, {value.high:.3f}]"


def _number(value: float) -> str:
    return f"{value:.3f}" if math.isfinite(value) else _NOTHING


def _edit(figures: EditFigures) -> dict[str, Any]:
    found: dict[str, Any] = _plain(asdict(figures))
    return found


def _plain(value: Any) -> Any:
    """What JSON can hold: no NaN, no infinity."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
