"""Activation methods by their names."""

import pytest

import homing
from homing.activation import METHODS, find_method
from homing.options import Activation


def test_unknown_methods_name_the_known() -> None:
    with pytest.raises(homing.UsageError, match=r"papr.*paper"):
        find_method("papr")


def test_methods_are_listed_under_their_names() -> None:
    assert Activation.method in METHODS
    for name, method in METHODS.items():
        assert method.name == name
        assert find_method(name) is method
        assert method.summary
