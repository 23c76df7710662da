"""Question: does activation still help in a base that is mostly activated, and what of the rest?

To activate a base of a hundred thousand pictures takes a day, so that distractors are moved as
vectors: towards their codebook's target or, if the method rather moves them there, towards the
middle of their cell, as far as activation moved the photographs on average. That they behave alike
is checked on the photographs themselves, where both are known.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from homing.bench.questions.case import Answer, Case, Line, index_figures
from homing.bench.questions.cells import middles
from homing.bench.search.engine import Searcher
from homing.codebooks import Codebook

_SHARES = (0.01, 0.1, 1.0)  # of the base that are activated
_STEPS = 30  # of the bisection
_DENSITY = 10  # purpose of a seed

Vectors = npt.NDArray[np.float32]


def answer_density(case: Case) -> Answer:
    """Search among distractors of which more and more are activated."""
    benchmark, codebook, pictures = case.benchmark, case.quantizer.codebook, case.benchmark.photos
    before, after = (state.entries[pictures] for state in (case.passive, case.active))
    move = fit_move(before, after, codebook)
    lines = [
        Line("base untouched: untouched pictures", case.figures(case.passive, pictures)),
        Line("base untouched: activated pictures", case.figures(case.active, pictures)),
    ]
    modelled = case.active.entries.copy()
    modelled[pictures] = move.apply(codebook, before)
    check = case.figures(replace(case.active, entries=modelled), pictures)
    lines.append(Line("the same, their entries moved as vectors", check))
    order = np.random.default_rng([benchmark.seed, _DENSITY]).permutation(
        len(benchmark.distractors)
    )
    moved = move.apply(codebook, benchmark.distractors)
    for share in _SHARES:
        others = benchmark.distractors.copy()
        chosen = order[: round(share * len(others))]
        others[chosen] = moved[chosen]
        searcher = Searcher(codebook, others)
        for label, state in (("untouched", case.passive), ("activated", case.active)):
            figures = index_figures(benchmark, searcher, state, pictures, exact=False)
            lines.append(Line(f"{share:.0%} of the base activated: {label} pictures", figures))
    return Answer(
        "density",
        "What if much of the base is activated?",
        f"The {len(benchmark.distractors):,} distractors are not activated as pictures but moved "
        f"as vectors: {move.strength:.2f} of the way to {move.name}, which is how far activation "
        "moved the pictures on average. The third line shows what this stands for.",
        tuple(lines),
    )


@dataclass(frozen=True)
class Move:
    """A movement of vectors by activation: part of the way to a goal."""

    # from the codebook and vectors to their goals, both (n, d)
    goals: Callable[[Codebook, Vectors], Vectors]
    name: str
    strength: float = 1.0  # part of the way

    def apply(self, codebook: Codebook, vectors: Vectors) -> Vectors:
        """Return moved unit vectors."""
        return self._moved(vectors, self._goals(codebook, vectors), self.strength)

    def fit(self, before: Vectors, after: Vectors, codebook: Codebook) -> "Move":
        """Fit the strength: moved vectors are as near to their goals, on average, as `after`."""
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


def fit_move(before: Vectors, after: Vectors, codebook: Codebook) -> Move:
    """Fit each goal to the photographs' movement, and choose the one that they came nearer to."""
    moves = [Move(Codebook.target, "the codebook's target")]
    if codebook.cell_count > 1:
        moves.append(Move(_own_middles, "the middle of their cell"))
    moves = [move.fit(before, after, codebook) for move in moves]
    return max(moves, key=lambda move: move.strength)
