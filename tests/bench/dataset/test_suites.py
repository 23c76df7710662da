"""Suites of edits by their names."""

import pytest

from homing.bench.dataset.suites import find_suite
from homing.errors import UsageError


def test_suites():
    paper, sweep, full = (find_suite(name) for name in ("paper", "sweep", "full"))
    assert sum(edit.in_mean for edit in paper.edits) == 14
    assert sum(edit.in_mean for edit in full.edits) == 14
    assert all(edit.in_mean for edit in sweep.edits)
    names = [edit.name for edit in full.edits]
    assert len(set(names)) == len(names)
    for _, strengths in full.sweeps.items():
        assert {name for _, name in strengths} <= set(names)
    with pytest.raises(UsageError, match="no suite"):
        find_suite("none")
    with pytest.raises(UsageError, match="same name"):
        find_suite("paper", [paper.edits[0]])
