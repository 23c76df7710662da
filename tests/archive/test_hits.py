"""Hits: what they say to people's programs."""

import datetime
import json
from dataclasses import replace

import pytest

import homing
from homing.archive.hits import Decision, Hit, Hits, RecordedPicture, SearchResult

HIT = Hit(id="a", similarity=0.9, view="upright", cell=1, code_distance=0.1, state="added")
NOON = datetime.datetime(2026, 1, 2, 12, tzinfo=datetime.UTC)
DECISION = Decision(number=3, copy=True, by="Ada", at=NOON, same_query=False)


def test_a_hit_has_the_same_keys_whatever_is_known():
    known = replace(
        HIT,
        false_alarm_rate=1.23456e-5,
        rate_is_bound=False,
        is_copy=True,
        verdict="copy",
        region=(0, 1, 2, 3),
        edits=("mirrored",),
        metadata={"title": "Sea"},
        decision=DECISION,
    )
    values = json.loads(json.dumps(known.as_dict()))
    assert values.keys() == HIT.as_dict().keys()
    assert values["false_alarm_rate"] == 1.23e-5
    assert values["region"] == [0, 1, 2, 3]
    assert Decision.from_dict(values["decision"]) == DECISION
    assert HIT.as_dict()["false_alarm_rate"] is None
    assert HIT.as_dict()["metadata"] == {}


@pytest.mark.parametrize(
    ("verdict", "confirmed"),
    [("file", True), ("copy", True), ("part", False), ("undecided", None), ("none", False)],
)
def test_a_verdict_confirms_or_not(verdict, confirmed):
    assert replace(HIT, verdict=verdict).confirmed is confirmed
    assert HIT.confirmed is None


def test_other_hits_of_the_same_search_keep_what_was_searched():
    recorded = {"a": RecordedPicture(None, b"s", b"f", 3, 2)}
    hits = Hits([HIT], cells_searched=1, cells=256, recorded=recorded)
    other = hits.replaced([replace(HIT, id="b"), HIT])
    assert [hit.id for hit in other] == ["b", "a"]
    assert (other.cells_searched, other.cells, other.recorded) == (1, 256, recorded)
    assert hits.replaced([], {}).recorded == {}


def test_a_result_is_an_answer_or_a_reason():
    result = SearchResult.of("q.jpg", 0.12345, Hits([HIT], cells_searched=1, cells=256))
    assert result.as_dict()["hits"] == [HIT.as_dict()]
    assert (result.as_dict()["cells_searched"], result.as_dict()["cells"]) == (1, 256)
    assert homing.SearchResult("q.jpg", reason="no picture").as_dict() == {
        "query": "q.jpg", "status": "failed", "reason": "no picture"
    }  # fmt: skip
