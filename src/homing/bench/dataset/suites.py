"""Suites of edits: the paper's fourteen, the sweeps over strengths, or both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from homing.edits import SCREENSHOT, Edit, paper_edits, sweep_edits
from homing.errors import UsageError

SUITES = ("paper", "sweep", "full")
"""Names that :func:`find_suite` takes."""


@dataclass(frozen=True)
class Suite:
    """Edits of different names."""

    name: str
    edits: tuple[Edit, ...]
    # for each swept kind of edit its strengths, rising, with the names of the edits
    sweeps: Mapping[str, tuple[tuple[float, str], ...]]


def find_suite(name: str, more: Sequence[Edit] = ()) -> Suite:
    """Return the edits of a suite, followed by the user's own; `UsageError` if names are repeated.

    ``"paper"``: the fourteen, and the screenshot, which the mean omits. ``"sweep"``: edits over
    strengths, with the mean over all. ``"full"``: both, with the mean over the fourteen.
    """
    if name not in SUITES:
        raise UsageError(f"no suite is called {name!r}; known: {', '.join(SUITES)}")
    edits = [] if name == "sweep" else [*paper_edits(), SCREENSHOT]
    sweeps = {} if name == "paper" else dict(sweep_edits())
    known = {edit.name for edit in edits}
    for strengths in sweeps.values():
        for _, edit in strengths:
            if edit.name not in known:  # some strengths are the paper's
                edits.append(replace(edit, in_mean=name == "sweep"))
    edits += more
    names = [edit.name for edit in edits]
    if len(set(names)) < len(names):
        raise UsageError(f"two edits have the same name: {', '.join(sorted(names))}")
    return Suite(
        name,
        tuple(edits),
        MappingProxyType(
            {
                kind: tuple((strength, edit.name) for strength, edit in strengths)
                for kind, strengths in sweeps.items()
            }
        ),
    )
