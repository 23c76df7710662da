"""The clients of a service (homing.client), against a service with entries."""

import asyncio
import datetime
import inspect
import re
import shutil
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest

import homing
from homing.client import AsyncClient, Client, Entry, Evidence, Job, Operations, read_webhook
from homing.client.transport import Call, ListingCall
from homing.serve.jobs.webhooks import signed_headers
from tests.helpers.service import encoded, picture

DOCS = Path(__file__).parents[2] / "docs" / "guides" / "serving.md"


@pytest.fixture
def file(tmp_path):
    (tmp_path / "a.jpg").write_bytes(encoded(picture(2)))
    return tmp_path / "a.jpg"


def test_the_client_answers_as_the_archive_does(live, file):
    archive = homing.open(live.settings.archive)
    with Client(live.url) as client:
        found = client.search(file, k=2)
        assert found == tuple(rounded(hit) for hit in archive.search(file, k=2))
        assert isinstance(found[0], homing.Hit)
        assert client.search(encoded(picture(2)), k=1, confirm=True)[0].id == "sea/2.jpg"
        assert client.cells(file, 2) == archive.cells(file, 2)
        vector = archive.descriptor.describe([file])[0]
        assert client.search_vector(vector, k=1)[0].id == "sea/2.jpg"
        assert client.file("sea/5.jpg") == encoded(picture(5))
        assert client.statistics()["entries"] == 8


def test_entries_and_evidence_are_objects(live, file):
    client, archive = Client(live.url), homing.open(live.settings.archive)
    entries = list(client.entries(prefix="sea"))
    assert [entry.id for entry in entries] == [f"sea/{number}.jpg" for number in range(8)]
    entry, recorded = client.entry("sea/0.jpg"), archive.entry("sea/0.jpg")
    assert entry == entries[0]
    assert isinstance(entry, Entry)
    assert (entry.state, entry.cell, entry.width) == ("released", recorded.cell, recorded.width)
    assert entry.created_at == recorded.created_at.replace(microsecond=0)
    assert entry.file_sha256 == recorded.file_sha256.hex()
    evidence = client.explain(file)
    assert isinstance(evidence, Evidence)
    assert evidence.hit.id == "sea/2.jpg"
    assert evidence.positive is True
    assert all(data[:2] == b"\xff\xd8" for data in evidence.figures.values())
    assert client.explain(encoded(picture(1).crop((20, 9, 190, 140)))).alignment.scale > 0


def test_several_pictures_are_searched_for(live, file, tmp_path):
    (tmp_path / "none.jpg").write_bytes(b"none")
    results = list(Client(live.url).search_each([file, tmp_path / "none.jpg", file], k=1))
    assert [result.query for result in results] == ["a.jpg", "none.jpg", "a.jpg"]
    assert [len(result.hits) for result in results] == [1, 0, 1]
    assert "not a picture" in results[1].reason


def test_decisions_are_objects(live):
    client = Client(live.url)
    made = client.decide(encoded(picture(2)), "sea/3.jpg", "not")
    assert made.copy is False
    assert made.at.tzinfo == datetime.UTC
    assert list(client.decisions("sea/3.jpg")) == [made]
    client.undo_decision(made.number)
    assert list(client.decisions()) == []


def test_a_caption_is_recorded(live):
    client = Client(live.url)
    entry = client.annotate("sea/6.jpg", {"caption": "Low tide", "credit": "Ada"})
    assert entry == client.entry("sea/6.jpg")
    assert entry.metadata == {"caption": "Low tide", "credit": "Ada"}
    assert client.search(encoded(picture(6)), k=1)[0].metadata == entry.metadata
    assert client.annotate("sea/6.jpg", {"credit": None}).metadata == {"caption": "Low tide"}
    assert client.annotate("sea/6.jpg", {"caption": None}).metadata == {}
    with pytest.raises(homing.EntryNotFoundError, match="there is no entry 'none'"):
        client.annotate("none", {"caption": "x"})


def test_what_is_wrong_is_raised(live, file, tmp_path):
    client = Client(live.url)
    with pytest.raises(homing.PictureError, match="not a picture"):
        client.search(b"nothing")
    with pytest.raises(homing.PictureError, match="cannot be read"):
        client.search(tmp_path / "none.jpg")
    with pytest.raises(homing.PictureError, match="cannot be read"):
        client.release([tmp_path / "none.jpg"])
    with pytest.raises(homing.UsageError):
        client.search(encoded(picture(2)), k=0)
    with pytest.raises(homing.UsageError, match="webhook"):
        client.submit([file], webhook="http://10.0.0.1/")
    with pytest.raises(homing.EntryNotFoundError):
        client.entry("none")
    with pytest.raises(homing.EntryNotFoundError):
        client.job("none")
    with pytest.raises(homing.ArchiveError, match="reached: Connection refused; is it running"):
        Client("http://127.0.0.1:9").statistics()
    with pytest.raises(homing.UsageError, match="address"):
        Client("localhost")


def test_the_client_releases(live, tmp_path):
    client, seen = Client(live.url), []
    for number in range(2):
        (tmp_path / f"{number}.jpg").write_bytes(encoded(picture(50 + number)))
    paths = [tmp_path / "0.jpg", tmp_path / "1.jpg"]
    outcomes = client.release(paths, method="paper", prefix="new", progress=seen.append)
    assert [outcome.status for outcome in outcomes] == ["released", "released"]
    assert [(step.done, step.total) for step in seen] == [(1, 2), (2, 2)]
    assert [step.result for step in seen] == list(outcomes)
    job = client.submit(paths, method="paper", prefix="new")
    assert isinstance(job, Job)
    while job.state == "running":
        time.sleep(0.1)
        job = client.job(job.job)
    assert [outcome.status for outcome in job.outcomes] == ["skipped", "skipped"]
    for outcome in outcomes:
        client.remove(outcome.id)


def test_the_awaited_client_does_the_same(live, file, tmp_path):
    (tmp_path / "new.jpg").write_bytes(encoded(picture(60)))

    async def use():
        async with AsyncClient(live.url) as client:
            hits = await asyncio.gather(*(client.search(file, k=2) for _ in range(5)))
            entries = [entry async for entry in client.entries(prefix="sea")]
            results = [each async for each in client.search_each([file], k=2)]
            (outcome,) = await client.release([tmp_path / "new.jpg"], method="paper")
            await client.remove(outcome.id)
            with pytest.raises(homing.EntryNotFoundError):
                await client.entry("none")
            return hits, entries, results

    hits, entries, results = asyncio.run(use())
    client = Client(live.url)
    assert hits == [client.search(file, k=2)] * 5
    assert entries == list(client.entries(prefix="sea"))
    assert results[0].hits == hits[0]


def test_the_event_loop_is_never_blocked(live, file):
    """While requests are sent, other tasks go on."""

    async def use():
        longest = last = 0.0

        async def watch():
            nonlocal longest, last
            last = time.monotonic()
            while True:
                await asyncio.sleep(0.005)
                now = time.monotonic()
                longest, last = max(longest, now - last), now

        watching = asyncio.create_task(watch())
        begun = time.monotonic()
        async with AsyncClient(live.url) as client:
            await asyncio.gather(*(client.search(file, views="all") for _ in range(6)))
        watching.cancel()
        return longest / (time.monotonic() - begun)

    assert asyncio.run(use()) < 0.5  # of the whole: it would be all of it


def test_every_method_is_described_once():
    calls = {
        name: each
        for name, each in vars(Operations).items()
        if isinstance(each, Call | ListingCall)
    }
    assert {"search", "entries", "release", "job"} <= calls.keys()
    for name in calls:
        assert inspect.getdoc(getattr(Client, name))
        assert getattr(Client, name) is getattr(AsyncClient, name)
        assert getattr(Client("http://x"), name).__name__ == name
    public = {name for name in dir(Client) if not name.startswith("_")}
    assert public - calls.keys() == {"close", "iterate", "run", "send"}


TYPED = """
import asyncio
from homing.client import AsyncClient, Client

client = Client("http://x")
reveal_type(client.search("a.jpg", k=3))
reveal_type(client.entries(prefix="a"))
reveal_type(client.release(["a"]))
client.search("a.jpg", kk=3)

async def use(client: AsyncClient) -> None:
    reveal_type(await client.search("a.jpg"))
    reveal_type(client.entries())
    async for entry in client.entries():
        reveal_type(entry.psnr)
"""


@pytest.mark.slow
def test_type_checkers_know_what_comes_back(tmp_path):
    (tmp_path / "use.py").write_text(TYPED)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "c"), "use.py"],
        cwd=tmp_path,
        env={"MYPYPATH": str(Path(homing.__file__).parents[1]), "PATH": "/usr/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("use.py")]
    known = [re.sub(r".*Revealed type is ", "", line) for line in lines if "Revealed" in line]
    assert [re.sub(r"homing\.[\w.]*\.|builtins\.|collections\.abc\.|typing\.", "", t).strip('"')
            for t in known] == [
        "tuple[Hit, ...]", "Iterator[Entry]", "tuple[Outcome, ...]",
        "tuple[Hit, ...]", "AsyncIterator[Entry]", "float | None",
    ]  # fmt: skip
    assert [line for line in lines if "error" in line and "kk" in line]


SECRET = "whsec_" + "c2VjcmV0IG9mIHRoZSB0ZXN0cw=="
BODY = (
    b'{"type": "release.done", "data": {"job": "t", "state": "done", "total": 2, "released": 1, '
    b'"skipped": 0, "failed": 1, "reason": null, "address": "/v1/releases/t", "later": 1}}'
)


@pytest.fixture
def answering():
    """Start a service that answers all requests with `answering.answer`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.paths.append(self.path)
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(self.server.status)
            for name, value in self.server.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(self.server.answer)))
            self.end_headers()
            self.wfile.write(self.server.answer)

        do_POST = do_DELETE = do_GET

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.paths, server.answer, server.status, server.headers = [], b"{}", 200, {}
        threading.Thread(target=server.serve_forever, daemon=True).start()
        server.url = f"http://127.0.0.1:{server.server_port}"
        yield server
        server.shutdown()


def many_calls(client, file):
    yield lambda: client.search(file)
    yield lambda: list(client.search_each([file]))
    yield lambda: client.cells(file)
    yield lambda: client.explain(file)
    yield lambda: list(client.entries())
    yield lambda: client.entry("a")
    yield lambda: client.submit([file])
    yield lambda: client.release([file])
    yield lambda: client.decide(file, "a", "copy")
    yield lambda: list(client.decisions())
    yield lambda: client.webhook_secret()


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>Sign in</html>",
        b"[]",
        b"{}",
        b"null",
        b"\xff",
        b"[" * 9999,
        b'{"hits": 5, "entries": [{"id": 1}], "decisions": [{}], "cells": 5, "figures": 5}',
    ],
)
def test_what_no_service_would_answer_is_an_archive_error(answering, file, answer):
    answering.answer = answer
    with Client(answering.url) as client:
        for call in many_calls(client, file):
            with pytest.raises(homing.ArchiveError, match="not that of a service of homing"):
                call()


def test_a_service_puts_a_client_off_for_half_a_minute_at_most(answering, monkeypatch):
    slept = []
    monkeypatch.setattr("urllib3.util.retry.time.sleep", slept.append)
    answering.status, answering.headers = 503, {"Retry-After": "86400"}
    with Client(answering.url) as client, pytest.raises(homing.ArchiveError):
        client.statistics()
    assert slept
    assert max(slept) <= 30


def test_an_id_leads_to_no_other_entry(answering):
    names = ["sea/../b", "../../etc", "a//b", "./a", "sea/ä.jpg"]
    with Client(answering.url) as client:
        for name in names:
            client.remove(name)
    assert [unquote(path.removeprefix("/v1/entries/")) for path in answering.paths] == names


@pytest.mark.parametrize(
    "key", ["homing_secret\n", "homing_secret\r\nX-Evil: 1", "homing_secretä", ""]
)
def test_a_key_that_can_be_none_is_refused_and_not_shown(key):
    with pytest.raises(homing.UsageError) as raised:
        Client("http://127.0.0.1:1", key=key)
    assert "secret" not in str(raised.value)


def signed(now, body=BODY):
    return signed_headers(b"secret of the tests", "t.done", body, int(now))


def test_a_webhook_is_read_where_it_is_signed():
    ended = read_webhook(SECRET, signed(time.time()), BODY)
    assert (ended.job, ended.state, ended.released, ended.failed) == ("t", "done", 1, 1)
    rotated = signed(time.time())
    rotated["Webhook-Signature"] = "v1,AAAA v2,x " + rotated.pop("webhook-signature")
    assert read_webhook(SECRET, rotated, BODY) == ended


@pytest.mark.parametrize(
    ("headers", "body", "secret"),
    [
        (signed(time.time()), BODY + b" ", SECRET),
        (signed(time.time()), BODY, "whsec_AAAA"),
        (signed(time.time()), BODY, "ä"),
        (signed_headers(b"", "t.done", BODY, int(time.time())), BODY, ""),  # signed with nothing
        (signed_headers(b"", "t.done", BODY, int(time.time())), BODY, "whsec_"),
        (
            signed(time.time()) | {"webhook-id": "\udcff", "webhook-signature": "v1,\udcff"},
            BODY,
            SECRET,
        ),
        (signed(time.time() - 4000), BODY, SECRET),
        (signed(time.time() + 4000), BODY, SECRET),
        ({}, BODY, SECRET),
        (signed(time.time()) | {"webhook-timestamp": "x"}, BODY, SECRET),
        (signed(time.time()) | {"webhook-id": "other"}, BODY, SECRET),
    ],
)
def test_any_other_message_is_refused(headers, body, secret):
    with pytest.raises(homing.UsageError):
        read_webhook(secret, headers, body)


def test_the_examples_of_the_documentation_run(live, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, number in (("suspect", 2), ("a", 70), ("b", 71)):
        (tmp_path / f"{name}.jpg").write_bytes(encoded(picture(number)))
    blocks = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), flags=re.S)
    assert len(blocks) >= 2
    for block in blocks:
        code = block.replace("http://127.0.0.1:8000", live.url).replace(', key="homing_..."', "")
        exec(compile(code, "docs/guides/serving.md", "exec"), {"__name__": "example"})
    for name in ("news/a.jpg", "news/b.jpg"):
        Client(live.url).remove(name)
    shutil.rmtree(tmp_path)


def rounded(hit):
    values = hit.as_dict()
    del values["confirmed"]
    return homing.Hit(**{**values, "edits": hit.edits, "region": hit.region})
