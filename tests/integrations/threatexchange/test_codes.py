"""Signals as text."""

import base64

import numpy as np
import pytest

import homing
from homing.errors import UsageError
from homing.integrations.threatexchange import codes
from tests.helpers.vectors import unit_vectors


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    return unit_vectors(200, 0, dimension=codes.DIMENSION)


def test_a_signal_keeps_the_direction(vectors: np.ndarray) -> None:
    rounded = codes.to_codes(vectors)
    back = np.stack([codes.from_signal(codes.to_signal(each)) for each in rounded])
    assert (back == rounded).all()
    assert ((codes.to_vectors(back) * vectors).sum(axis=1) > 0.9998).all()
    assert {len(codes.to_signal(each)) for each in rounded} == {codes.CHARACTERS}


def test_directions_survive_unit_length(vectors: np.ndarray) -> None:
    """An index keeps vectors and writes directions."""
    rounded = codes.to_codes(vectors)
    assert (codes.to_codes(codes.to_vectors(rounded)) == rounded).all()


def test_the_distance_is_one_minus_the_cosine(vectors: np.ndarray) -> None:
    rounded = codes.to_codes(vectors)
    exact = 1 - codes.to_vectors(rounded) @ codes.to_vectors(rounded).T
    for i, j in ((0, 1), (2, 3), (4, 4)):
        assert codes.distance(rounded[i], rounded[j]) == pytest.approx(exact[i, j], abs=1e-4)
    assert codes.distance(rounded[0], rounded[0]) == 0


def test_each_changed_character_is_noticed(vectors: np.ndarray) -> None:
    signal = codes.to_signal(codes.to_codes(vectors)[0])
    for place in range(0, len(signal), 7):
        other = "B" if signal[place] == "A" else "A"
        with pytest.raises(UsageError):
            codes.from_signal(signal[:place] + other + signal[place + 1 :])


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        (lambda s: "", "352 characters"),
        (lambda s: s[:-4], "352 characters"),
        (lambda s: s + "AAAA", "352 characters"),
        (lambda s: "ü" + s[1:], "no signal"),
        (lambda s: "f8" * 32, "352 characters"),
        (lambda s: sealed(b"\0\0\0\0" + base64.urlsafe_b64decode(s)[4:-4]), "another descriptor"),
        (lambda s: sealed(codes.TAG + b"\1" * 256), "not scaled"),
    ],
)
def test_what_is_no_signal_is_refused_with_the_reason(vectors, wrong, word) -> None:
    signal = codes.to_signal(codes.to_codes(vectors)[0])
    with pytest.raises(UsageError, match=word):
        codes.from_signal(wrong(signal))


def sealed(body: bytes) -> str:
    return base64.urlsafe_b64encode(body + codes._crc(body)).decode()


def test_the_tag_is_of_the_descriptor_that_ships() -> None:
    descriptor = homing.load_descriptor(codes.DESCRIPTOR)
    assert descriptor.fingerprint.startswith(codes.TAG.hex())
    assert descriptor.dimension == codes.DIMENSION


def test_false_alarms_rise_with_distance_and_entries() -> None:
    rates = [codes.false_alarm_rate(away, 1_000_000) for away in (0.02, 0.06, 0.10, 0.14, 0.30)]
    assert rates == sorted(rates)
    assert codes.false_alarm_rate(codes.THRESHOLD, 1_000_000) == pytest.approx(1 / 190, rel=0.05)
    assert codes.false_alarm_rate(0.3, 14_000) == pytest.approx(0.1)
