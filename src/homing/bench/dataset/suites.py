"""The edits that pictures suffer: the paper's fourteen, the sweeps over strengths, or both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from homing.edits import SCREENSHOT, Edit, paper_edits, sweep_edits
from homing.errors import UsageError

SUITES = ("paper", "sweep", "full")
"""Names that :func:`find_suite` takes."""


@dataclass(frozen=True)
class Suite:
    """Some edits.

    Attributes
    ----------
    name : str
    edits : tuple of Edit
        Of different names.
    sweeps : mapping of str to tuple of (float, str)
        For each kind of edit that is swept its strengths, rising, each with its edit's name.
    """

    name: str
    edits: tuple[Edit, ...]
    sweeps: Mapping[str, tuple[tuple[float, str], ...]]


def find_suite(name: str, more: Sequence[Edit] = ()) -> Suite:
    """Give the edits of a suite.

    Parameters
    ----------
    name : str
        ``"paper"``: the fourteen, and the screenshot, which the mean leaves out. ``"sweep"``: edits
        over strengths, the mean taken over all. ``"full"``: both, the mean taken over the fourteen.
    more : sequence of Edit
        One's own, after the others.

    Returns
    -------
    Suite

    Raises
    ------
    UsageError
        There is no such suite, or two edits have one name.
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
