"""Report of ``homing bench descriptors``: its table, and the files that hold it."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from homing.bench.dataset.near_duplicates import NearDuplicates
from homing.bench.dataset.setup import Setup
from homing.bench.encode.encoders import Encoder
from homing.bench.measure.figures import EditFigures, FalseMatches, RecallFigures
from homing.bench.report.results import write_results
from homing.bench.search.copy_detection import CopyDetection
from homing.bench.statistics.measures import is_measurable
from homing.bench.statistics.tables import (
    NOTHING,
    Section,
    Table,
    plain,
    show_interval,
    show_number,
)

_LEAST_RATE, _LEAST_SHARE = 1e-4, 1e-5  # of queries without a match, and of pairs


@dataclass(frozen=True, eq=False)
class Column:
    """All figures of one encoder."""

    encoder: Encoder
    recall: RecallFigures
    copies: CopyDetection
    false_matches: FalseMatches


@dataclass(frozen=True, eq=False)
class DescriptorReport:
    """All results of a run."""

    setup: Setup
    columns: tuple[Column, ...]
    near_duplicates: NearDuplicates  # of the photos
    unmatched_near_duplicates: NearDuplicates  # of the photographs whose copies have no match
    failures: dict[str, str]  # files that could not be read, each with its reason

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes that explain the table."""
        near = self.near_duplicates.evidence
        pictures = len({picture for picture, _ in near})
        unmatched = len({picture for picture, _ in self.unmatched_near_duplicates.evidence})
        errors = sum(figures.errors for figures in self.columns[0].recall.edits)
        notes = [
            f"{self.setup.sentence} Search is exact.",
            f"Near duplicates (twins) confirmed by local features: {len(near):,} entries of the "
            f"base show what one of {pictures:,} photographs shows"
            f" ({sum(e.mirrored for e in near.values()):,} mirrored); they count as right but "
            f"where the row says without. Of the photographs without a match {unmatched:,} have "
            "twins in the base, which count neither as right nor as wrong.",
            f"Copies that could not be made: {errors:,}; they count in no figure.",
        ]
        others = min(column.copies.others for column in self.columns)
        pairs = min(column.false_matches.pairs for column in self.columns)
        if not is_measurable(_LEAST_RATE, others) or not is_measurable(_LEAST_SHARE, pairs):
            notes.append(
                f"{NOTHING} stands where less than one of {others:,} queries without a match, or "
                f"of {pairs:,} pairs, would be above: they are too few to measure so small a rate."
            )
        return tuple(notes)

    @property
    def tables(self) -> tuple[Table, ...]:
        """One table, with one column per encoder."""
        header = ("", *(column.encoder.name for column in self.columns))
        sections = (
            Section("R@1 [95 % interval]", tuple(self._recall_rows())),
            Section("copy detection, scores normalised", tuple(self._copy_rows())),
            Section("similarity of other photographs", tuple(self._false_rows())),
        )
        return (Table("", header, sections),)

    def _recall_rows(self) -> Iterator[tuple[str, ...]]:
        recalls = [column.recall for column in self.columns]
        for each in zip(*(each.edits for each in recalls), strict=True):
            name = each[0].edit + ("" if each[0].in_mean else " (not in the mean)")
            yield (name, *(show_interval(figures.recall_1) for figures in each))
        means = [each.mean for each in recalls]
        name = means[0].edit
        yield (name, *(show_interval(mean.recall_1) for mean in means))
        yield (f"{name}, without twins", *(show_interval(mean.strict_1) for mean in means))
        yield (f"{name}, R@10", *(show_interval(mean.recall_10) for mean in means))
        yield (
            f"{name}, reciprocal rank",
            *(show_interval(mean.reciprocal_rank) for mean in means),
        )

    def _copy_rows(self) -> Iterator[tuple[str, ...]]:
        found = [column.copies for column in self.columns]
        scores = [each.normalised for each in found]
        yield ("µAP", *(show_interval(s.micro_average_precision) for s in scores))
        yield (
            "µAP, scores as they are",
            *(show_interval(f.raw.micro_average_precision) for f in found),
        )
        yield ("queries without a match", *(f"{f.others:,}" for f in found))
        if any(f.left_out for f in found):
            yield ("left out: all ten answers are twins", *(f"{f.left_out:,}" for f in found))
        yield ("queries that show nothing", *(f"{f.blank:,}" for f in found))
        yield ("recall at 90 % precision", *(show_number(s.recall_at_precision_90) for s in scores))
        yield (
            "recall at 1e-3 false alarms a query",
            *(show_number(s.recall_at_false_alarms_1e3) for s in scores),
        )
        yield (
            "recall at 1e-4 false alarms a query",
            *(show_number(s.recall_at_false_alarms_1e4) for s in scores),
        )

    def _false_rows(self) -> Iterator[tuple[str, ...]]:
        found = [column.false_matches for column in self.columns]
        yield ("pairs", *(f"{f.pairs:,}" for f in found))
        yield ("one pair in 10,000 is above", *(show_number(f.above_1e4) for f in found))
        yield ("one pair in 100,000 is above", *(show_number(f.above_1e5) for f in found))
        yield ("nearest other, median", *(show_number(f.median_nearest) for f in found))

    def lines(self) -> Iterator[dict[str, Any]]:
        """Yield one object per edit and column, then one per column, then one for the run."""
        for column in self.columns:
            name = column.encoder.name
            for figures in (*column.recall.edits, column.recall.mean):
                yield {"descriptor": name, **_edit(figures)}
            yield {
                "descriptor": name,
                "copy_detection": plain(asdict(column.copies)),
                "false_matches": plain(asdict(column.false_matches)),
            }
        yield {"base": asdict(self.setup), "twins": self._counts(), "failures": self.failures}

    def _counts(self) -> dict[str, int]:
        unmatched = self.unmatched_near_duplicates.counts["photos"]
        return self.near_duplicates.counts | {"unmatched_photos": unmatched}

    def write(self, out: Path, *, seconds: float) -> None:
        """Write ``results.json`` and ``results.md``."""
        values = {
            "base": asdict(self.setup),
            "twins": self._counts(),
            "failures": self.failures,
            "columns": [
                {
                    "name": column.encoder.name,
                    "kind": "descriptor" if column.encoder.descriptor else "hash",
                    "fingerprint": column.encoder.fingerprint,
                    "dimension": column.encoder.dimension,
                    "edits": [_edit(figures) for figures in column.recall.edits],
                    "mean": _edit(column.recall.mean),
                    "copy_detection": plain(asdict(column.copies)),
                    "false_matches": plain(asdict(column.false_matches)),
                }
                for column in self.columns
            ],
        }
        write_results(out, values, seconds=seconds)
        (out / "results.md").write_text(self.markdown(), encoding="utf-8")

    def markdown(self) -> str:
        """Return the table and its notes as Markdown."""
        return "\n".join([*self.notes, "", *(table.markdown() for table in self.tables)])


def _edit(figures: EditFigures) -> dict[str, Any]:
    found: dict[str, Any] = plain(asdict(figures))
    return found
