"""Workers chosen by number or name. Their tasks: test_processes and test_ray."""

import pytest

import homing
from homing.workers.choose import ThisMachine, open_workforce, parse_workers


def test_names_and_numbers_are_parsed():
    assert [parse_workers(text) for text in ("7", "ray", "ray:3", "ray://head:10001")] == [
        7,
        "ray",
        "ray:3",
        "ray://head:10001",
    ]


@pytest.mark.parametrize(
    "wrong", ["", "-1", "ray:", "ray:0", "ray://", "ray://head", "http://head:1", "two"]
)
def test_other_names_are_refused(wrong):
    with pytest.raises(homing.UsageError, match="workers are a number of processes"):
        parse_workers(wrong)


def test_one_worker_is_the_calling_process():
    with open_workforce(1) as alone, open_workforce(3) as three:
        assert (alone, three) == (None, ThisMachine(3))
