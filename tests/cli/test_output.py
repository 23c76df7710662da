"""Output of the commands: what is said of progress, and when."""

import os
import sys

import pytest

from homing.cli import output
from homing.cli.output import _Clock, _duration, quantity, try_to_say


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "5 s"),
        (22, "20 s"),
        (58, "60 s"),
        (61, "1 min"),
        (200, "3 min"),
        (7800, "2 h 10 min"),
        (7200, "2 h"),
    ],
)
def test_a_duration_is_as_rough_as_it_can_be_foretold(seconds: float, words: str) -> None:
    assert _duration(seconds) == words


def test_no_time_is_left_before_it_can_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(output.time, "monotonic", lambda: now[0])
    clock = _Clock()
    now[0] = 4.0
    assert clock.left(50, 100) == ""  # too soon
    now[0] = 40.0
    assert clock.left(9, 100) == ""  # too few
    assert clock.left(20, 100) == "3 min left"
    clock.skipped = 15  # they took no time: 5 in 40 s would be wrong to go by
    assert clock.left(20, 100) == ""
    assert clock.left(35, 100) == "2 min left"
    assert clock.left(100, 100) == ""


@pytest.mark.parametrize(
    ("count", "noun", "words"),
    [(1, "entry", "1 entry"), (0, "entry", "0 entries"), (1024, "file", "1,024 files")],
)
def test_counts_agree_with_their_nouns(count: int, noun: str, words: str) -> None:
    assert quantity(count, noun) == words


def test_a_handler_of_a_signal_raises_nothing_where_the_reader_has_gone(monkeypatch) -> None:
    read, written = os.pipe()
    os.close(read)
    with os.fdopen(written, "w", buffering=1) as gone:
        monkeypatch.setattr(sys, "stderr", gone)
        try_to_say("finishing")
        try_to_say("once more")
