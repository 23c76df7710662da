"""Progress: counts added up, and nothing computed for nobody."""

from pathlib import Path

import pytest

import homing
from homing.progress import Progress, counted
from tests.helpers.pictures import make_pictures


def test_counts_are_added_up() -> None:
    steps: list[homing.Progress] = []
    count = counted(steps.append, lambda: 5)
    assert count is not None
    count(2)
    count(3)
    assert steps == [Progress(2, 5), Progress(5, 5)]


def test_a_total_may_be_unknown_and_is_not_computed_for_nobody() -> None:
    assert counted(None, lambda: pytest.fail("computed")) is None
    steps: list[Progress] = []
    count = counted(steps.append)
    assert count is not None
    count(1)
    assert steps == [Progress(1, None)]


def test_searches_report_each_picture_with_its_result(tmp_path: Path) -> None:
    archive = homing.create(tmp_path / "archive")
    photos = make_pictures(tmp_path / "photos", 3)
    archive.add(photos)
    steps: list[Progress] = []
    results = list(archive.search_each([photos], progress=steps.append))
    assert [step.result for step in steps] == results
    assert [(step.done, step.total) for step in steps] == [(1, 3), (2, 3), (3, 3)]
