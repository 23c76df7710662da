"""The closer look: costs and questions, by the leading method, on some of the photographs."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from homing.bench.costs import Point, compare_costs
from homing.bench.questions import QUESTIONS, Answer, Case
from homing.bench.settings import Settings
from homing.bench.states.compared import Compared
from homing.bench.states.stage import Stage

_SAMPLE = 8  # what a seed is for; no other draw has it


@dataclass(frozen=True, eq=False)
class Closer:
    """What was measured on a sample of the photographs.

    Attributes
    ----------
    points : tuple of Point
        What recall costs.
    answers : tuple of Answer
    notes : tuple of str
        By which method; and what could not be done.
    """

    points: tuple[Point, ...] = ()
    answers: tuple[Answer, ...] = ()
    notes: tuple[str, ...] = ()

    def preceded_by(self, answer: Answer) -> "Closer":
        """Another answer before these."""
        return replace(self, answers=(answer, *self.answers))


def look_closer(stage: Stage, compared: Compared, settings: Settings, folder: Path) -> Closer:
    """Measure what needs files of its own.

    Parameters
    ----------
    stage : Stage
    compared : Compared
    settings : Settings
        With the size of the sample, and whether costs and which questions are asked for.
    folder : Path
        For the questions' files.
    """
    asked = [name for name in ("costs", "questions") if getattr(settings, name)]
    if not settings.sample or not asked:
        return Closer()
    case = Case(stage, compared, _sample(compared.common.kept, settings), folder)
    about, method = " and ".join(asked).capitalize(), compared.leading.name
    notes = [f"{about} are of {method}, the method named first."]
    points: list[Point] = []
    if settings.costs:
        points, missing = compare_costs(stage, compared, case.pictures)
        notes += missing
    answers = tuple(QUESTIONS[name](case) for name in settings.questions)
    return Closer(tuple(points), answers, tuple(notes))


def _sample(kept: npt.NDArray[np.int64], settings: Settings) -> npt.NDArray[np.int64]:
    generator = np.random.default_rng([settings.seed, _SAMPLE])
    size = min(settings.sample, len(kept))
    return np.sort(generator.choice(kept, size=size, replace=False))
