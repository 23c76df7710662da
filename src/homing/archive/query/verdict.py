"""The verdict on a hit: by its false-alarm rate or by local features, and in words."""

import math
from dataclasses import dataclass, replace

from homing.archive.results import Hit


@dataclass(frozen=True)
class Verdict:
    """Verdict by the false-alarm rate; all None in an archive that is not calibrated."""

    false_alarm_rate: float | None = None
    rate_is_bound: bool | None = None  # the rate is lower still
    is_copy: bool | None = None

    @classmethod
    def by_rate(cls, rate: float, *, most: float, least: float) -> "Verdict":
        """Return the verdict: a copy up to the rate `most`. Below `least` that is reported."""
        return cls(max(least, rate), rate < least, rate <= most)


def decide_by_features(hit: Hit, agreed: bool | None) -> Hit:
    """Return a hit with the verdict of local features, which overrules that of the rate."""
    return hit if agreed is None else replace(hit, confirmed=agreed, is_copy=agreed)


def rate_in_words(rate: float, *, bound: bool = False) -> str:
    """Return a false-alarm rate, above 0, as "1 in 12,000 queries".

    `bound`: the rate is lower still, by an unknown factor.
    """
    if rate >= 0.5:
        return "more often than not"
    unit = int(10 ** max(0, math.floor(math.log10(1 / rate)) - 1))
    words = f"1 in {round(1 / rate / unit) * unit:,} queries"
    return f"less than {words}, as far as this archive can tell" if bound else words


def copy_in_words(is_copy: bool | None) -> str:
    """Return whether a hit is a copy; nothing if the archive is not calibrated."""
    return {True: "a copy", False: "no sure copy", None: ""}[is_copy]


def hit_in_words(hit: Hit) -> str:
    """Return the verdict with its reasons in brackets; nothing if there is none."""
    by_chance = ""
    if hit.false_alarm_rate is not None:
        words = rate_in_words(hit.false_alarm_rate, bound=bool(hit.rate_is_bound))
        by_chance = f"by chance: {words}"
    details = {True: "details agree", False: "details do not agree", None: ""}[hit.confirmed]
    reasons = "; ".join(filter(None, (by_chance, details)))
    return " ".join(filter(None, (copy_in_words(hit.is_copy), f"({reasons})" if reasons else "")))


def explanation_in_words(hit: Hit | None, confirmed: bool | None, reason: str | None) -> str:
    """Return the verdict as a sentence; `confirmed`: local features of the two pictures agree."""
    if hit is None:
        return f"No verdict: {reason}." if reason else "Nothing was found in the cells visited."
    if confirmed:
        return f"A copy of {hit.id}: the two agree in their details."
    if hit.is_copy:
        doubt = "" if confirmed is None else "; yet the two do not agree in their details"
        return f"Taken for a copy of {hit.id}{doubt}."
    if confirmed is False:
        return f"No copy: most like {hit.id}, and the two do not agree in their details."
    if hit.is_copy is None:
        return f"Most like {hit.id}; the archive is not calibrated, so there is no verdict."
    return f"No sure copy of anything; most like {hit.id}."
