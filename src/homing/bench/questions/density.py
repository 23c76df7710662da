"""Does activation still help when much of the base is activated, and does it harm the rest?

To activate a base of a hundred thousand pictures takes a day, so that distractors are moved as
vectors: towards their codebook's target or, if the method rather moves them there, towards the
middle of their cell, as far as activation moved the photographs on average. That they behave alike
is checked on the photographs themselves, of which both are known.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from homing.bench.questions.case import Answer, Case, Line, measure
from homing.bench.questions.cells import middles
from homing.bench.search.engine import Searcher
from homing.codebooks import Codebook

_SHARES = (0.01, 0.1, 1.0)  # of the base that are activated
_STEPS = 30  # of the bisection
_DENSITY = 10  # what a seed is for

Vectors = npt.NDArray[np.float32]


def ask_density(case: Case) -> Answer:
    """Search among distractors of which more and more are activated."""
    common, codebook, pictures = case.common, case.quantizer.codebook, case.common.kept
    before, after = (state.entries[pictures] for state in (case.passive, case.active))
    move = fitted_move(before, after, codebook)
    lines = [
        Line("base untouched: untouched pictures", case.figures(case.passive, pictures)),
        Line("base untouched: activated pictures", case.figures(case.active, pictures)),
    ]
    modelled = case.active.entries.copy()
    modelled[pictures] = move.of(codebook, before)
    check = case.figures(replace(case.active, entries=modelled), pictures)
    lines.append(Line("the same, their entries moved as vectors", check))
    order = np.random.default_rng([common.seed, _DENSITY]).permutation(len(common.others))
    moved = move.of(codebook, common.others)
    for share in _SHARES:
        others = common.others.copy()
        chosen = order[: round(share * len(others))]
        others[chosen] = moved[chosen]
        searcher = Searcher(codebook, others)
        for label, state in (("untouched", case.passive), ("activated", case.active)):
            figures = measure(common, searcher, state, pictures, exact=False)
            lines.append(Line(f"{share:.0%} of the base activated: {label} pictures", figures))
    return Answer(
        "density",
        "What if much of the base is activated?",
        f"The {len(common.others):,} distractors are not activated as pictures but moved as "
        f"vectors: {move.strength:.2f} of the way to {move.name}, which is how far activation "
        "moved the pictures on average. The third line shows what this stands for.",
        tuple(lines),
    )


@dataclass(frozen=True)
class Move:
    """How activation moves vectors: part of the way to somewhere.

    Attributes
    ----------
    goals : callable
        From the codebook and vectors (n, d) to where each is moved, (n, d).
    name : str
    strength : float
        The part of the way.
    """

    goals: Callable[[Codebook, Vectors], Vectors]
    name: str
    strength: float = 1.0

    def of(self, codebook: Codebook, vectors: Vectors) -> Vectors:
        """Unit vectors, moved."""
        return self._moved(vectors, self._goals(codebook, vectors), self.strength)

    def fitted(self, before: Vectors, after: Vectors, codebook: Codebook) -> "Move":
        """The part of the way at which goals are as near, on average, as they are to `after`."""
        goals = self._goals(codebook, before)
        wanted = float(np.mean(np.sum(after * goals, axis=1)))
        low, high = 0.0, 1.0
        for _ in range(_STEPS):
            middle = (low + high) / 2
            reached = float(np.mean(np.sum(self._moved(before, goals, middle) * goals, axis=1)))
            low, high = (middle, high) if reached < wanted else (low, middle)
        return replace(self, strength=low)

    def _goals(self, codebook: Codebook, vectors: Vectors) -> Vectors:
        goals = self.goals(codebook, vectors)
        return np.asarray(goals / np.linalg.norm(goals, axis=1, keepdims=True), np.float32)

    @staticmethod
    def _moved(vectors: Vectors, goals: Vectors, strength: float) -> Vectors:
        found = vectors + np.float32(strength) * (goals - vectors)
        return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), np.float32)


def _own_middles(codebook: Codebook, vectors: Vectors) -> Vectors:
    return middles(codebook, codebook.cells(vectors))


def fitted_move(before: Vectors, after: Vectors, codebook: Codebook) -> Move:
    """Where photographs were moved to, and how far: the goal that they came nearer to."""
    moves = [Move(Codebook.target, "the codebook's target")]
    if codebook.cell_count > 1:
        moves.append(Move(_own_middles, "the middle of their cell"))
    fitted = [move.fitted(before, after, codebook) for move in moves]
    return max(fitted, key=lambda move: move.strength)
