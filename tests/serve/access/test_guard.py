"""The guard: keys, sessions, rates and sizes of requests."""

import shutil
from types import SimpleNamespace

import pytest
from fastapi import APIRouter, FastAPI, Request

from homing.serve.access.guard import SESSION_SECONDS, Guard, guarded
from homing.serve.access.keys import READ, WRITE, KeyRing
from homing.serve.access.slots import Slots
from homing.serve.app import add_failure_handlers
from homing.serve.http.early_answers import EarlyAnswers
from homing.serve.http.forwarded import FORWARDING, ForwardedHeaders
from homing.serve.routes import status
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
    return door_of(settings, ring, clock)


@pytest.fixture
def open_door(tmp_path, ring, clock):
    """The same, without keys."""
    settings = Settings(archive="archive", folder=tmp_path / "served", no_keys=True)
    return door_of(settings, ring, clock)


def door_of(settings, ring, clock):
    app = FastAPI()
    app.state.service = SimpleNamespace(
        settings=settings, guard=Guard(settings, ring, clock), slots=Slots(4, 1 << 30)
    )
    for right in (READ, WRITE, None):
        routes = APIRouter(route_class=guarded(right))

        @routes.api_route(f"/{right}", methods=["GET", "POST"])
        async def route(request: Request) -> dict[str, str]:
            await request.body()
            caller = request.state.caller
            return {"caller": caller.id if caller else "anybody"}

        app.include_router(routes)
    add_failure_handlers(app, settings.places)
    app.add_middleware(EarlyAnswers, limit=0)
    return Direct(app)


def bearer(secret):
    return {"Authorization": f"Bearer {secret}"}


def test_without_keys_this_machine_may_do_all_if_so_set(open_door, door):
    assert open_door.post("/write").json() == {"caller": "local"}
    assert door.post("/write").status_code == 401


@pytest.mark.parametrize("way", ["revoked", "emptied", "removed"])
def test_the_absence_of_keys_admits_nobody(open_door, door, ring, tmp_path, way):
    key, secret = ring.add("reader", READ)
    assert open_door.get("/read").status_code == 401  # whatever the setting says
    match way:
        case "revoked":
            ring.revoke(key.id)
        case "emptied":
            (tmp_path / "served" / "keys.json").write_text("[]")
        case "removed":
            (tmp_path / "served" / "keys.json").unlink()
    for each in (open_door, door):
        assert each.get("/read").status_code == 401
        assert each.get("/read", headers=bearer(secret)).status_code == 401
    shutil.rmtree(tmp_path / "served")
    assert open_door.get("/read").status_code == 401  # once closed it stays so


@pytest.mark.parametrize("header", FORWARDING)
def test_nobody_comes_through_a_proxy_without_a_key(open_door, header):
    assert open_door.get("/read", headers={header: "127.0.0.1"}).status_code == 403


def test_with_keys_one_is_needed_and_only_for_its_rights(door, ring):
    reader, reads = ring.add("reader", READ)
    writer, writes = ring.add("writer", WRITE)
    assert door.get("/read").status_code == 401
    wrong = door.get("/read", headers=bearer(reads + "x"))
    assert (wrong.status_code, wrong.json()["error"][:22]) == (401, "the key that was sent ")
    basic = door.get("/read", headers={"Authorization": f"Basic {reads}"})
    assert (basic.status_code, basic.json()["error"][:15]) == (401, "a key is needed")
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
    door.cookies[guard.cookie] = guard.sign_in(secret)
    assert door.get("/read").json() == {"caller": key.id}
    clock.now += SESSION_SECONDS
    assert door.get("/read").status_code == 401
    token = guard.sign_in(secret)
    door.cookies[guard.cookie] = token
    assert door.get("/read").status_code == 200
    guard.sign_out(token)
    assert door.get("/read").status_code == 401
    door.cookies[guard.cookie] = guard.sign_in(secret)
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


@pytest.mark.parametrize(("proxies", "secure"), [((), False), (("127.0.0.1",), True)])
def test_cookies_are_for_tls_where_the_proxy_says_so(door, ring, proxies, secure):
    door.app.include_router(status.ROUTERS[0])
    door.app.add_middleware(ForwardedHeaders, proxies=proxies)
    form = {"key": ring.add("reader", READ)[1]}
    answer = door.post("/sign-in", data=form, headers={"X-Forwarded-Proto": "https"})
    assert ("secure" in answer.headers["set-cookie"].lower()) is secure


def test_other_sites_are_refused(open_door, door, ring):
    door, closed = open_door, door
    evil = {"Origin": "http://evil.example"}
    assert door.post("/write", headers=evil).status_code == 403
    assert door.get("/read", headers=evil).status_code == 200  # its answer cannot be read there
    assert door.post("/write", headers={"Origin": "http://localhost"}).status_code == 200
    assert door.get("/read", headers={"Host": "evil.example"}).status_code == 403
    assert door.get("/read", headers={"Host": "[::1]:8000"}).status_code == 200
    assert door.get("/read", headers={"Host": "[::1"}).status_code == 403
    _, secret = ring.add("behind a proxy", READ)
    known = {"Host": "pictures.example", **bearer(secret)}
    assert closed.get("/read", headers=known).status_code == 200
    proxied = {**known, **evil, "X-Forwarded-Proto": "https"}
    assert "--proxy" in closed.post("/read", headers=proxied).json()["error"]


def test_a_body_without_rights_is_small(door):
    assert door.post("/None", content=bytes(1000)).status_code == 200
    refused = door.post("/None", content=bytes(100_000))
    assert refused.status_code == 413
    assert refused.headers["connection"] == "close"

    async def parts():
        for _ in range(100):
            yield bytes(1000)

    assert door.post("/None", content=parts()).status_code == 413


def test_two_services_of_one_host_do_not_sign_each_other_out(tmp_path, clock):
    """A browser sends both the cookies of their host, whatever the port."""
    doors, cookies = [], {}
    for name in ("first", "second"):
        ring = KeyRing(tmp_path / name)
        settings = Settings(archive="archive", folder=tmp_path / name)
        door = door_of(settings, ring, clock)
        door.app.include_router(status.ROUTERS[0])
        answer = door.post("/sign-in", data={"key": ring.add(name, READ)[1]})
        cookies |= dict(answer.cookies)
        doors.append(door)
    assert len(cookies) == 2
    for door in doors:
        door.cookies = cookies
    assert [door.get("/read").status_code for door in doors] == [200, 200]
    gone = doors[0].post("/sign-out").headers["set-cookie"]
    assert gone.startswith(f"{doors[0].app.state.service.guard.cookie}=")
    assert [door.get("/read").status_code for door in doors] == [401, 200]
