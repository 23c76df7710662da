"""Does activation still help when much of the base is activated, and does it harm the rest?

To activate a base of a hundred thousand pictures takes a day, so that distractors are moved as
vectors: towards their codebook's target, as far as activation moved the photographs on average.
That they behave alike is checked on the photographs themselves, of which both are known.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from homing.bench.questions.case import Answer, Case, Line, measure
from homing.bench.searching import Searcher
from homing.codebooks import Codebook

__all__ = ["ask_density"]

_SHARES = (0.01, 0.1, 1.0)  # of the base that are activated
_STEPS = 30  # of the bisection
_DENSITY = 10  # what a seed is for

Vectors = npt.NDArray[np.float32]


def ask_density(case: Case) -> Answer:
    """Search among distractors of which more and more are activated."""
    common, codebook, pictures = case.common, case.quantizer.codebook, case.common.kept
    before, after = (state.entries[pictures] for state in (case.passive, case.active))
    strength = _strength(before, after, codebook)
    lines = [
        Line("base untouched: untouched pictures", case.figures(case.passive, pictures)),
        Line("base untouched: activated pictures", case.figures(case.active, pictures)),
    ]
    modelled = case.active.entries.copy()
    modelled[pictures] = _moved(before, codebook, strength)
    check = case.figures(replace(case.active, entries=modelled), pictures)
    lines.append(Line("the same, their entries moved as vectors", check))
    order = np.random.default_rng([common.seed, _DENSITY]).permutation(len(common.others))
    moved = _moved(common.others, codebook, strength)
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
        f"vectors: {strength:.2f} of the way to the codebook's target, which is how far activation "
        "moved the pictures on average. The third line shows what this stands for.",
        tuple(lines),
    )


def _moved(vectors: Vectors, codebook: Codebook, strength: float) -> Vectors:
    """Unit vectors, part of the way to their targets."""
    targets = codebook.target(vectors)
    targets /= np.linalg.norm(targets, axis=1, keepdims=True)
    found = vectors + np.float32(strength) * (targets - vectors)
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), np.float32)


def _strength(before: Vectors, after: Vectors, codebook: Codebook) -> float:
    """The part of the way at which targets are as near, on average, as they are to `after`."""
    targets = codebook.target(before)
    targets /= np.linalg.norm(targets, axis=1, keepdims=True)
    wanted = float(np.mean(np.sum(after * targets, axis=1)))
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        reached = float(np.mean(np.sum(_moved(before, codebook, middle) * targets, axis=1)))
        low, high = (middle, high) if reached < wanted else (low, middle)
    return low
