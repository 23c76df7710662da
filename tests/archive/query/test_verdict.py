"""Verdicts on hits, in words."""

from dataclasses import replace

import pytest

import homing
from homing.archive.query.verdict import copy_in_words, hit_in_words, rate_in_words

HIT = homing.Hit(
    id="a", similarity=0.9, view="upright", cell=1, code_distance=0.1, state="added"
)  # fmt: skip


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        (0.9, "more often than not"),
        (0.3, "1 in 3 queries"),
        (0.0103, "1 in 97 queries"),
        (1.04e-4, "1 in 9,600 queries"),
        (3e-8, "1 in 33,000,000 queries"),
    ],
)
def test_rates_in_words(rate, words) -> None:
    assert rate_in_words(rate) == words


def test_a_bound_is_said_to_be_one() -> None:
    words = rate_in_words(1e-5, bound=True)
    assert words == "less than 1 in 100,000 queries, as far as this archive can tell"


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({}, ""),
        ({"confirmed": False}, "(details do not agree)"),
        ({"confirmed": True, "is_copy": True}, "a copy (details agree)"),
        (
            {"false_alarm_rate": 1e-3, "rate_is_bound": False, "is_copy": False},
            "no sure copy (by chance: 1 in 1,000 queries)",
        ),
        (
            {
                "false_alarm_rate": 1e-5,
                "rate_is_bound": True,
                "is_copy": True,
                "confirmed": True,
            },
            "a copy (by chance: less than 1 in 100,000 queries, as far as this archive can tell; "
            "details agree)",
        ),
    ],
)
def test_hits_in_words(facts, words) -> None:
    assert hit_in_words(replace(HIT, **facts)) == words


def test_without_a_calibration_nothing_is_called_a_copy() -> None:
    assert [copy_in_words(each) for each in (True, False, None)] == ["a copy", "no sure copy", ""]
