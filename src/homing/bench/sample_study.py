"""Study of a sample of the photographs: costs and questions, by the leading method."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from homing.bench.costs import CostPoint, compare_costs
from homing.bench.questions import QUESTIONS, Answer, Case
from homing.bench.settings import Settings
from homing.bench.states.compared_states import ComparedStates
from homing.bench.states.state_maker import StateMaker

_SAMPLE = 8  # purpose of a seed; no other draw has it


@dataclass(frozen=True, eq=False)
class SampleStudy:
    """Results on the sample."""

    points: tuple[CostPoint, ...] = ()
    answers: tuple[Answer, ...] = ()
    notes: tuple[str, ...] = ()  # the method, and what could not be measured

    def preceded_by(self, answer: Answer) -> "SampleStudy":
        """Put another answer before these."""
        return replace(self, answers=(answer, *self.answers))


def study_sample(
    maker: StateMaker, compared: ComparedStates, settings: Settings, folder: Path
) -> SampleStudy:
    """Measure costs and questions, as far as the settings name them, with files in `folder`."""
    wanted = [name for name in ("costs", "questions") if getattr(settings, name)]
    if not settings.sample or not wanted:
        return SampleStudy()
    case = Case(maker, compared, _sample(compared.benchmark.photos, settings), folder)
    about, method = " and ".join(wanted).capitalize(), compared.leading.name
    notes = [f"{about} are of {method}, the method named first."]
    points: list[CostPoint] = []
    if settings.costs:
        points, missing = compare_costs(maker, compared, case.pictures)
        notes += missing
    answers = tuple(QUESTIONS[name](case) for name in settings.questions)
    return SampleStudy(tuple(points), answers, tuple(notes))


def _sample(photos: npt.NDArray[np.int64], settings: Settings) -> npt.NDArray[np.int64]:
    generator = np.random.default_rng([settings.seed, _SAMPLE])
    size = min(settings.sample, len(photos))
    return np.sort(generator.choice(photos, size=size, replace=False))
