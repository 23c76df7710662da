"""A service below a base path, behind a reverse proxy that strips it or keeps it."""

import asyncio
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

import homing
from homing.client import AsyncClient, Client
from homing.options import Activation
from homing.serve.access.keys import KeyRing
from homing.serve.app import create_app
from homing.serve.jobs.store import Job
from homing.serve.jobs.webhooks import message_of
from homing.serve.settings import Settings
from tests.helpers.proxy import ReverseProxy
from tests.helpers.service import Live, encoded, picture

BASE = "/tools/homing"
HTML = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def below(tmp_path_factory, empty_archive) -> Iterator[tuple[Live, str]]:
    """A service of three entries below a base path, and a key that may write."""
    folder = tmp_path_factory.mktemp("below")
    shutil.copytree(empty_archive, folder / "archive")
    archive = homing.open(folder / "archive")
    (folder / "photos" / "a sea").mkdir(parents=True)
    for number in range(3):
        (folder / "photos" / "a sea" / f"{number}.jpg").write_bytes(encoded(picture(number)))
    archive.release(folder / "photos", out=folder / "out", method="paper")
    settings = Settings(
        archive=str(folder / "archive"),
        folder=folder / "served",
        base_path=f"{BASE}/",
        proxies=("127.0.0.1",),
        workers=1,
    )
    _, key = KeyRing(settings.folder).add("desk", "write")
    with Live(settings) as running:
        yield running, key


@pytest.fixture(params=[True, False], ids=["stripped", "kept"])
def proxy(below, request) -> Iterator[str]:
    with ReverseProxy(below[0].url, BASE, strip=request.param) as running:
        yield running.url


@pytest.fixture
def browser(proxy, below) -> Iterator[httpx.Client]:
    """A browser that has signed in through the proxy."""
    with httpx.Client(headers=HTML, follow_redirects=True, timeout=60) as browser:
        found = browser.get(f"{proxy}/browse?prefix=a")
        assert urlsplit(str(found.url)).path == f"{BASE}/sign-in"
        (target,) = re.findall(r'name="next" value="([^"]*)"', found.text)
        signed = browser.post(f"{proxy}/sign-in", data={"key": below[1], "next": target})
        assert (signed.status_code, str(signed.url)) == (200, f"{proxy}/browse?prefix=a")
        (cookie,) = browser.cookies.jar
        assert cookie.path == BASE
        yield browser


def links(text: str) -> set[str]:
    found = re.findall(r'(?:href|src|action)="(/[^"]*)"', text)
    return {each.replace("&amp;", "&") for each in found}


def test_every_link_of_every_page_leads_below_the_path(proxy, browser):
    host, seen, waiting = proxy.removesuffix(BASE), set(), {f"{BASE}/"}
    while waiting:
        link = waiting.pop()
        seen.add(link)
        assert link.startswith(f"{BASE}/"), link
        answer = browser.get(host + link)
        assert answer.status_code == 200, link
        if "html" in answer.headers["content-type"]:
            waiting |= links(answer.text) - seen - {f"{BASE}/sign-out"}
    assert {f"{BASE}/browse/a%20sea/1.jpg", f"{BASE}/v1/thumbnails/a%20sea/1.jpg"} <= seen
    assert {f"{BASE}/static/site.css", f"{BASE}/publish", f"{BASE}/openapi.json"} <= seen
    imported = browser.get(f"{proxy}/static/search.js").text
    assert 'from "./common.js"' in imported


def test_searching_deciding_and_signing_out_without_a_script(proxy, browser, below):
    found = browser.post(f"{proxy}/", files={"picture": ("a.jpg", encoded(picture(1)))})
    assert found.status_code == 200
    assert str(found.url).startswith(f"{proxy}/found/")
    assert f'value="{found.url}"' in found.text  # the link to share
    assert browser.get(proxy).url.path in (BASE, f"{BASE}/")  # signed in there too
    out = browser.post(f"{proxy}/sign-out")
    assert (out.status_code, out.url.path) == (200, f"{BASE}/sign-in")
    assert not list(browser.cookies.jar)
    for target in ("https://evil.example", "//evil.example", "/elsewhere", "", f"{BASE}//../x\n"):
        answer = httpx.post(f"{proxy}/sign-in", data={"key": below[1], "next": target})
        assert answer.headers["location"] == f"{BASE}/", target


def test_the_clients_take_an_address_with_a_path(proxy, below, tmp_path):
    client, (live, key) = Client(f"{proxy}/", below[1]), below
    host = proxy.removesuffix(BASE)
    assert client.search(encoded(picture(1)), k=1)[0].id == "a sea/1.jpg"
    entry = client.entry("a sea/1.jpg")
    assert entry.file == f"{BASE}/v1/files/a%20sea/1.jpg"
    head = {"Authorization": f"Bearer {key}"}
    assert httpx.get(host + entry.file, headers=head).content == client.file("a sea/1.jpg")
    assert [each.file for each in client.entries(prefix="a sea/1")] == [entry.file]
    assert client.annotate(entry.id, {"caption": "Fog"}).metadata == {"caption": "Fog"}
    name = f"{urlsplit(live.url).port}.jpg"
    (tmp_path / name).write_bytes(encoded(picture(40)))
    (outcome,) = client.release([tmp_path / name], method="paper")
    assert outcome.file == f"{BASE}/v1/files/{name}"
    client.remove(name)

    async def awaited() -> str:
        async with AsyncClient(proxy, key) as other:
            return (await other.entry("a sea/1.jpg")).id

    assert asyncio.run(awaited()) == entry.id


def test_addresses_in_answers_are_those_of_clients(proxy, below):
    head = {"Authorization": f"Bearer {below[1]}"}
    host, sent = proxy.removesuffix(BASE), {"picture": ("a.jpg", encoded(picture(1)))}
    with httpx.Client(headers=head, timeout=60) as http:
        link = http.post(f"{proxy}/v1/search?keep=true", files=sent).json()["permalink"]
        assert http.get(host + link, headers=HTML).status_code == 200
        made = http.post(f"{proxy}/v1/previews", files=sent, data={"method": "paper"}).json()
        assert http.get(host + made["after"]).headers["content-type"] == "image/png"
        decided = http.post(
            f"{proxy}/v1/decisions", files=sent, data={"id": "a sea/1.jpg", "decision": "copy"}
        )
        place = decided.headers["location"]
        assert http.get(host + place).json()["decisions"][0]["number"] == decided.json()["number"]
        assert http.get(f"{proxy}/openapi.json").json()["servers"] == [{"url": BASE}]
        assert f"'{proxy}/v1/search'" in http.get(f"{proxy}/reference").text
        known = http.get(f"{proxy}/.well-known/c2pa-soft-binding-resolution").json()
        assert http.get(host + known["statusEndpoint"]).json()["status"] == "ok"


def test_a_health_check_needs_no_path(below):
    assert httpx.get(f"{below[0].url}/health").json()["status"] == "ok"


def test_the_webhook_message_has_the_path():
    job = Job("t", Activation(), (), ())
    assert message_of(job, BASE)["data"]["address"] == f"{BASE}/v1/releases/t"


@pytest.mark.parametrize("path", ["homing", "/a b", "/a?b", "//a", "/a/../b", "/.", "/ä", "/a//b"])
def test_what_is_no_path_is_refused(tmp_path, path):
    with pytest.raises(homing.UsageError, match="a base path is"):
        Settings(archive="archive", folder=tmp_path, base_path=path)


@pytest.mark.parametrize("path", ["/v1", "/browse", "/static/homing", "/.well-known"])
def test_a_path_of_the_service_itself_is_refused(tmp_path, path):
    settings = Settings(archive="archive", folder=Path(tmp_path), base_path=path)
    with pytest.raises(homing.UsageError, match="has addresses below"):
        create_app(settings)


def test_an_empty_path_is_none(tmp_path):
    assert Settings(archive="archive", folder=tmp_path, base_path="/").base_path == ""
