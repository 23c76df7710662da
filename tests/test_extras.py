"""Packages of extras: missing ones, and how to install them."""

import pytest

from homing.errors import UsageError
from homing.extras import missing_packages, require_packages

PACKAGES = {"numpy": "numpy", "homing_no_such_module": "no-such-package"}


def test_missing_packages_are_named():
    assert missing_packages(PACKAGES) == ["no-such-package"]


def test_missing_packages_are_refused_with_the_command_that_installs_them():
    require_packages("bench", {"numpy": "numpy"})
    with pytest.raises(UsageError, match=r"homing bench needs no-such-package.*'\.\[bench\]'"):
        require_packages("bench", PACKAGES)
