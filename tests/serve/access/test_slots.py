"""Slots: shares of the requests that are answered at once."""

from contextlib import ExitStack

import pytest
from fastapi import HTTPException

from homing.serve.access.slots import Slots


def taken(slots, client, held):
    """Take as many slots as a client gets; return their number and the last refusal."""
    number = 0
    while True:
        try:
            held.enter_context(slots.hold(client))
        except HTTPException as error:
            return number, error
        number += 1


def test_whatever_some_hold_there_is_room_for_another():
    slots = Slots(12, 100)
    with ExitStack() as held:
        counts = [taken(slots, client, held)[0] for client in "abcd"]
        assert counts == [6, 3, 2, 1]
        assert taken(slots, "a", held)[1].status_code == 503
    with ExitStack() as held:
        number, error = taken(slots, "b", held)
        assert (number, error.status_code) == (6, 429)
        assert error.headers["Retry-After"] == "1"


def test_bodies_count_together_until_they_are_answered():
    slots = Slots(12, 100)
    with slots.hold("a") as first, slots.hold("a") as second, slots.hold("b") as other:
        first(60)
        other(60)
        with pytest.raises(HTTPException, match=r"429.*more than 100 bytes"):
            second(60)
    with slots.hold("a") as first:
        first(100)
    assert not slots._held
    assert not slots._bytes
