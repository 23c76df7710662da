"""What the templates are given: plain values, in words where people read them."""

from dataclasses import dataclass

from homing.html import Figure

Pairs = tuple[tuple[str, str], ...]
"""Names and values."""


@dataclass(frozen=True)
class Site:
    """What every page shows around its content.

    Attributes
    ----------
    archive : str
        Its name.
    pages : tuple of (str, str)
        Address and name of each page that may be visited.
    may_read : bool
        Whether there is anything to visit.
    signed_in : bool
        Whether there is anything to sign out of.
    """

    archive: str
    pages: Pairs
    may_read: bool
    signed_in: bool


@dataclass(frozen=True)
class Card:
    """An entry among others."""

    id: str
    told: str


@dataclass(frozen=True)
class Chosen:
    """Which entries are listed: those whose id begins so, and of a state ("": of any)."""

    prefix: str
    state: str


@dataclass(frozen=True)
class FoundView:
    """The answer to a search.

    Attributes
    ----------
    name : str
        Of the picture asked about.
    verdict : str
        A sentence.
    positive : bool or None
        Whether it is taken for a copy; None: undecided.
    figures : tuple of Figure
        Both pictures, and one laid over the other, as far as there are any.
    entry : str or None
        Id of the best hit.
    edits : tuple of str
        What the copy seems to have suffered.
    facts : tuple of (str, str)
    notes : tuple of str
        What is not shown, and why.
    others : tuple of Card
        The hits after the best.
    address : str
        That the answer is found under, whole.
    kept : str or None
        For how long.
    """

    name: str
    verdict: str
    positive: bool | None
    figures: tuple[Figure, ...]
    entry: str | None
    edits: tuple[str, ...]
    facts: Pairs
    notes: tuple[str, ...]
    others: tuple[Card, ...]
    address: str
    kept: str | None


@dataclass(frozen=True)
class EntryView:
    """An entry by itself.

    Attributes
    ----------
    id : str
    picture : str or None
        Address of its picture, as browsers show it.
    reason : str or None
        Why there is none.
    width, height : int
        Pixels.
    facts, metadata : tuple of (str, str)
    """

    id: str
    picture: str | None
    reason: str | None
    width: int
    height: int
    facts: Pairs
    metadata: Pairs
