"""The case that a question starts from, and the answer that it gives."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from homing.activation import Method
from homing.bench.measure.measurement import measure_exact, measure_index
from homing.bench.search.engine import Engine, Searcher, search_settings
from homing.bench.states.benchmark import Benchmark
from homing.bench.states.codebooks import Quantizer
from homing.bench.states.compared_states import ComparedStates
from homing.bench.states.quality import Quality
from homing.bench.states.state import State
from homing.bench.states.state_maker import StateMaker
from homing.bench.statistics.bootstrap import Interval
from homing.bench.statistics.tables import Section, Table, show_interval

Vectors = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]
Figures = dict[str, Interval]


@dataclass(frozen=True)
class Line:
    """One variant that was measured."""

    label: str
    figures: Figures  # means and intervals by name (of quality: least and most)


@dataclass(frozen=True)
class Answer:
    """The answer to a question."""

    name: str
    title: str
    text: str  # says how it was measured or, without lines, why it could not be
    lines: tuple[Line, ...]

    def table(self) -> Table:
        """Return a table with one column per figure."""
        columns = list(dict.fromkeys(name for line in self.lines for name in line.figures))
        nothing = Interval(*[float("nan")] * 3)
        rows = tuple(
            (line.label, *(show_interval(line.figures.get(name, nothing)) for name in columns))
            for line in self.lines
        )
        return Table(self.title, ("", *columns), (Section("mean R@1 [95 % interval]", rows),))


@dataclass(frozen=True, eq=False)
class Case:
    """The start of a question: the leading method, and the first index."""

    maker: StateMaker
    compared: ComparedStates = field(repr=False)
    # the sample: photographs for measurements that need their own files
    pictures: Rows = field(repr=False)
    folder: Path  # for such files

    @property
    def benchmark(self) -> Benchmark:
        """The benchmark that all states share."""
        return self.compared.benchmark

    @property
    def method(self) -> Method:
        """The leading method."""
        return self.compared.leading

    @property
    def quantizer(self) -> Quantizer:
        """The first index."""
        return self.compared.active[0].quantizer

    @property
    def active(self) -> State:
        """All photographs, released by the leading method for the first index."""
        return self.compared.active[0].leading

    @property
    def passive(self) -> State:
        """All photographs, untouched."""
        return self.compared.passive

    @cached_property
    def searcher(self) -> Searcher:
        """The first index, with the codes of the distractors."""
        return Searcher(self.quantizer.codebook, self.benchmark.distractors)

    def figures(self, state: State, pictures: Rows | None = None, **more: Any) -> Figures:
        """Measure a state through the first index; see :func:`index_figures`."""
        chosen = self.pictures if pictures is None else pictures
        return index_figures(self.benchmark, self.searcher, state, chosen, **more)

    def present_in(self, states: Sequence[State]) -> Rows:
        """Photographs of the sample that are in all of some states."""
        return self.pictures[np.all([s.present[self.pictures] for s in states], axis=0)]


def index_figures(
    benchmark: Benchmark,
    searcher: Searcher,
    state: State,
    pictures: Rows,
    *,
    exact: bool = True,
) -> Figures:
    """Measure a state through an index, at one and at automatic probes, re-ranked, and exactly.

    `pictures` are the photographs whose copies are searched for.
    """
    engine = searcher.engine(benchmark.entries(state), benchmark.seed)
    found = engine_figures(benchmark, engine, state, pictures)
    if exact:
        exactly = measure_exact(benchmark, state, benchmark.distractors, pictures=pictures)
        found["exact"] = exactly.mean(0)
    return found


def engine_figures(benchmark: Benchmark, engine: Engine, state: State, pictures: Rows) -> Figures:
    """Measure a state through an engine that holds it, at one and automatic probes, re-ranked."""
    codebook = engine.codebook
    settings = [setting for setting in search_settings(codebook, (1, 0)) if setting.ranked]
    measured = measure_index(benchmark, engine, "", state, settings, pictures)
    found: Figures = {}
    for number, setting in enumerate(settings):
        name = "1 probe" if setting.probes == 1 else "automatic probes"
        found[name if codebook.cell_count > 1 else "all codes"] = measured.mean(number)
    if codebook.cell_count > 1:
        found["in their cell"] = measured.cell()
    return found


def quality_figures(qualities: Sequence[Quality]) -> Figures:
    """PSNR, SSIM and what is seen of the change of files: mean, least and most."""
    found = {}
    for name, values in (
        ("PSNR, dB [least, most]", [q.psnr for q in qualities if np.isfinite(q.psnr)]),
        ("SSIM [least, most]", [q.ssim for q in qualities if q.ssim is not None]),
        (
            "SSIMULACRA2 [least, most]",
            [q.ssimulacra2 for q in qualities if q.ssimulacra2 is not None],
        ),
        ("FLIP [least, most]", [q.flip for q in qualities if q.flip is not None]),
        ("ΔE00 [least, most]", [q.delta_e for q in qualities]),
    ):
        if values:
            found[name] = Interval(float(np.mean(values)), min(values), max(values))
    return found
