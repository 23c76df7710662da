"""Row addresses as ranges, against addresses one by one."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from homing.archive.table.addresses import Runs


@st.composite
def scans(draw) -> np.ndarray:
    """Draw fragments in any order, each without some of its rows."""
    parts = [np.empty(0, np.uint64)]
    for fragment in draw(st.permutations(range(4))):
        rows = draw(st.lists(st.integers(0, 12), unique=True).map(sorted))
        parts.append(np.array([fragment << 32 | row for row in rows], np.uint64))
    return np.concatenate(parts)


def written_out(runs: Runs) -> list[int]:
    assert (np.diff(runs.starts) > 0).all()
    assert (runs.lengths > 0).all()
    pairs = zip(runs.firsts.tolist(), runs.lengths.tolist(), strict=True)
    return [first + n for first, length in pairs for n in range(length)]


@settings(max_examples=150, deadline=None)
@given(addresses=scans(), cuts=st.lists(st.integers(0, 50), max_size=4))
def test_runs_are_the_addresses_however_they_came(addresses, cuts) -> None:
    parts = np.split(addresses, sorted(cuts))
    runs = Runs.joined([Runs.of(part) for part in parts])
    assert runs.count == len(addresses)
    assert written_out(runs) == addresses.tolist()
    whole = Runs.of(addresses)  # cut into batches or not: as few runs
    assert np.array_equal(runs.starts, whole.starts)
    assert np.array_equal(runs.firsts, whole.firsts)
    assert len(whole.starts) == 0 or (whole.firsts[1:] != whole.firsts[:-1] + 1).all()


@settings(max_examples=150, deadline=None)
@given(
    addresses=scans(),
    borders=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 13)), unique=True).map(sorted),
)
def test_no_run_goes_across_a_border(addresses, borders) -> None:
    before = np.array([fragment << 32 | row for fragment, row in borders], np.uint64)
    runs = Runs.of(addresses).split(before)
    assert written_out(runs) == addresses.tolist()
    last = runs.firsts + runs.lengths.astype(np.uint64) - np.uint64(1)
    page_of_first = np.searchsorted(before, runs.firsts, side="right")
    assert np.array_equal(page_of_first, np.searchsorted(before, last, side="right"))


def test_a_million_rows_are_one_run() -> None:
    addresses = np.arange(1_000_000, dtype=np.uint64) + np.uint64(7 << 32)
    parts = [Runs.of(part) for part in np.array_split(addresses, 61)]
    assert len(Runs.joined(parts).starts) == 1
    assert Runs.joined([]).count == 0
