"""The secret of a service."""

import stat

import pytest

from homing.errors import UsageError
from homing.serve.access.secret import ServiceSecret, service_secret


def test_it_is_made_once_and_readable_by_its_owner_alone(tmp_path):
    folder = tmp_path / "served"
    made = service_secret(folder)
    assert service_secret(folder) == made != service_secret(tmp_path / "other")
    assert stat.S_IMODE((folder / "secret.json").stat().st_mode) == 0o600


def test_what_is_derived_differs_by_purpose_and_service():
    one, other = ServiceSecret("0" * 64), ServiceSecret("1" * 64)
    derived = {one.derive("a"), one.derive("b"), other.derive("a")}
    assert len(derived) == 3
    assert one.derive("a") == one.derive("a")
    assert one.cookie != other.cookie
    assert one.cookie.startswith("homing_session_")


def test_a_damaged_one_is_not_replaced(tmp_path):
    (tmp_path / "secret.json").write_text("{}")
    with pytest.raises(UsageError, match="damaged"):
        service_secret(tmp_path)
