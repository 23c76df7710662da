"""Keys, sessions, rates: who is let in."""

import json
import stat
from types import SimpleNamespace

import pytest
from fastapi import APIRouter, FastAPI, Request
from hypothesis import given
from hypothesis import strategies as st

import homing
from homing.serve.access.guard import COOKIE, SESSION_SECONDS, Guard, guarded
from homing.serve.access.keys import READ, WRITE, KeyRing
from homing.serve.app import _tell_failures
from homing.serve.http.early_answers import Lingering
from homing.serve.http.names import check_id, harmless_name, id_of
from homing.serve.server import refuse_open_doors
from homing.serve.settings import Settings, is_loopback
from tests.helpers.service import Direct


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def ring(tmp_path):
    return KeyRing(tmp_path / "served")


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def door(tmp_path, ring, clock):
    """An application with a route for each right, and no archive."""
    settings = Settings(archive="archive", folder=tmp_path / "served", rate_limit=60)
    app = FastAPI()
    app.state.service = SimpleNamespace(settings=settings, guard=Guard(settings, ring, clock))
    for right in (READ, WRITE, None):
        routes = APIRouter(route_class=guarded(right))

        @routes.api_route(f"/{right}", methods=["GET", "POST"])
        async def route(request: Request) -> dict[str, str]:
            await request.body()
            caller = request.state.caller
            return {"caller": caller.id if caller else "anybody"}

        app.include_router(routes)
    _tell_failures(app)
    app.add_middleware(Lingering, most=0)
    return Direct(app)


def bearer(secret):
    return {"Authorization": f"Bearer {secret}"}


def test_without_keys_this_machine_may_do_all(door):
    assert door.post("/write").json() == {"caller": "local"}


def test_with_keys_one_is_needed_and_only_for_its_rights(door, ring):
    reader, reads = ring.add("reader", READ)
    writer, writes = ring.add("writer", WRITE)
    assert door.get("/read").status_code == 401
    assert door.get("/read", headers=bearer(reads + "x")).status_code == 401
    assert door.get("/read", headers={"Authorization": f"Basic {reads}"}).status_code == 401
    assert door.get("/read", headers=bearer(reads)).json() == {"caller": reader.id}
    assert door.get("/write", headers=bearer(reads)).status_code == 403
    assert door.get("/read", headers=bearer(writes)).json() == {"caller": writer.id}
    assert door.get("/write", headers=bearer(writes)).status_code == 200
    assert door.get("/None").json() == {"caller": "anybody"}
    ring.revoke(writer.id)
    assert door.get("/write", headers=bearer(writes)).status_code == 401
    page = door.get("/read", headers={"Accept": "text/html"})
    assert (page.status_code, page.headers["location"]) == (303, "/sign-in?next=/read")


def test_a_session_lasts_until_its_key_or_its_time_ends(door, ring, clock):
    key, secret = ring.add("reader", READ)
    guard = door.app.state.service.guard
    assert guard.sign_in("no key") is None
    door.cookies[COOKIE] = guard.sign_in(secret)
    assert door.get("/read").json() == {"caller": key.id}
    clock.now += SESSION_SECONDS
    assert door.get("/read").status_code == 401
    token = guard.sign_in(secret)
    door.cookies[COOKIE] = token
    assert door.get("/read").status_code == 200
    guard.sign_out(token)
    assert door.get("/read").status_code == 401
    door.cookies[COOKIE] = guard.sign_in(secret)
    ring.revoke(key.id)
    ring.add("another", READ)
    assert door.get("/read").status_code == 401


def test_a_key_has_a_rate_and_others_have_theirs(door, ring, clock):
    _, hasty = ring.add("hasty", READ)
    _, other = ring.add("other", READ)
    statuses = [door.get("/read", headers=bearer(hasty)).status_code for _ in range(62)]
    assert statuses == [200] * 60 + [429] * 2
    late = door.get("/read", headers=bearer(hasty))
    assert late.headers["retry-after"] == "2"
    assert door.get("/read", headers=bearer(other)).status_code == 200
    clock.now += 1.5
    assert door.get("/read", headers=bearer(hasty)).status_code == 200
    assert door.get("/read", headers=bearer(hasty)).status_code == 429


def test_other_sites_are_kept_out(door, ring):
    evil = {"Origin": "http://evil.example"}
    assert door.post("/write", headers=evil).status_code == 403
    assert door.get("/read", headers=evil).status_code == 200  # its answer cannot be read there
    assert door.post("/write", headers={"Origin": "http://localhost"}).status_code == 200
    assert door.get("/read", headers={"Host": "evil.example"}).status_code == 403
    assert door.get("/read", headers={"Host": "[::1]:8000"}).status_code == 200
    assert door.get("/read", headers={"Host": "[::1"}).status_code == 403
    _, secret = ring.add("behind a proxy", READ)
    known = {"Host": "pictures.example", **bearer(secret)}
    assert door.get("/read", headers=known).status_code == 200


def test_a_body_without_rights_is_small(door):
    assert door.post("/None", content=bytes(1000)).status_code == 200
    refused = door.post("/None", content=bytes(100_000))
    assert refused.status_code == 413
    assert refused.headers["connection"] == "close"

    async def parts():
        for _ in range(100):
            yield bytes(1000)

    assert door.post("/None", content=parts()).status_code == 413


def test_no_secret_is_kept(ring, tmp_path):
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
def test_a_damaged_file_of_keys_lets_nobody_in(ring, tmp_path, text):
    _, secret = ring.add("newsroom", READ)
    (tmp_path / "served" / "keys.json").write_text(text)
    with pytest.raises(homing.UsageError, match="damaged"):
        ring.find(secret)


def test_it_listens_wider_only_with_keys(tmp_path, ring):
    wide = Settings(archive="archive", folder=tmp_path / "served", host="0.0.0.0")
    with pytest.raises(homing.UsageError, match="no key yet"):
        refuse_open_doors(wide)
    ring.add("newsroom", READ)
    refuse_open_doors(wide)
    assert is_loopback("::1")
    assert is_loopback("127.1.2.3")
    assert not is_loopback("::")
    assert not is_loopback("example.org")


@pytest.mark.parametrize("wrong", [{"port": -1}, {"workers": 0}, {"rate_limit": -1}])
def test_settings_that_make_no_sense(tmp_path, wrong):
    with pytest.raises(homing.UsageError):
        Settings(archive="archive", folder=tmp_path, **wrong)


@given(st.text())
def test_any_name_is_made_harmless(name):
    harmless = harmless_name(name)
    assert harmless.isprintable()
    assert harmless not in ("", ".", "..")
    assert "/" not in harmless
    assert "\\" not in harmless
    assert len(harmless) <= 200
    assert harmless_name(harmless) == harmless
    assert id_of(name) == check_id(id_of(name))
    json.dumps(harmless, ensure_ascii=False).encode()


@given(st.text(), st.text())
def test_no_id_leads_elsewhere(name, prefix):
    try:
        made = id_of(name, prefix)
    except homing.UsageError:
        return
    assert ".." not in made.split("/")
    assert not made.startswith("/")
