"""Keys of a service: made, found, revoked, and never stored in clear."""

import stat

import pytest

import homing
from homing.serve.access.keys import READ, KeyRing


@pytest.fixture
def ring(tmp_path):
    return KeyRing(tmp_path / "served")


def test_no_secret_is_stored(ring, tmp_path):
    key, secret = ring.add("newsroom", READ)
    file = tmp_path / "served" / "keys.json"
    assert secret not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(secret) > 40
    assert KeyRing(tmp_path / "served").find(secret) == key
    assert ring.find("") is None
    assert ring.revoke("none") is None
    assert ring.revoke(key.id) == key
    assert KeyRing(tmp_path / "served").all() == ()
    for name, rights in (("", READ), ("a\nb", READ), ("a", "all")):
        with pytest.raises(homing.UsageError):
            ring.add(name, rights)


@pytest.mark.parametrize("text", ["{", "[1]", '[{"id": "a"}]', "1"])
def test_a_damaged_file_of_keys_admits_no_key(ring, tmp_path, text):
    _, secret = ring.add("newsroom", READ)
    (tmp_path / "served" / "keys.json").write_text(text)
    with pytest.raises(homing.UsageError, match="damaged"):
        ring.find(secret)
