"""The guard: keys, sessions, rates and sizes of requests."""

from types import SimpleNamespace

import pytest
from fastapi import APIRouter, FastAPI, Request

from homing.serve.access.guard import COOKIE, SESSION_SECONDS, Guard, guarded
from homing.serve.access.keys import READ, WRITE, KeyRing
from homing.serve.app import add_failure_handlers
from homing.serve.http.early_answers import EarlyAnswers
from homing.serve.settings import Settings
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
    """An application with a route for each right, without an archive."""
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
    add_failure_handlers(app)
    app.add_middleware(EarlyAnswers, limit=0)
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


def test_other_sites_are_refused(door, ring):
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
