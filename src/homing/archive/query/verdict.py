"""The verdict on a hit, by its false-alarm rate, and verdicts in words.

The command line, explanations, the service and its pages all speak these words.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from homing.archive.hits import Decision, Hit


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
    """Return a false-alarm rate, above 0, as "1 in 12,000 queries".

    `bound`: the rate is lower still, by an unknown factor. `provisional`: it rests on pictures that
    are not the archive's.
    """
    if rate >= 0.5:
        return "more often than not"
    unit = int(10 ** max(0, math.floor(math.log10(1 / rate)) - 1))
    words = f"1 in {round(1 / rate / unit) * unit:,} queries"
    if bound:
        words = f"less than {words}"
    if provisional:
        return f"{words}, provisional"
    return f"{words}, as far as this archive can tell" if bound else words


def rate_of_hit_in_words(hit: Hit | Verdict) -> str:
    """Return the false-alarm rate of a hit that has one."""
    assert hit.false_alarm_rate is not None
    bound, provisional = bool(hit.rate_is_bound), bool(hit.rate_is_provisional)
    return rate_in_words(hit.false_alarm_rate, bound=bound, provisional=provisional)


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
        return f"{words}: {', '.join(hit.edits)}" if hit.edits else words
    if hit.verdict == "part":
        return words if hit.shown is None else f"{words}: {hit.shown:.0%} of it, at most"
    chance = _chance_in_words(hit) if hit.verdict == "undecided" else ""
    return f"{words}: {hit.reason}" + (f" ({chance})" if chance else "")


def decision_in_words(decision: Decision) -> str:
    """Return what a person decided, with who and when."""
    words = verdict_in_words(None, decision.copy, decided=True)
    about = "" if decision.same_query else ", on another file that shows the same"
    return f"{words} by {decision.by} on {decision.at:%Y-%m-%d}{about}"


def verdict_in_words(verdict: str | None, is_copy: bool | None, *, decided: bool = False) -> str:
    """Return a verdict without what it rests on; nothing if there is none.

    `decided`: a person decided it.
    """
    if decided:
        return "a copy, as decided" if is_copy else "no copy, as decided"
    if verdict is None:
        return {True: "a copy, by similarity alone", False: "no sure copy", None: ""}[is_copy]
    return _SHORT[verdict]


_SHORT = {
    "file": "the very file",
    "copy": "a copy",
    "part": "shares a part",
    "undecided": "undecided",
    "none": "no copy",
}


def _similarity_in_words(hit: Hit) -> str:
    """Return what similarity alone says of a hit."""
    if hit.is_copy is None:
        return hit.reason or "not compared"
    words = verdict_in_words(None, hit.is_copy) + (f"; {hit.reason}" if hit.reason else "")
    chance = _chance_in_words(hit)
    return f"{words} ({chance})" if chance else words


def _chance_in_words(hit: Hit | Verdict) -> str:
    if hit.false_alarm_rate is None:
        return ""
    words = rate_of_hit_in_words(hit)
    return f"so similar by chance: {words}"


def answer_in_words(hits: Sequence[Hit]) -> str:
    """Return the answer to a query, of at least one hit: what it is a copy of."""
    files = [hit.id for hit in hits if hit.is_copy and hit.verdict == "file"]
    copies = [hit.id for hit in hits if _is_sure_copy(hit)]
    if files:
        others = [name for name in copies if name not in files]
        more = f", and {copy_in_words('copy', others)}" if others else ""
        return copy_in_words("file", files) + more
    if copies:
        return copy_in_words("copy", copies)
    alike = [hit.id for hit in hits if hit.is_copy]
    if alike:
        return copy_in_words(None, alike)
    if hits[0].decision is not None:  # those that were decided to be none come last
        return f"no copy of {_names([hit.id for hit in hits])}, as decided"
    shared = [hit.id for hit in hits if hit.verdict == "part" and hit.decision is None]
    if shared:
        return f"no copy; it shares a part with {_names(shared)}"
    best = hits[0]
    if best.verdict == "undecided":
        return f"undecided: most like {best.id}; {best.reason}"
    if best.verdict == "none":
        return "no copy of anything found"
    return f"no sure copy; most like {best.id}" if best.is_copy is False else f"most like {best.id}"


def copy_in_words(
    verdict: str | None, ids: Sequence[str], by_similarity: Verdict | None = None
) -> str:
    """Return what a picture is of some entries: a copy, by a verdict or by similarity alone."""
    if verdict is not None:
        return f"{_SHORT[verdict]} of {_names(ids)}"
    chance = "" if by_similarity is None else _chance_in_words(by_similarity)
    words = f"taken for a copy of {_names(ids)}, by similarity alone"
    return f"{words} ({chance})" if chance else words


def _is_sure_copy(hit: Hit) -> bool:
    """Return whether a hit is a copy by comparison, or by decision."""
    return bool(hit.is_copy) and (hit.decision is not None or hit.verdict is not None)


def _names(ids: Sequence[str]) -> str:
    named = list(ids[:_MOST_NAMED])
    if len(ids) > _MOST_NAMED:
        named.append(f"{len(ids) - _MOST_NAMED} more")
    return named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"


def count_in_words(answers: Sequence[Sequence[Hit]]) -> str:
    """Count the answers to several queries by their verdict."""
    counts = Counter(_kind_of(hits) for hits in answers)
    total = f"{len(answers):,} picture{'s' * (len(answers) != 1)}"
    return f"{total}: " + ", ".join(
        f"{counts[kind]:,} {words}" for kind, words in _COUNTED.items() if counts[kind]
    )


_COUNTED = {
    "copy": "found to be copies",
    "alike": "taken for copies by similarity alone",
    "part": "that share a part",
    "undecided": "undecided",
    "none": "without a copy",
}


def _kind_of(hits: Sequence[Hit]) -> str:
    if any(_is_sure_copy(hit) for hit in hits):
        return "copy"
    if any(hit.is_copy for hit in hits):
        return "alike"
    if any(hit.verdict == "part" and hit.decision is None for hit in hits):
        return "part"
    unknown = hits and hits[0].verdict in ("undecided", None) and hits[0].is_copy is None
    return "undecided" if unknown else "none"
