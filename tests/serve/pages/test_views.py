"""Views of entries, hits and figures, in words."""

import pytest

from homing.serve.pages.views import (
    Card,
    evidence_figures,
    format_bytes,
    format_duration,
    hit_card,
    latency_rows,
    other_cards,
)

HIT = {"id": "a.jpg", "similarity": 0.91234, "view": "mirrored", "state": "released"}


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (1536, "1.5 kB"), (2**20, "1.0 MB"), (2**44, "16 TB")],
)
def test_bytes_are_formatted_in_their_unit(count: int, text: str) -> None:
    assert format_bytes(count) == text


def test_a_hit_says_how_it_was_found_only_if_it_is_a_copy() -> None:
    assert hit_card(HIT) == Card("a.jpg", "0.912 · not compared")
    assert hit_card(HIT | {"is_copy": False}).summary == "0.912 · not found to be a copy"
    assert (
        hit_card(HIT | {"is_copy": True}).summary
        == "0.912 · probably a copy, by similarity alone · mirrored"
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(59.4, "59 s"), (61, "1 min 1 s"), (7260, "2 h 1 min"), (90000, "1 d 1 h")],
)
def test_a_duration_is_formatted_in_its_two_largest_units(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_times_of_answers_are_listed_by_route() -> None:
    figures = {"latency": {"/v1/search": {"count": 1234, "p50": 0.0412, "p95": 1.26}}}
    assert latency_rows(figures) == (("/v1/search", "1,234", "41 ms", "1.3 s"),)


@pytest.mark.parametrize(
    ("entry", "others"), [("a.jpg", ["b.jpg"]), ("gone.jpg", ["a.jpg", "b.jpg"])]
)
def test_the_entry_that_is_shown_is_not_among_the_others(entry: str, others: list[str]) -> None:
    evidence = {"hit": {"id": entry}, "figures": {"query": "data:,"}}
    cards = other_cards(evidence, [HIT, HIT | {"id": "b.jpg"}])
    assert [card.id for card in cards] == others
    assert [figure.caption for figure in evidence_figures(evidence)] == ["the query"]
