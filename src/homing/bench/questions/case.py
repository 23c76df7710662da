"""What a question starts from, and what an answer is made of."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from homing.activation import Method
from homing.bench.measure.measured import measure_exact, measure_index
from homing.bench.search.engine import Engine, Searcher, settings_of
from homing.bench.states.codebooks import Quantizer
from homing.bench.states.compared import Compared
from homing.bench.states.released import Quality
from homing.bench.states.stage import Stage
from homing.bench.states.states import Common, State
from homing.bench.statistics.bootstrap import Interval
from homing.bench.statistics.tables import Section, Table, show_interval

Vectors = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]
Figures = dict[str, Interval]


@dataclass(frozen=True)
class Line:
    """One thing that was tried.

    Attributes
    ----------
    label : str
    figures : dict
        From what was measured to its mean and interval (of quality: least and most).
    """

    label: str
    figures: Figures


@dataclass(frozen=True)
class Answer:
    """What a question came to.

    Attributes
    ----------
    name, title, text : str
        The text says how it was measured.
    lines : tuple of Line
        Empty where it could not be asked; the text says why.
    """

    name: str
    title: str
    text: str
    lines: tuple[Line, ...]

    def table(self) -> Table:
        """As a table, a column a figure."""
        columns = list(dict.fromkeys(name for line in self.lines for name in line.figures))
        nothing = Interval(*[float("nan")] * 3)
        rows = tuple(
            (line.label, *(show_interval(line.figures.get(name, nothing)) for name in columns))
            for line in self.lines
        )
        return Table(self.title, ("", *columns), (Section("mean R@1 [95 % interval]", rows),))


@dataclass(frozen=True, eq=False)
class Case:
    """What a question starts from: the leading method, and the first index.

    Attributes
    ----------
    stage : Stage
    compared : Compared
    pictures : ndarray of int64
        The sample: photographs for what needs files of its own.
    folder : Path
        For such files.
    """

    stage: Stage
    compared: Compared = field(repr=False)
    pictures: Rows = field(repr=False)
    folder: Path

    @property
    def common(self) -> Common:
        """What all states share."""
        return self.compared.common

    @property
    def method(self) -> Method:
        """The leading one."""
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
        """All photographs as they are."""
        return self.compared.passive

    @cached_property
    def searcher(self) -> Searcher:
        """The first index, and what it makes of the distractors."""
        return Searcher(self.quantizer.codebook, self.common.others)

    def figures(self, state: State, pictures: Rows | None = None, **more: Any) -> Figures:
        """Measure a state through the first index; see :func:`measure`."""
        chosen = self.pictures if pictures is None else pictures
        return measure(self.common, self.searcher, state, chosen, **more)

    def there(self, states: Sequence[State]) -> Rows:
        """Those of the sample that are there in some states."""
        return self.pictures[np.all([s.present[self.pictures] for s in states], axis=0)]


def measure(
    common: Common,
    searcher: Searcher,
    state: State,
    pictures: Rows,
    *,
    exact: bool = True,
) -> Figures:
    """Measure a state through an index, at one and at automatic probes, re-ranked, and exactly.

    Parameters
    ----------
    common : Common
    searcher : Searcher
    state : State
    pictures : ndarray of int64
        Whose copies are searched for.
    exact : bool
        Search exactly too, among the distractors as they are.
    """
    engine = searcher.engine(state.entries[common.kept], common.seed)
    found = measure_engine(common, engine, state, pictures)
    if exact:
        bare = measure_exact(common, state, common.others, pictures=pictures)
        found["exact"] = bare.mean(0)
    return found


def measure_engine(common: Common, engine: Engine, state: State, pictures: Rows) -> Figures:
    """Measure a state through an engine that holds it, at one and at automatic probes, re-ranked.

    Parameters
    ----------
    common : Common
    engine : Engine
    state : State
    pictures : ndarray of int64
        Whose copies are searched for.
    """
    codebook = engine.codebook
    settings = [setting for setting in settings_of(codebook, (1, 0)) if setting.ranked]
    measured = measure_index(common, engine, "", state, settings, pictures)
    found: Figures = {}
    for number, setting in enumerate(settings):
        name = "automatic probes" if setting.probes > 1 else "1 probe"
        found[name if codebook.cell_count > 1 else "all codes"] = measured.mean(number)
    if codebook.cell_count > 1:
        found["in their cell"] = measured.cell()
    return found


def quality_figures(qualities: Sequence[Quality]) -> Figures:
    """PSNR and SSIM of files: mean, least and most."""
    found = {}
    for name, values in (
        ("PSNR, dB [least, most]", [q.psnr for q in qualities if np.isfinite(q.psnr)]),
        ("SSIM [least, most]", [q.ssim for q in qualities if q.ssim is not None]),
    ):
        if values:
            found[name] = Interval(float(np.mean(values)), min(values), max(values))
    return found
