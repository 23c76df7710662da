"""Small JSON files: any changed bit is seen, and values have the types that they should."""

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from homing.errors import UsageError
from homing.files.small_json import build, decode, encode, parse

VALUES = {"format": 1, "name": "Ünter", "rates": [[0.5, 1e-7]], "none": None}


@dataclass(frozen=True)
class Part:
    rate: float

    def __post_init__(self):
        if self.rate > 1:
            raise UsageError("the rate is at most 1")


@dataclass(frozen=True)
class Whole:
    name: str
    count: int = 0
    flag: bool = False
    size: int | None = None
    pairs: tuple[tuple[float, float], ...] = ()
    parts: Mapping[str, Part] = field(default_factory=dict)


def test_what_is_written_is_read():
    assert decode(encode(VALUES)) == VALUES
    assert decode(encode(VALUES), (1, 2)) == VALUES
    assert list(json.loads(encode(VALUES))) == [*VALUES, "sha256"]


def test_a_file_without_a_checksum_is_read():
    assert decode(json.dumps(VALUES).encode()) == VALUES


def test_every_flipped_bit_is_seen():
    data = encode(VALUES)
    last = 8 * len(data) - 8 * 80
    for bit in [*random.Random(0).sample(range(last), 200), *range(last, 8 * len(data))]:
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ValueError, match=r"."):
            decode(bytes(flipped))


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "1", '{"a": NaN}', '{"a": -Infinity}', "[" * 100_000, "\xff"]
)
def test_other_files_are_refused(text):
    with pytest.raises(ValueError, match=r"."):
        decode(text.encode("latin-1"))


@pytest.mark.parametrize("found", [0, 3, "1", None, [1], 1e9])
def test_another_format_is_refused_before_its_checksum_is_looked_at(found):
    data = encode({"format": found}).replace(b'"sha256": "', b'"sha256": "0')
    with pytest.raises(ValueError, match="knows 1 and 2"):
        decode(data, (1, 2))


def test_a_dataclass_is_made():
    values = {"name": "a", "size": 3, "pairs": [[1, 0.5]], "parts": {"x": {"rate": 1}}}
    assert build(Whole, values) == Whole("a", 0, False, 3, ((1.0, 0.5),), {"x": Part(1.0)})
    assert build(Whole, {"name": "a", "size": None}) == Whole("a")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": 1}, "'name' is 1, and must be a text"),
        ({"name": None}, "'name' is None"),
        ({"count": True}, "'count' is True, and must be a whole number"),
        ({"count": 1.0}, "'count' is 1.0"),
        ({"count": 10**5000}, "'count' is a huge number, and must be smaller"),
        ({"flag": 1}, "must be true or false"),
        ({"size": "3"}, "'size' is '3'"),
        ({"pairs": {}}, "must be a list"),
        ({"pairs": [[1, 2, 3]]}, "'pairs.0' is .*must be a list of 2"),
        ({"pairs": [[1, "2"]]}, "'pairs.0.1' is '2', and must be a number"),
        ({"pairs": [[1, 1e999]]}, "'pairs.0.1' is inf, and must be smaller"),
        ({"pairs": [[1, 10**400]]}, "must be smaller"),
        ({"parts": []}, "must be an object"),
        ({"parts": {"x": {}}}, "'parts.x.rate' is missing"),
        ({"parts": {"x": {"rate": 2}}}, "the rate is at most 1"),
        ({"other": 1}, "'other' is not known"),
    ],
)
def test_other_values_are_refused_by_their_keys(change, message):
    with pytest.raises(ValueError, match=message):
        build(Whole, {"name": "a"} | change)


def test_missing_keys_are_named():
    with pytest.raises(ValueError, match="'name' is missing"):
        build(Whole, {})
    with pytest.raises(ValueError, match="must be an object"):
        build(Whole, [])


def test_any_json_is_parsed():
    assert parse("[1]") == [1]
