"""Settings of a service, and addresses at which it may listen."""

import pytest

import homing
from homing.serve.access.keys import READ, KeyRing
from homing.serve.server import refuse_open_access
from homing.serve.settings import Settings, is_loopback


def test_it_listens_wider_only_with_keys(tmp_path):
    ring = KeyRing(tmp_path / "served")
    wide = Settings(archive="archive", folder=tmp_path / "served", host="0.0.0.0")
    with pytest.raises(homing.UsageError, match="no key yet"):
        refuse_open_access(wide)
    ring.add("newsroom", READ)
    refuse_open_access(wide)
    assert is_loopback("::1")
    assert is_loopback("127.1.2.3")
    assert not is_loopback("::")
    assert not is_loopback("example.org")


@pytest.mark.parametrize("wrong", [{"port": -1}, {"workers": 0}, {"rate_limit": -1}])
def test_settings_that_make_no_sense(tmp_path, wrong):
    with pytest.raises(homing.UsageError):
        Settings(archive="archive", folder=tmp_path, **wrong)
