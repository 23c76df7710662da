"""Decisions that may be for a query's hits: on the same file, or on one that shows the same."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from homing.archive.decisions.kept import KeptDecision
from homing.archive.hits import Hit, Hits
from homing.archive.query.confirm import QueryPicture
from homing.archive.query.queries import DescribedQuery
from homing.errors import PictureError
from homing.evidence import ComparableQuery, ComparableRecord
from homing.images.preview import read_preview
from homing.options import UPRIGHT

#: Least similarity of queries that are compared. Of 90 photographs turned grey, brighter, mirrored,
#: written over, cut by 2 % and made a half and a quarter of their size, one of 630 is below it (a
#: quarter at JPEG quality 40); of 4,005 pairs of different photographs one is above.
_NEAR = 0.7
#: Least share of each of the two pictures that the other shows. A tighter crop may leave out what a
#: decision was about.
_SHOWN = 0.9
_COMPARED = 5  # most earlier queries to compare with a query, 40 to 120 ms each


@dataclass(frozen=True, eq=False)
class RelevantDecisions:
    """Decisions that may be for a query's hits; it can be sent to another process.

    `same` are those on the same file, `near` those on queries alike, with the previews of these.
    """

    same: tuple[KeptDecision, ...] = ()
    near: tuple[tuple[bytes, tuple[KeptDecision, ...]], ...] = ()

    def __bool__(self) -> bool:
        """Return whether there are any."""
        return bool(self.same or self.near)

    def apply(self, hits: Hits, picture: QueryPicture) -> Hits:
        """Return the hits of a query, decided copies first and decided strangers last."""
        decided: dict[str, tuple[KeptDecision, bool]] = {}
        for preview, decisions in self.near:
            if _shows_the_same(preview, picture.comparable):
                _take_latest(decided, decisions, same_query=False)
        same: dict[str, tuple[KeptDecision, bool]] = {}
        _take_latest(same, self.same, same_query=True)
        decided |= same
        if not decided:
            return hits
        made = [_decided(hit, decided.get(hit.id)) for hit in hits]
        return hits.replaced(sorted(made, key=_rank))


def _take_latest(
    decided: dict[str, tuple[KeptDecision, bool]],
    decisions: Iterable[KeptDecision],
    *,
    same_query: bool,
) -> None:
    for each in decisions:
        if each.id not in decided or decided[each.id][0].number < each.number:
            decided[each.id] = (each, same_query)


def _decided(hit: Hit, decided: tuple[KeptDecision, bool] | None) -> Hit:
    if decided is None:
        return hit
    decision = decided[0].on_hit(same_query=decided[1])
    return replace(hit, decision=decision, is_copy=decision.copy)


def _rank(hit: Hit) -> int:
    """Rank a hit: decided copies, then what is not decided, then what is decided to be none."""
    return 1 if hit.decision is None else 0 if hit.decision.copy else 2


def _shows_the_same(preview: bytes, query: ComparableQuery) -> bool:
    """Return whether an earlier query and this one show next to the same."""
    try:
        record = ComparableRecord(read_preview(preview))
    except PictureError:
        return False
    found = query.compare(record)
    return found.kind == "copy" and min(found.shown, found.covered) >= _SHOWN


def near_queries(
    decisions: Sequence[KeptDecision], query: DescribedQuery
) -> list[list[KeptDecision]]:
    """Return the decisions on queries that may be alike, query by query, most alike first."""
    if UPRIGHT not in query.views:
        return []
    vector = query.vectors[query.views.index(UPRIGHT)]
    groups = defaultdict[str | bytes, list[KeptDecision]](list)
    for each in decisions:
        if each.vector.shape == vector.shape:
            groups[each.query_sha256 or each.vector.tobytes()].append(each)
    ranked = [(float(group[0].vector @ vector), group) for group in groups.values()]
    ranked.sort(key=lambda pair: -pair[0])
    return [group for similarity, group in ranked[:_COMPARED] if similarity >= _NEAR]
