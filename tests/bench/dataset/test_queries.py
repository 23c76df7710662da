"""Queries of a data set: edited copies of its photographs."""

from homing.bench.dataset.queries import plan_copies, plan_unmatched_copies
from homing.bench.dataset.suites import find_suite
from homing.bench.encode.variants import Whole
from tests.helpers.bench import found_pictures


def test_queries_are_the_paper_s_and_the_screenshot():
    edits = find_suite("paper").edits
    assert sum(edit.in_mean for edit in edits) == 14
    assert [edit.name for edit in edits if not edit.in_mean] == ["screenshot"]
    queries = plan_copies(found_pictures("photos", 4), edits, random_draws=3, seed=0)
    assert len(queries.rows) == 14 + 3  # thirteen, the screenshot and three draws
    assert queries.of(2).tolist() == [2, 19, 36, 53]
    seeds = {recipe.seed for task in queries.tasks for recipe in task.recipes if recipe.edit.random}
    assert len(seeds) == 4 * 3


def test_of_a_picture_without_a_match_the_first_row_is_itself():
    tasks = plan_unmatched_copies(found_pictures("others", 3), seed=0)
    assert [task.recipes[0] for task in tasks] == [Whole()] * 3
    assert {len(task.recipes) for task in tasks} == {5}
    assert all(recipe.edit.name == "random" for task in tasks for recipe in task.recipes[1:])
