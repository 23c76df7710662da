"""Tables of ``homing bench``, for the terminal and the page."""

from collections.abc import Iterator

from homing.bench.measure.index_results import IndexResult
from homing.bench.measure.measurement import Measurement
from homing.bench.report.outcome import Outcome
from homing.bench.states.state import PASSIVE, label_of
from homing.bench.statistics.bootstrap import Interval
from homing.bench.statistics.measures import Spread
from homing.bench.statistics.tables import NOTHING, Section, Table, show_interval, show_number
from homing.search.engines.combined import NEAR

Cells = tuple[str, ...]


def notes_of(outcome: Outcome) -> tuple[str, ...]:
    """Return the notes that explain the tables."""
    counts = outcome.near_duplicates
    errors = sum(outcome.indexes[0].states[0].errors)
    notes = [
        outcome.setup.sentence,
        *(f"Index {f.quantizer.name}: {f.quantizer.origin}." for f in outcome.indexes),
        f"Near duplicates confirmed by local features: {counts['entries']:,} entries of the base "
        f"show what one of {counts['photos']:,} photographs shows; they count as right."
        if counts["entries"]
        else "No photograph has a near duplicate in the base, as far as local features tell.",
        f"Copies that could not be made: {errors:,}; they count in no figure.",
        *outcome.notes,
    ]
    return tuple(notes)


def tables_of(outcome: Outcome) -> tuple[Table, ...]:
    """Return one table per index, one of exact search and the hashes, one per question."""
    indexes = tuple(_index_table(result) for result in outcome.indexes)
    answers = tuple(answer.table() for answer in outcome.answers if answer.lines)
    return (*indexes, _exact_table(outcome), *answers)


def _index_table(result: IndexResult) -> Table:
    header = ("", *(label_of(measured.method) for measured in result.states))
    sections = [
        Section("mean R@1 [95 % interval]", tuple(_mean_rows(result))),
        Section(f"R@1, {_one_probe(result.states[0])}", tuple(_edit_rows(result.states))),
        Section(f"mean, {_one_probe(result.states[0])}", tuple(_more_rows(result))),
    ]
    if result.detections:
        sections.append(Section("copy detection, scores normalised", tuple(_copy_rows(result))))
    if result.releases:
        sections.append(Section("files", tuple(_file_rows(result))))
    return Table(f"index {result.quantizer.name}", header, tuple(sections))


def _one_probe(measured: Measurement) -> str:
    return measured.settings[measured.one_probe].name


def _mean_rows(result: IndexResult) -> Iterator[Cells]:
    for number, setting in enumerate(result.states[0].settings):
        yield (setting.name, *(show_interval(m.mean(number)) for m in result.states))
    yield ("exact search", *(show_interval(m.mean(0)) for m in result.exact))
    near = result.states[0].setting(NEAR, ranked=True)
    yield ("cells near a copy, mean", *(f"{m.copies.visited[near]:.2f}" for m in result.states))
    for title, compare in (
        ("gain at one probe, re-ranked", result.gain),
        ("share of the loss won back", result.won_back),
        ("share won back in near cells", lambda number: result.won_back(number, NEAR)),
    ):
        yield (
            title,
            *(
                NOTHING if m.method == PASSIVE else show_interval(compare(number))
                for number, m in enumerate(result.states)
            ),
        )


def _edit_rows(states: tuple[Measurement, ...]) -> Iterator[Cells]:
    for place, edit in enumerate(states[0].edits):
        name = edit.name + ("" if edit.in_mean else " (not in the mean)")
        yield (
            name,
            *(show_interval(m.figure(m.one_probe, "recall_1", place)) for m in states),
        )


def _more_rows(result: IndexResult) -> Iterator[Cells]:
    for title, measure in (
        ("R@10", "recall_10"),
        ("R@100", "recall_100"),
        ("reciprocal rank", "reciprocal_rank"),
    ):
        yield (
            title,
            *(show_interval(m.mean(m.one_probe, measure)) for m in result.states),
        )
    yield ("copies in their picture's cell", *(show_interval(m.cell()) for m in result.states))


def _copy_rows(result: IndexResult) -> Iterator[Cells]:
    for search in dict.fromkeys(each.setting for each in result.detections):
        scores = {
            each.method: each.figures.normalised
            for each in reversed(result.detections)
            if each.setting == search
        }
        found = [scores.get(measured.method) for measured in result.states]
        precision = [
            NOTHING if s is None else show_interval(s.micro_average_precision) for s in found
        ]
        recall = [NOTHING if s is None else show_number(s.recall_at_precision_90) for s in found]
        yield (f"µAP, {search}", *precision)
        yield (f"recall at 90 % precision, {search}", *recall)


def _file_rows(result: IndexResult) -> Iterator[Cells]:
    methods = [measured.method for measured in result.states]
    spreads = {m: result.quality(m) for m in methods if m in result.releases}
    for title, key, digits in (
        ("PSNR, dB: mean [least, most]", "psnr", 2),
        ("SSIM: mean [least, most]", "ssim", 4),
        ("SSIMULACRA2: mean [least, most]", "ssimulacra2", 1),
        ("FLIP: mean [least, most]", "flip", 3),
        ("colour difference ΔE00: mean [least, most]", "delta_e", 2),
        ("largest change of 255: mean [least, most]", "largest_change", 1),
        ("bytes over the source's: mean [least, most]", "bytes_over_source", 2),
    ):
        yield (
            title,
            *(_spread(spreads[m][key], digits) if m in spreads else NOTHING for m in methods),
        )
    in_cell = []
    for method in methods:
        rows = result.releases[method].released if method in result.releases else ()
        in_cell.append(f"{sum(row.cell_kept for row in rows)} of {len(rows)}" if rows else NOTHING)
    yield ("files in the cell aimed at", *in_cell)


def _spread(found: Spread, digits: int) -> str:
    """Format a mean between the least and the most."""
    mean, least, most = (show_number(e, digits) for e in (found.mean, found.least, found.most))
    return f"{mean} [{least}, {most}]"


def _exact_table(outcome: Outcome) -> Table:
    several = len(outcome.indexes) > 1
    columns = [outcome.indexes[0].exact[0]]
    columns += [each for result in outcome.indexes for each in result.exact[1:]]
    names = [_exact_name(each, several) for each in columns]
    columns += outcome.hashes
    names += [each.index for each in outcome.hashes]
    rows = tuple(_edit_rows(tuple(columns)))
    counted = len(columns[0].counted)
    means: tuple[Interval, ...] = tuple(each.mean(0) for each in columns)
    last = (f"mean of {counted}", *map(show_interval, means))
    return Table(
        "exact search: no index between, and perceptual hashes beside it",
        ("", *names),
        (Section("R@1 [95 % interval]", (*rows, last)),),
    )


def _exact_name(measured: Measurement, several: bool) -> str:
    if measured.method == PASSIVE or not several:
        return label_of(measured.method)
    return f"{measured.method} for {measured.aimed_at}"
