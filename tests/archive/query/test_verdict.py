"""Verdicts on hits, in words."""

import datetime
from dataclasses import replace

import pytest

import homing
from homing.archive.hits import LESS_SIMILAR, Decision, SearchResult
from homing.archive.query.verdict import (
    Tally,
    Verdict,
    answer_in_words,
    copy_in_words,
    hit_in_words,
    left_aside_in_words,
    rate_in_words,
)

HIT = homing.Hit(
    id="a", similarity=0.9, view="upright", cell=1, code_distance=0.1, state="added"
)  # fmt: skip


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        (0.9, "most unrelated pictures"),
        (0.3, "1 in 3 unrelated pictures"),
        (0.0103, "1 in 97 unrelated pictures"),
        (1.04e-4, "1 in 9,600 unrelated pictures"),
        (3e-8, "1 in 33,000,000 unrelated pictures"),
    ],
)
def test_rates_in_words(rate, words) -> None:
    assert rate_in_words(rate) == words


def test_a_bound_is_said_to_be_one() -> None:
    assert rate_in_words(1e-3, provisional=True) == "about 1 in 1,000 unrelated pictures"
    assert rate_in_words(1e-5, bound=True) == "fewer than 1 in 100,000 unrelated pictures"


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({}, "not compared; with fewer than 200 pictures homing cannot judge by similarity yet"),
        ({"reason": "not compared: no preview"}, "not compared: no preview"),
        (
            {"false_alarm_rate": 1e-3, "rate_is_bound": False, "is_copy": False},
            "not found to be a copy (1 in 1,000 unrelated pictures looks this similar)",
        ),
        (
            {"false_alarm_rate": 1e-5, "is_copy": True, "reason": "not compared: no preview"},
            "probably a copy, by similarity alone (1 in 100,000 unrelated pictures looks this "
            "similar); not compared: no preview",
        ),
        ({"verdict": "file", "reason": "byte for byte"}, "the very file (byte for byte)"),
        ({"verdict": "copy", "false_alarm_rate": 1e-3}, "a copy"),
        ({"verdict": "part", "agreeing": 0.4}, "shares a part: 40% of what both show is alike"),
        ({"verdict": "copy", "edits": ("mirrored", "darker")}, "a copy: mirrored, darker"),
        (
            {
                "verdict": "copy",
                "edits": ("mirrored", "cropped to 64 % of the picture"),
                "shown": 0.64,
            },
            "a copy: 64 % of it, mirrored",
        ),
        ({"verdict": "none", "reason": "nothing in common"}, "no copy: nothing in common"),
        (
            {"verdict": "undecided", "reason": "too little detail", "false_alarm_rate": 1e-3},
            "undecided: too little detail (1 in 1,000 unrelated pictures looks this similar)",
        ),
    ],
)
def test_hits_in_words(facts, words) -> None:
    assert hit_in_words(replace(HIT, **facts)) == words


def hit(name: str, verdict: str | None, is_copy: bool | None) -> homing.Hit:
    return replace(HIT, id=name, verdict=verdict, is_copy=is_copy, reason="why")


NO_NEARER = "not found in this archive"


def rated(name: str, verdict: str | None, rate: float) -> homing.Hit:
    is_copy = None if verdict else False
    return replace(hit(name, verdict, is_copy), false_alarm_rate=rate)


def aside(name: str) -> homing.Hit:
    return replace(HIT, id=name, reason=LESS_SIMILAR, false_alarm_rate=1e-3)


@pytest.mark.parametrize(
    ("hits", "words"),
    [
        ([hit("a", "file", True), hit("b", "copy", True)], "the very file of a, and a copy of b"),
        ([hit(name, "copy", True) for name in "abcde"], "a copy of a, b, c and 2 more"),
        (
            [hit("a", "part", False), hit("b", "none", False)],
            "not a copy; shares a part with a",
        ),
        ([hit("a", "undecided", None)], "perhaps a copy of a: why"),
        ([hit("a", "none", False)], "not found in this archive"),
        ([hit("a", None, True)], "probably a copy of a, by similarity alone"),
        ([hit("a", None, False)], "not found in this archive; the most similar entry is a"),
        ([hit("a", None, None)], "perhaps a copy of a: why"),
        (
            [rated("a", None, 0.01), rated("b", None, 0.9)],
            "not found in this archive; the most similar entry is a",
        ),
        ([rated("a", None, 0.9)], NO_NEARER),
        ([rated("a", "undecided", 0.9), hit("b", "none", False)], NO_NEARER),
        (
            [rated("a", "undecided", 0.9), rated("b", "undecided", 1e-3)],
            "perhaps a copy of b: why",
        ),
        ([hit("a", "none", False), aside("b")], "not found in this archive"),
        ([hit("a", "copy", True), aside("b")], "a copy of a"),
        (
            [replace(hit("a", "copy", True), edits=("mirrored",)), hit("b", "none", False)],
            "a copy of a: mirrored",
        ),
        ([], "not found in this archive"),
    ],
)
def test_answers_in_words(hits, words) -> None:
    assert answer_in_words(hits) == words


def decided(name: str, verdict: str | None, *, copy: bool, same_query: bool = True) -> homing.Hit:
    at = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)
    decision = Decision(1, copy, "Ada", at, same_query)
    return replace(hit(name, verdict, copy), decision=decision)


def test_what_people_decided_in_words() -> None:
    stranger = decided("a", "copy", copy=False)
    assert hit_in_words(stranger) == "no copy, as decided by Ada on 2026-01-02"
    alike = decided("a", None, copy=True, same_query=False)
    words = "a copy, as decided by Ada on 2026-01-02, on another file that shows the same"
    assert hit_in_words(alike) == words
    assert answer_in_words([alike, hit("b", "none", False)]) == "a copy of a, as decided"
    assert answer_in_words([alike, hit("b", "copy", True)]) == "a copy of a and b"
    assert answer_in_words([stranger]) == "no copy of a, as decided"
    assert answer_in_words([hit("b", "none", False), stranger]) == "not found in this archive"
    file = decided("a", "file", copy=False)
    assert answer_in_words([hit("b", "part", False), file]) == "not a copy; shares a part with b"
    assert counted([alike], [stranger]) == "2 pictures: 1 a copy, 1 not found"


def counted(*answers: list[homing.Hit], cells: tuple[int, ...] = ()) -> str:
    tally = Tally()
    for place, hits in enumerate(answers):
        searched = {"cells_searched": cells[place], "cells": 256} if cells else {}
        tally.add(SearchResult("a", hits=tuple(hits), **searched))
    return str(tally)


def test_answers_are_counted() -> None:
    answers = (
        [hit("a", "copy", True)],
        [hit("a", "none", False)],
        [hit("a", "undecided", None)],
        [],
    )
    words = "4 pictures: 1 a copy, 1 undecided, 2 not found"
    assert counted(*answers) == words
    assert counted(*answers, cells=(256, 256, 256, 0)) == words
    assert counted(*answers, cells=(1, 1, 256, 0)) == f"{words}; 1 of 256 cells searched"
    assert counted(*answers, cells=(1, 4, 16, 0)) == f"{words}; 1 to 16 of 256 cells searched"


def test_hits_that_could_not_be_compared_are_counted() -> None:
    tally = Tally()
    hits = (hit("a", None, False), hit("b", "none", False), aside("c"))
    tally.add(SearchResult("a", hits=hits))
    assert tally.without_preview == 1


def test_hits_left_aside_are_named() -> None:
    hits = [hit("a", "copy", True), *map(aside, "bcdef")]
    assert left_aside_in_words(hits) == "less similar, so not compared: b, c, d and 2 more"
    assert left_aside_in_words(hits[:1]) == ""


def test_what_an_entry_is_a_copy_of() -> None:
    assert copy_in_words("file", ["a"]) == "the very file of a"
    chance = Verdict.by_rate(1e-3, most=1e-2, least=1e-6)
    assert copy_in_words(None, ["a"], chance) == (
        "probably a copy of a, by similarity alone "
        "(1 in 1,000 unrelated pictures looks this similar)"
    )
