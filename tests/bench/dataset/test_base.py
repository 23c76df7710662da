"""The plan of a base: roles of the photographs, and entries."""

import pytest

from homing.bench.dataset.base import make_base, make_plan
from homing.bench.encode.variants import Crop, Whole
from homing.bench.settings import Sizes
from homing.errors import UsageError
from homing.images import FoundPicture, find_pictures
from tests.helpers.bench import found_pictures


def test_every_background_picture_has_one_role():
    background = found_pictures("others", 140)
    plan = make_plan(found_pictures("photos", 9), background, Sizes(base_size=500))
    parts = (plan.distractors, plan.unmatched, plan.normalisation)
    assert [len(part) for part in parts] == [106, 14, 20]
    assert {found.path for part in parts for found in part} == {each.path for each in background}
    assert plan.crops == 500 - 106
    assert len(plan.photos) == 9


def test_a_base_smaller_than_the_background_has_no_crops():
    plan = make_plan(
        found_pictures("photos", 2), found_pictures("others", 140), Sizes(base_size=30)
    )
    assert (len(plan.distractors), plan.crops) == (30, 0)


def test_the_parts_outside_the_base_are_bounded():
    plan = make_plan(
        found_pictures("photos", 1), found_pictures("others", 20_000), Sizes(base_size=100_000)
    )
    assert (len(plan.unmatched), len(plan.normalisation), len(plan.distractors)) == (
        1000, 2000, 17_000,
    )  # fmt: skip
    assert plan.crops == 83_000


def test_the_seed_determines_the_plan():
    photos, others = found_pictures("photos", 50), found_pictures("others", 140)
    first, again, other = (
        make_plan(photos, others, Sizes(base_size=90, pictures=10, seed=seed)) for seed in (1, 1, 2)
    )
    assert first == again
    assert len(first.photos) == 10
    assert first.photos != other.photos
    assert first.unmatched != other.unmatched


def test_photos_are_no_background_of_themselves(tmp_path):
    for number in range(30):
        (tmp_path / f"{number}.jpg").touch()
    every = [FoundPicture(path, path.name) for path in sorted(tmp_path.iterdir())]
    plan = make_plan(every[:5], every, Sizes(base_size=100))
    assert plan.repeated == 5
    others = {f.path for f in (*plan.distractors, *plan.unmatched, *plan.normalisation)}
    assert others == {found.path for found in every[5:]}


def test_a_file_listed_twice_has_one_role(tmp_path):
    inner = tmp_path / "others" / "inner"
    inner.mkdir(parents=True)
    for number in range(20):
        (inner / f"{number}.jpg").touch()
    (tmp_path / "others" / "link.jpg").symlink_to(inner / "3.jpg")
    (tmp_path / "photo.jpg").touch()
    photos = list(find_pictures([tmp_path / "photo.jpg", tmp_path / "photo.jpg"]))
    background = list(find_pictures([inner.parent, inner]))
    assert (len(photos), len(background)) == (2, 41)
    plan = make_plan(photos, background, Sizes(base_size=100))
    assert (len(plan.photos), plan.repeated, plan.listed_twice) == (1, 0, 1 + 21)
    parts = (*plan.photos, *plan.distractors, *plan.unmatched, *plan.normalisation)
    assert len(parts) == len({found.path.resolve() for found in parts}) == 21


def test_pictures_of_one_name_are_distinguished(tmp_path):
    for folder in ("photos", "others", "more/others"):
        (tmp_path / folder).mkdir(parents=True)
    for number in range(12):
        (tmp_path / "others" / f"{number}.jpg").touch()
    (tmp_path / "photos" / "0.jpg").touch()
    (tmp_path / "photos" / "only.jpg").touch()
    (tmp_path / "more" / "others" / "1.jpg").touch()
    background = [tmp_path / "others", tmp_path / "more" / "others"]
    plan = make_plan(
        list(find_pictures([tmp_path / "photos"])),
        list(find_pictures(background)),
        Sizes(base_size=50),
    )
    assert [found.relative for found in plan.photos] == ["photos/0.jpg", "only.jpg"]
    parts = (*plan.distractors, *plan.unmatched, *plan.normalisation)
    names = {found.path.relative_to(tmp_path).as_posix(): found.relative for found in parts}
    assert names["others/0.jpg"] == "others/0.jpg"
    assert names["others/2.jpg"] == "2.jpg"
    # Also in folders of one name: only the whole path differs.
    for name in ("others/1.jpg", "more/others/1.jpg"):
        assert names[name] == (tmp_path / name).as_posix()


def test_too_little_is_refused():
    with pytest.raises(UsageError, match="no pictures to measure on"):
        make_plan([], found_pictures("others", 50), Sizes(base_size=9))
    with pytest.raises(UsageError, match="9 pictures besides"):
        make_plan(found_pictures("photos", 1), found_pictures("others", 9), Sizes(base_size=9))


def test_entries_are_the_photos_then_each_distractor_with_its_crops():
    plan = make_plan(found_pictures("photos", 3), found_pictures("others", 14), Sizes(base_size=30))
    base = make_base(plan, seed=0)
    assert len(base.owner) == 3 + 30
    assert [base.name(row) for row in range(3)] == [f"photos/{n}.jpg" for n in range(3)]
    assert base.name(4) == f"{plan.distractors[0].relative}#crop1"
    assert base.made_by(4)[1] == base.tasks[3].recipes[1]
    counts = [len(task.recipes) for task in base.tasks[3:]]
    assert max(counts) - min(counts) <= 1
    crops = [recipe for task in base.tasks for recipe in task.recipes if recipe != Whole()]
    assert len(crops) == plan.crops
    assert len({crop.seed for crop in crops}) == plan.crops
    assert all(isinstance(crop, Crop) for crop in crops)
