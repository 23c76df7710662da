"""Shards: their sizes, and files that a worker sees differently.

Real workers, killed meanwhile, are in test_by_workers_describe and test_by_workers_activate.
"""

import contextlib

import pytest

import homing
from homing.archive.ingest import by_workers
from homing.archive.ingest.by_workers import _Shard
from homing.archive.ingest.describe import DescribedInput
from homing.archive.ingest.plan import PlannedInput
from homing.archive.inputs import Input
from tests.helpers.pictures import make_pictures


@pytest.fixture
def path(tmp_path):
    return make_pictures(tmp_path / "photos", 1) / "000.jpg"


def test_a_shard_of_several_networks_has_enough_batches():
    assert [by_workers._shard_size_activated(networks) for networks in (1, 2, 8)] == [4, 16, 64]


def test_shards_to_describe_are_whole_batches():
    sizes = [by_workers._shard_size_described(count, 3) for count in (1, 150, 500, 10**6)]
    assert sizes == [16, 16, 32, 256]


class FarAway:
    """Workers that report one length for every file, or None: no such file."""

    count = per_machine = 1

    def __init__(self, length):
        self._length = length

    @contextlib.contextmanager
    def hire(self, begin, doing, *, most=None, device="cpu"):
        yield self

    def in_order(self, shards, *, ahead):
        for shard in shards:
            paths = [getattr(item, "path", item) for item in shard]
            made = [
                DescribedInput(PlannedInput(item), description="something")
                if isinstance(item, Input)
                else "something"
                for item in shard
            ]
            yield _Shard("far-away", paths, made, [self._length] * len(shard))


def described(archive, path, length):
    (found,) = by_workers.describe_by_workers(
        archive._table,
        archive.settings,
        [Input(path, path.name, path)],
        archive=archive.path,
        limits=homing.Limits(),
        device="cpu",
        workforce=FarAway(length),
    )
    return found


def activated(archive, path, length):
    activate = by_workers.activate_by_workers(
        lambda descriptor: None,
        archive.settings,
        archive=archive.path,
        device="cpu",
        workforce=FarAway(length),
    )
    (found,) = activate([path])
    return found


def test_a_picture_that_a_worker_sees_differently_fails(archive, path):
    length = path.stat().st_size
    assert described(archive, path, length).description == "something"
    assert activated(archive, path, length) == "something"
    reason = f"the worker on far-away sees a file of {length + 1} bytes, and here are {length}"
    other = described(archive, path, length + 1)
    assert (other.description, other.failed) == (None, reason)
    refused = activated(archive, path, length + 1)
    assert isinstance(refused, homing.PictureError)
    assert str(refused) == reason


@pytest.mark.parametrize("work", [described, activated])
def test_a_picture_that_only_a_worker_does_not_see_ends_the_run(archive, path, work):
    with pytest.raises(homing.UsageError, match=r"on far-away does not see .*000\.jpg, which is"):
        work(archive, path, None)


def test_a_picture_missing_for_both_has_its_own_reason(archive, tmp_path):
    assert described(archive, tmp_path / "nowhere.jpg", None).description == "something"
    assert activated(archive, tmp_path / "nowhere.jpg", None) == "something"
