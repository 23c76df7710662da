"""What the paper left open, a module a question; see :data:`QUESTIONS`."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from homing.bench.questions.adversary import ask_adversary
from homing.bench.questions.budgets import ask_budgets
from homing.bench.questions.case import Answer, Case, Line
from homing.bench.questions.density import ask_density
from homing.bench.questions.foreign import ask_foreign
from homing.bench.questions.lossy import ask_lossy
from homing.bench.questions.rivals import ask_rivals
from homing.errors import UsageError

__all__ = ["QUESTIONS", "Answer", "Case", "Line", "find_questions"]

QUESTIONS: Mapping[str, Callable[[Case], Answer]] = MappingProxyType(
    {
        "density": ask_density,
        "lossy": ask_lossy,
        "foreign": ask_foreign,
        "budgets": ask_budgets,
        "adversary": ask_adversary,
        "rivals": ask_rivals,
    }
)
"""From a question's name to what answers it."""


def find_questions(text: str) -> tuple[str, ...]:
    """Read which questions are asked.

    Parameters
    ----------
    text : str
        ``"all"``, ``"none"``, or names with commas between them.

    Raises
    ------
    UsageError
        There is no such question.
    """
    if text == "all":
        return tuple(QUESTIONS)
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    if text == "none":
        return ()
    for name in names:
        if name not in QUESTIONS:
            known = ", ".join(QUESTIONS)
            raise UsageError(f"no question is called {name!r}; known: {known}; or all, or none")
    return names
