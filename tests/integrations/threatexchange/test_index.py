"""The index: what it finds, and its file."""

import io
import json

import numpy as np
import pytest
import safetensors.numpy
from threatexchange.signal_type.index import SignalTypeIndex

from homing.errors import UsageError
from homing.integrations.threatexchange import HomingIndex, HomingSignal, index
from homing.integrations.threatexchange.codes import DIMENSION, THRESHOLD, to_codes, to_signal
from tests.helpers.vectors import unit_vectors


def near(vector: np.ndarray, away: float, seed: int) -> np.ndarray:
    """Return a unit vector at a cosine distance."""
    other = unit_vectors(1, 1000 + seed, dimension=DIMENSION)[0]
    other -= (other @ vector) * vector
    other /= np.linalg.norm(other)
    cosine = 1 - away
    return cosine * vector + np.sqrt(1 - cosine**2) * other


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    return unit_vectors(50, 3, dimension=DIMENSION)


def signals(vectors: np.ndarray) -> list[str]:
    return [to_signal(each) for each in to_codes(vectors)]


def found(index: SignalTypeIndex[int], signal: str) -> list[tuple[float, int]]:
    return [(each.similarity_info.distance, each.metadata) for each in index.query(signal)]


def test_it_finds_what_is_within_the_threshold_nearest_first(vectors: np.ndarray) -> None:
    query = vectors[0]
    away = [0.12, 0.02, 0.099, 0.101, 0.05]
    stored = signals(np.stack([near(query, a, n) for n, a in enumerate(away)]))
    index = HomingIndex.build([*zip(stored, range(5), strict=True)])
    (given,) = signals(query[np.newaxis])
    hits = found(index, given)
    assert [number for _, number in hits] == [1, 4, 2]
    assert [distance for distance, _ in hits] == pytest.approx([0.02, 0.05, 0.099], abs=1e-3)
    assert hits[0][0] <= THRESHOLD


def test_it_agrees_with_the_comparison_of_two(vectors: np.ndarray) -> None:
    """Also at the threshold itself, where rounding decides."""
    query = vectors[0]
    away = np.linspace(THRESHOLD - 2e-4, THRESHOLD + 2e-4, 60)
    stored = signals(np.stack([near(query, a, n) for n, a in enumerate(away)]))
    (given,) = signals(query[np.newaxis])
    index = HomingIndex.build([*zip(stored, range(60), strict=True)])
    matched = {n for n, each in enumerate(stored) if HomingSignal.compare_hash(given, each).match}
    assert {number for _, number in found(index, given)} == matched
    assert 0 < len(matched) < 60


def test_entries_are_never_replaced(vectors: np.ndarray) -> None:
    (signal,) = signals(vectors[:1])
    index: HomingIndex[int] = HomingIndex()
    assert found(index, signal) == []
    index.add(signal, 1)
    index.add_all([(signal, 2), (signals(vectors[1:2])[0], 3)])
    assert found(index, signal) == [(0, 1), (0, 2)]
    assert len(index) == 3
    with pytest.raises(UsageError):
        index.add_all([(signal, 4), ("damaged", 5)])
    assert len(index) == 3


def test_nothing_matches_the_signal_of_a_blank_picture(vectors: np.ndarray) -> None:
    index = HomingIndex.build([(signals(vectors)[0], 1)])
    assert list(index.query("")) == []


@pytest.mark.parametrize("count", [0, 1, 50])
def test_its_file_gives_the_same_answers(vectors: np.ndarray, count: int) -> None:
    kept = [[("bank", number)] for number in range(count)]
    index = HomingIndex.build([*zip(signals(vectors[:count]), kept, strict=True)])
    file = written(index)
    again = HomingIndex.deserialize(io.BytesIO(file))
    assert len(again) == count
    assert written(again) == file
    for each in signals(vectors):
        assert found(again, each) == found(index, each)


def written(index: HomingIndex) -> bytes:
    file = io.BytesIO()
    index.serialize(file)
    return file.getvalue()


def test_its_file_is_small(vectors: np.ndarray) -> None:
    many = unit_vectors(1000, 5, dimension=DIMENSION)
    index = HomingIndex.build([*zip(signals(many), range(1000), strict=True)])
    assert len(written(index)) < 1000 * (DIMENSION + 8) + 1000


def test_a_damaged_file_is_refused(vectors: np.ndarray) -> None:
    file = written(HomingIndex.build([*zip(signals(vectors), range(50), strict=True)]))
    assert b"homing-threatexchange-1" in file
    for place in [0, 9, len(file) // 2, len(file) - 40, *range(100, len(file), 1013)]:
        damaged = bytearray(file)
        damaged[place] ^= 0x10
        with pytest.raises(UsageError):
            HomingIndex.deserialize(io.BytesIO(bytes(damaged)))
    for wrong in (b"", file[:-1], b"\x80\x04N."):
        with pytest.raises(UsageError):
            HomingIndex.deserialize(io.BytesIO(wrong))


def edited(codes: np.ndarray, about: bytes) -> io.BytesIO:
    """An index's file as somebody wrote it who also writes the checksum."""
    text = np.frombuffer(about, np.uint8)
    arrays = {"codes": codes, "about": text, "sha256": index._digest(codes, text)}
    return io.BytesIO(safetensors.numpy.save(arrays))


def about(entries: object) -> bytes:
    values = {"format": index._FORMAT, "tag": index.TAG.hex(), "entries": entries}
    return json.dumps(values).encode()


def test_an_edited_file_is_refused(vectors: np.ndarray) -> None:
    codes = to_codes(vectors[:2])
    assert len(HomingIndex.deserialize(edited(codes, about([1, 2])))) == 2
    for changed, text in [
        (codes, about([1])),  # a match would have no entry
        (codes, about([1, 2, 3])),
        (codes, about({"a": 1, "b": 2})),
        (codes, about(None)),
        (codes, b"[]"),
        (codes, b"[" * 9999),
        (codes[:, :-1].copy(), about([1, 2])),
        (codes[0], about([1])),
        (codes.astype(np.float32), about([1, 2])),
        (np.zeros_like(codes), about([1, 2])),  # of no direction
    ]:
        with pytest.raises(UsageError, match="build it again"):
            HomingIndex.deserialize(edited(changed, text))
