"""The tables of ``homing bench``, for the terminal and the page."""

from collections.abc import Iterator

from homing.bench.measure.detection import Detected
from homing.bench.measure.measured import Measured
from homing.bench.report.outcome import Family, Outcome, Spread
from homing.bench.states.states import PASSIVE
from homing.bench.statistics.bootstrap import Interval
from homing.bench.statistics.tables import NOTHING, Section, Table, show_interval, show_number

Cells = tuple[str, ...]


def notes_of(outcome: Outcome) -> tuple[str, ...]:
    """What has to be known to read the tables."""
    twins = outcome.twins
    first = outcome.families[0].states[0]
    errors = sum(first.errors)
    notes = [
        outcome.setup.sentence,
        *(f"Index {f.quantizer.name}: {f.quantizer.origin}." for f in outcome.families),
        f"Twins confirmed by local features: {twins['entries']:,} entries of the base show what "
        f"one of {twins['photos']:,} photographs shows; they count as right."
        if twins["entries"]
        else "No photograph has a twin in the base, as far as local features tell.",
        f"Copies that could not be made: {errors:,}; they count in no figure.",
        *outcome.notes,
    ]
    return tuple(notes)


def tables_of(outcome: Outcome) -> tuple[Table, ...]:
    """One table an index, one of exact search with the hashes beside it, one a question."""
    families = tuple(_family_table(family) for family in outcome.families)
    answers = tuple(answer.table() for answer in outcome.answers if answer.lines)
    return (*families, _exact_table(outcome), *answers)


def _family_table(family: Family) -> Table:
    header = ("", *(measured.method for measured in family.states))
    sections = [
        Section("mean R@1 [95 % interval]", tuple(_mean_rows(family))),
        Section(f"R@1, {_one_probe(family.states[0])}", tuple(_edit_rows(family.states))),
        Section(f"mean, {_one_probe(family.states[0])}", tuple(_more_rows(family))),
    ]
    if family.detected:
        sections.append(Section("copy detection, scores normalised", tuple(_copy_rows(family))))
    if family.releases:
        sections.append(Section("files", tuple(_file_rows(family))))
    return Table(f"index {family.quantizer.name}", header, tuple(sections))


def _one_probe(measured: Measured) -> str:
    return measured.settings[measured.setting(1, ranked=True)].name


def _mean_rows(family: Family) -> Iterator[Cells]:
    for number, setting in enumerate(family.states[0].settings):
        yield (setting.name, *(show_interval(m.mean(number)) for m in family.states))
    yield ("exact search", *(show_interval(m.mean(0)) for m in family.exact))
    closed = [
        NOTHING if m.method == PASSIVE else show_interval(family.closed(number))
        for number, m in enumerate(family.states)
    ]
    gains = [
        NOTHING if m.method == PASSIVE else show_interval(family.gain(number))
        for number, m in enumerate(family.states)
    ]
    yield ("gain at one probe, re-ranked", *gains)
    yield ("share of the loss won back", *closed)


def _edit_rows(states: tuple[Measured, ...]) -> Iterator[Cells]:
    for place, edit in enumerate(states[0].edits):
        name = edit.name + ("" if edit.in_mean else " (not in the mean)")
        yield (
            name,
            *(show_interval(m.of(m.setting(1, ranked=True), "recall_1", place)) for m in states),
        )


def _more_rows(family: Family) -> Iterator[Cells]:
    for title, measure in (
        ("R@10", "recall_10"),
        ("R@100", "recall_100"),
        ("reciprocal rank", "reciprocal_rank"),
    ):
        yield (
            title,
            *(show_interval(m.mean(m.setting(1, ranked=True), measure)) for m in family.states),
        )
    yield ("copies in their picture's cell", *(show_interval(m.cell()) for m in family.states))


def _copy_rows(family: Family) -> Iterator[Cells]:
    searches = list(dict.fromkeys(each.setting for each in family.detected))
    for search in searches:
        found = [
            next((d for d in family.detected if (d.method, d.setting) == (m.method, search)), None)
            for m in family.states
        ]
        yield (f"µAP, {search}", *map(_average_precision, found))
        yield (
            f"recall at 90 % precision, {search}",
            *(NOTHING if d is None else _at_precision(d) for d in found),
        )


def _average_precision(found: Detected | None) -> str:
    if found is None:
        return NOTHING
    return show_interval(found.figures.normalised.micro_average_precision)


def _at_precision(found: Detected) -> str:
    return show_number(found.figures.normalised.recall_at_precision_90)


def _file_rows(family: Family) -> Iterator[Cells]:
    methods = [measured.method for measured in family.states]
    spreads = {m: family.quality(m) for m in methods if m in family.releases}
    for title, key, digits in (
        ("PSNR, dB: mean [least, most]", "psnr", 2),
        ("SSIM: mean [least, most]", "ssim", 4),
        ("largest change of 255: mean [least, most]", "largest_change", 1),
    ):
        yield (
            title,
            *(_spread(spreads[m][key], digits) if m in spreads else NOTHING for m in methods),
        )
    kept = []
    for method in methods:
        rows = family.releases[method].released if method in family.releases else ()
        kept.append(f"{sum(row.cell_kept for row in rows)} of {len(rows)}" if rows else NOTHING)
    yield ("files in the cell aimed at", *kept)


def _spread(found: Spread, digits: int) -> str:
    """A mean between the least and the most."""
    mean, least, most = (show_number(e, digits) for e in (found.mean, found.least, found.most))
    return f"{mean} [{least}, {most}]"


def _exact_table(outcome: Outcome) -> Table:
    several = len(outcome.families) > 1
    columns = [outcome.families[0].exact[0]]
    columns += [each for family in outcome.families for each in family.exact[1:]]
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


def _exact_name(measured: Measured, several: bool) -> str:
    if measured.method == PASSIVE or not several:
        return measured.method
    return f"{measured.method} for {measured.aimed}"
