"""Soft bindings: a vector and its fingerprints, as bytes and as text."""

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homing.c2pa import Binding
from homing.errors import UsageError


def unit(seed: int, dimension: int = 256) -> np.ndarray:
    vector = np.random.default_rng(seed).standard_normal(dimension)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def test_a_value_holds_what_the_documentation_says() -> None:
    vector = unit(1)
    value = Binding.of(vector, descriptor="a", codebook="b").value
    assert len(value) == 17 + 2 * 256
    assert value[0] == 1
    assert value[1:9].hex() == "ca978112ca1bbdca"  # sha256("a")
    assert value[9:17].hex() == "3e23e8160039594a"  # sha256("b")
    assert np.array_equal(np.frombuffer(value[17:], "<f2"), vector.astype(np.float16))


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 600), st.text(), st.text())
def test_text_leads_back(seed: int, dimension: int, descriptor: str, codebook: str) -> None:
    written = Binding.of(unit(seed, dimension), descriptor=descriptor, codebook=codebook)
    read = Binding.from_text(written.text)
    assert np.array_equal(read.vector, written.vector)
    assert (read.descriptor, read.codebook) == (written.descriptor, written.codebook)
    assert read.is_of(descriptor)
    assert not read.is_of(descriptor + "x")


GOOD = Binding.of(unit(1, 8), descriptor="a", codebook="b").value


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "are no value"),
        (b"\2" + GOOD[1:], "are no value"),
        (GOOD[:-1], "are no value"),
        (GOOD[:17], "are no value"),
        (GOOD[:17] + b"\0" * 16, "length 0;"),
        (GOOD[:17] + b"\xff" * 16, "length nan;"),
        (GOOD[:17] + b"\0\x7c" * 8, "length inf;"),
        (GOOD[:-2], "has the length"),
    ],
)
def test_other_bytes_are_refused(value: bytes, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        Binding.from_value(value)


@pytest.mark.parametrize("text", ["%%%", "AQ", "AQ=\n=", "ä"])
def test_what_is_no_base64_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="base64"):
        Binding.from_text(text)


@given(st.binary(max_size=80))
def test_any_bytes_are_understood_or_refused(value: bytes) -> None:
    with contextlib.suppress(UsageError):
        assert Binding.from_value(value).value == value
