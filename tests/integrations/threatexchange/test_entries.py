"""What an index keeps beside its signals."""

import json
from dataclasses import dataclass

import pytest
from threatexchange.exchanges.fetch_state import (
    FetchedSignalMetadata,
    SignalOpinion,
    SignalOpinionCategory,
)
from threatexchange.exchanges.impl.fb_threatexchange_api import FBThreatExchangeIndicatorRecord

from homing.errors import UsageError
from homing.integrations.threatexchange.entries import from_plain, to_plain


@dataclass(frozen=True)
class Ours:
    """An extension's own."""

    number: int


OPINION = SignalOpinion(True, SignalOpinionCategory.POSITIVE_CLASS, {"a", "b"})


@pytest.mark.parametrize(
    "value",
    [
        None, True, 7, 0.5, "ä", [], (1, [2, (3,)]), {"x", "y"}, {("a", 1): [None]},
        OPINION, Ours(3),
        [("bank", FetchedSignalMetadata())],
        [("fb", FBThreatExchangeIndicatorRecord([OPINION]))],
    ],
)  # fmt: skip
def test_it_comes_back_as_it_was(value) -> None:
    back = from_plain(json.loads(json.dumps(to_plain(value))))
    assert back == value
    assert type(back) is type(value)


def test_what_cannot_be_kept_is_named() -> None:
    for value in (object(), b"bytes", 1j, Ours):
        with pytest.raises(UsageError, match="cannot keep"):
            to_plain(value)


@pytest.mark.parametrize(
    "plain",
    [
        ["object", "os:system", {}],
        ["object", "subprocess:Popen", {}],
        ["object", "builtins:object", {}],
        ["object", "nowhere:Thing", {}],
        ["object", f"{__name__}:Ours", {"number": 1, "more": 2}],
        ["object", f"{__name__}:Ours", 3],
        ["enum", "threatexchange.exchanges.fetch_state:SignalOpinionCategory", "NO"],
        ["enum", f"{__name__}:Ours", "number"],
        ["call", "os:system", "true"],
        {},
        [],
        [[1]],
        ["dict", [1]],
    ],
)
def test_what_was_not_written_so_is_refused(plain) -> None:
    with pytest.raises(UsageError):
        from_plain(plain)


@pytest.mark.parametrize(
    "plain",
    [
        ["object", 5, {}],
        ["object", "threatexchange.nothing:X", {}],
        ["object", "threatexchange..x:X", {}],
        ["enum", "threatexchange.cli.nothing:X", "A"],
        {"list": 1},
        [["list"], 1],
        ["set", ["list", 1]],
    ],
)
def test_an_edited_value_is_refused(plain) -> None:
    with pytest.raises(UsageError):
        from_plain(plain)


def test_lists_in_lists_without_end_are_refused() -> None:
    plain: list = ["list"]
    for _ in range(5000):
        plain = ["list", plain]
    with pytest.raises(UsageError):
        from_plain(plain)


def test_no_code_of_a_class_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = []

    @dataclass
    class Loud:
        number: int

        def __post_init__(self) -> None:
            ran.append(self.number)

        def __setstate__(self, state: dict) -> None:
            ran.append(state)

    Loud.__qualname__ = "Loud"
    monkeypatch.setitem(globals(), "Loud", Loud)
    value = to_plain(Loud(1))
    ran.clear()
    assert from_plain(value).number == 1
    assert ran == []
