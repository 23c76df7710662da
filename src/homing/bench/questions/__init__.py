"""Questions that the paper left open, one module each; see :data:`QUESTIONS`."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from homing.bench.questions.adversary import answer_adversary
from homing.bench.questions.budgets import answer_budgets
from homing.bench.questions.case import Answer, Case, Line
from homing.bench.questions.density import answer_density
from homing.bench.questions.foreign import answer_foreign
from homing.bench.questions.lossy import answer_lossy
from homing.bench.questions.rivals import answer_rivals
from homing.errors import UsageError

__all__ = ["QUESTIONS", "Answer", "Case", "Line", "find_questions"]

QUESTIONS: Mapping[str, Callable[[Case], Answer]] = MappingProxyType(
    {
        "density": answer_density,
        "lossy": answer_lossy,
        "foreign": answer_foreign,
        "budgets": answer_budgets,
        "adversary": answer_adversary,
        "rivals": answer_rivals,
    }
)
"""Functions that answer the questions, by name."""


def find_questions(text: str) -> tuple[str, ...]:
    """Parse ``"all"``, ``"none"``, or names of questions with commas between them."""
    if text == "all":
        return tuple(QUESTIONS)
    if text == "none":
        return ()
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in names:
        if name not in QUESTIONS:
            known = ", ".join(QUESTIONS)
            raise UsageError(f"no question is called {name!r}; known: {known}; or all, or none")
    return names
