"""The verdict on a hit, by its false-alarm rate, and verdicts in words.

The command line, explanations, the service and its pages all speak these words.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from homing.archive.hits import Decision, Hit, SearchResult


@dataclass(frozen=True)
class Verdict:
    """Verdict by the false-alarm rate; all None in an archive that is not calibrated."""

    false_alarm_rate: float | None = None
    rate_is_bound: bool | None = None  # the rate is lower still
    is_copy: bool | None = None
    rate_is_provisional: bool | None = None  # it does not rest on the archive

    @classmethod
    def by_rate(
        cls, rate: float, *, most: float, least: float, provisional: bool = False
    ) -> "Verdict":
        """Return the verdict: a copy up to the rate `most`. Below `least` that is reported."""
        return cls(max(least, rate), rate < least, rate <= most, provisional)


def rate_in_words(rate: float, *, bound: bool = False, provisional: bool = False) -> str:
    """Return a false-alarm rate, above 0, as "1 in 12,000 unrelated pictures".

    `bound`: the rate is lower still, by an unknown factor. `provisional`: it rests on pictures that
    are not the archive's.
    """
    if rate >= _BY_CHANCE:
        return "most unrelated pictures"
    unit = int(10 ** max(0, math.floor(math.log10(1 / rate)) - 1))
    words = f"1 in {round(1 / rate / unit) * unit:,} unrelated pictures"
    if bound:
        return f"fewer than {words}"
    return f"about {words}" if provisional else words


def rate_of_hit_in_words(hit: Hit | Verdict) -> str:
    """Return the false-alarm rate of a hit that has one."""
    assert hit.false_alarm_rate is not None
    bound, provisional = bool(hit.rate_is_bound), bool(hit.rate_is_provisional)
    return rate_in_words(hit.false_alarm_rate, bound=bound, provisional=provisional)


NOT_FOUND = "not found in this archive"
TOO_FEW = "with fewer than 200 pictures homing cannot judge by similarity yet"
_BY_CHANCE = 0.5  # rate from which a similarity says nothing for a copy
_MOST_NAMED = 3  # copies that a sentence names


def hit_in_words(hit: Hit) -> str:
    """Return the verdict on a hit with what it rests on."""
    if hit.decision is not None:
        return decision_in_words(hit.decision)
    if hit.verdict is None:
        return _similarity_in_words(hit)
    words = _SHORT[hit.verdict]
    if hit.verdict == "file":
        return f"{words} ({hit.reason})"
    if hit.verdict == "copy":
        return words + _edits_in_words(hit)
    if hit.verdict == "part":
        agree = hit.agreeing
        return words if agree is None else f"{words}: {agree:.0%} of what both show is alike"
    chance = _chance_in_words(hit) if hit.verdict == "undecided" else ""
    return f"{words}: {hit.reason}{chance}"


def decision_in_words(decision: Decision) -> str:
    """Return what a person decided, with who and when."""
    words = verdict_in_words(None, decision.copy, decided=True)
    about = "" if decision.same_query else ", on another file that shows the same"
    return f"{words} by {decision.by} on {decision.at:%Y-%m-%d}{about}"


def verdict_in_words(verdict: str | None, is_copy: bool | None, *, decided: bool = False) -> str:
    """Return a verdict without what it rests on. `decided`: a person decided it."""
    if decided:
        return "a copy, as decided" if is_copy else "no copy, as decided"
    if verdict is not None:
        return _SHORT[verdict]
    return _BY_SIMILARITY[is_copy]


_SHORT = {
    "file": "the very file",
    "copy": "a copy",
    "part": "shares a part",
    "undecided": "undecided",
    "none": "no copy",
}

_BY_SIMILARITY = {
    True: "probably a copy, by similarity alone",
    False: "not found to be a copy",
    None: "not compared",
}


def _edits_in_words(hit: Hit) -> str:
    """Return what was done to a copy, behind a colon; nothing where nothing is seen."""
    cropped = "" if hit.shown is None else f"{max(1, round(100 * hit.shown))} % of it"
    edits = [cropped if cropped and e.startswith("cropped") else e for e in hit.edits]
    edits.sort(key=lambda edit: edit != cropped)
    return f": {', '.join(edits)}" if edits else ""


def _similarity_in_words(hit: Hit) -> str:
    """Return what similarity alone says of a hit."""
    if hit.is_copy is None:
        return hit.reason or f"not compared; {TOO_FEW}"
    words = verdict_in_words(None, hit.is_copy) + _chance_in_words(hit)
    return f"{words}; {hit.reason}" if hit.reason else words


def _chance_in_words(hit: Hit | Verdict) -> str:
    """Return how often unrelated pictures are as similar, in brackets; nothing if not known."""
    if hit.false_alarm_rate is None:
        return ""
    words = rate_of_hit_in_words(hit)
    return f" ({words} look{'s' * words.startswith(('1 in', 'about'))} this similar)"


def answer_in_words(hits: Sequence[Hit]) -> str:
    """Return the answer to a query: what it is a copy of, and what was done to it."""
    if not hits:
        return NOT_FOUND
    kind = _kind_of(hits)
    if kind == "copy":
        files = [hit.id for hit in hits if hit.is_copy and hit.verdict == "file"]
        copies = [hit.id for hit in hits if _is_sure_copy(hit) and hit.id not in files]
        found = [("file", files), ("copy", copies)]
        words = ", and ".join(copy_in_words(verdict, ids) for verdict, ids in found if ids)
        sure = [hit for hit in hits if _is_sure_copy(hit)]
        if not any(hit.confirmed for hit in sure):
            return f"{words}, as decided"
        return words + _edits_in_words(sure[0]) if len(sure) == 1 else words
    if kind == "alike":
        return copy_in_words(None, [hit.id for hit in hits if hit.is_copy])
    if kind == "part":
        return f"not a copy; shares a part with {_names([h.id for h in hits if _shares_part(h)])}"
    if kind == "undecided":
        best = next(hit for hit in hits if may_be_copy(hit))
        if best.is_copy is False:
            return f"{NOT_FOUND}; the most similar entry is {best.id}"
        return f"perhaps a copy of {best.id}: {best.reason or _similarity_in_words(best)}"
    if hits[0].decision is not None:  # those that were decided to be none come last
        return f"no copy of {_names([hit.id for hit in hits])}, as decided"
    return NOT_FOUND


def copy_in_words(
    verdict: str | None, ids: Sequence[str], by_similarity: Verdict | None = None
) -> str:
    """Return what a picture is of some entries: a copy, by a verdict or by similarity alone."""
    if verdict is not None:
        return f"{_SHORT[verdict]} of {_names(ids)}"
    chance = "" if by_similarity is None else _chance_in_words(by_similarity)
    return f"probably a copy of {_names(ids)}, by similarity alone{chance}"


def _is_sure_copy(hit: Hit) -> bool:
    """Return whether a hit is a copy by comparison, or by decision."""
    return bool(hit.is_copy) and (hit.decision is not None or hit.verdict is not None)


def _shares_part(hit: Hit) -> bool:
    return hit.verdict == "part" and hit.decision is None


def may_be_copy(hit: Hit) -> bool:
    """Return whether pictures and similarity leave it open that a hit is a copy."""
    if hit.decision is not None or hit.left_aside or hit.verdict not in (None, "undecided"):
        return False
    return hit.false_alarm_rate is None or hit.false_alarm_rate < _BY_CHANCE


def _names(ids: Sequence[str]) -> str:
    named = list(ids[:_MOST_NAMED])
    if len(ids) > _MOST_NAMED:
        named.append(f"{len(ids) - _MOST_NAMED} more")
    return named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"


def left_aside_in_words(hits: Sequence[Hit]) -> str:
    """Return which hits a comparison left aside; nothing if there are none."""
    names = [hit.id for hit in hits if hit.left_aside]
    return f"less similar, so not compared: {_names(names)}" if names else ""


class Tally:
    """Count of the answers to several queries."""

    def __init__(self) -> None:
        self.kinds = Counter[str]()  # answers by what they are: the keys of `_COUNTED`
        self.without_preview = 0  # hits that could not be compared
        self.cells: set[tuple[int, int]] = set()  # searched and all, where some were left out

    def add(self, result: SearchResult) -> None:
        """Count an answer."""
        self.kinds["nothing" if result.note else _kind_of(result.hits)] += 1
        for hit in result.hits:
            unknown = hit.verdict is None and hit.reason is not None and not hit.left_aside
            self.without_preview += unknown
        searched, cells = result.cells_searched, result.cells
        if searched is not None and cells is not None and 0 < searched < cells:
            self.cells.add((searched, cells))

    def __str__(self) -> str:
        """Return what was found, and what was not searched, in one line."""
        total = self.kinds.total()
        counts = (
            f"{self.kinds[kind]:,} {words[self.kinds[kind] > 1]}"
            for kind, words in _COUNTED.items()
            if self.kinds[kind]
        )
        words = f"{total:,} picture{'s' * (total != 1)}: {', '.join(counts)}"
        if not self.cells:
            return words
        (least, cells), (most, _) = min(self.cells), max(self.cells)
        searched = f"{least:,}" if least == most else f"{least:,} to {most:,}"
        return f"{words}; {searched} of {cells:,} cells searched"


_COUNTED = {
    "copy": ("a copy", "copies"),
    "alike": ("probably a copy", "probably copies"),
    "part": ("sharing a part", "sharing a part"),
    "undecided": ("undecided", "undecided"),
    "none": ("not found", "not found"),
    "nothing": ("nearly blank", "nearly blank"),
}


def _kind_of(hits: Sequence[Hit]) -> str:
    for kind, is_of_kind in (
        ("copy", _is_sure_copy),
        ("alike", lambda hit: hit.is_copy),
        ("part", _shares_part),
        ("undecided", may_be_copy),
    ):
        if any(is_of_kind(hit) for hit in hits):
            return kind
    return "none"
