"""Settings of a service, and addresses at which it may listen."""

import pytest

import homing
from homing.serve.access.keys import READ, KeyRing
from homing.serve.server import check_keys
from homing.serve.settings import Settings, is_loopback


def test_no_absence_of_keys_opens_it(tmp_path):
    folder = tmp_path / "served"
    ring, known = KeyRing(folder), {"archive": "archive", "folder": folder}
    usual, keyless = Settings(**known), Settings(**known, no_keys=True)
    with pytest.raises(homing.UsageError, match="has no key"):
        check_keys(usual)
    check_keys(keyless)
    key, _ = ring.add("newsroom", READ)
    check_keys(usual)
    check_keys(Settings(**known, host="0.0.0.0"))

    def closed():
        with pytest.raises(homing.UsageError, match="has had some"):
            check_keys(keyless)

    closed()
    ring.revoke(key.id)
    closed()
    (folder / "keys.json").write_text("[]")
    closed()
    (folder / "keys.json").unlink()
    closed()
    with pytest.raises(homing.UsageError, match="has no key"):
        check_keys(usual)


def test_loopback_addresses():
    assert is_loopback("::1")
    assert is_loopback("127.1.2.3")
    assert not is_loopback("::")
    assert not is_loopback("example.org")


@pytest.mark.parametrize(
    "wrong",
    [
        {"port": -1},
        {"workers": 0},
        {"rate_limit": -1},
        {"no_keys": True, "host": "0.0.0.0"},
        {"no_keys": True, "proxies": ("127.0.0.1",)},
        {"proxies": ("proxy.example",)},
    ],
)
def test_settings_that_make_no_sense(tmp_path, wrong):
    with pytest.raises(homing.UsageError):
        Settings(archive="archive", folder=tmp_path, **wrong)
