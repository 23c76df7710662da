"""The service in another process: started, used, ended, killed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest

import homing
from homing.c2pa import active_manifest
from homing.cli import main
from homing.client import Client, read_webhook
from tests.helpers.receivers import ListeningReceiver
from tests.helpers.service import encoded, picture

SOURCES = Path(homing.__file__).parents[1]
OPEN = ("--no-keys", "--port", "0")


class Process:
    """``homing serve`` on a free port."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.log = folder / f"log-{time.monotonic_ns()}"
        path = os.pathsep.join([str(SOURCES), os.environ.get("PYTHONPATH", "")])
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "homing", "serve", "archive", *OPEN, *options],
                stderr=log,
                cwd=folder,
                env=os.environ | {"PYTHONPATH": path},
            )
        self.url = self._url()

    def _url(self) -> str:
        while self.process.poll() is None:
            for line in self.log.read_text().splitlines():
                if "running on" in line:
                    return json.loads(line)["message"].split()[3]
            time.sleep(0.05)
        raise AssertionError(self.log.read_text())

    def end(self, how: signal.Signals) -> int:
        self.process.send_signal(how)
        return self.process.wait(60)


@pytest.fixture
def folder(empty_archive, tmp_path):
    shutil.copytree(empty_archive, tmp_path / "archive")
    return tmp_path


def sent(url, count, first=0):
    """Upload pictures to release; return the job's token, once acknowledged."""
    files = [
        ("pictures", (f"{number}.jpg", encoded(picture(number))))
        for number in range(first, first + count)
    ]
    answer = httpx.post(f"{url}/v1/releases", files=files, data={"method": "paper"}, timeout=60)
    assert answer.status_code == 202
    return answer.json()["job"]


def until_done(url, token):
    while (job := httpx.get(f"{url}/v1/releases/{token}").json())["state"] == "running":
        time.sleep(0.1)
    return job


def test_it_serves_and_ends_at_the_signal(folder):
    served = Process(folder)
    client = Client(served.url)
    (folder / "a.jpg").write_bytes(encoded(picture(1)))
    (outcome,) = client.release([folder / "a.jpg"], method="paper")
    assert outcome.status == "released"
    crop = encoded(picture(1).crop((15, 10, 190, 140)))
    assert client.search(crop)[0].id == "a.jpg"
    children = psutil.Process(served.process.pid).children(recursive=True)
    assert served.end(signal.SIGHUP) == 0  # which uvicorn alone does not tidy up after
    psutil.wait_procs(children, timeout=5)
    assert not [child for child in children if child.is_running()]
    lines = [json.loads(line) for line in served.log.read_text().splitlines()]
    assert not [line for line in lines if line["level"] == "error"]
    assert not (folder / "archive-serve" / "previews").exists()


@pytest.mark.slow
@pytest.mark.parametrize("delay", [0.0, 0.1, 0.3, 0.6, 1.0, 1.6])
def test_killed_while_releasing_it_loses_nothing_that_was_acknowledged(folder, delay):
    served = Process(folder)
    tokens = [sent(served.url, 10, first) for first in (0, 10)]
    time.sleep(delay)
    served.end(signal.SIGKILL)
    again = Process(folder)
    jobs = [until_done(again.url, token) for token in tokens]
    assert again.end(signal.SIGINT) == 0
    for job in jobs:
        assert job["state"] == "done"
        assert {outcome["status"] for outcome in job["outcomes"]} <= {"released", "skipped"}
        assert all(outcome["file"] for outcome in job["outcomes"])
    archive = homing.open(folder / "archive")
    assert [row.id for row in archive.page(limit=100)] == sorted(f"{n}.jpg" for n in range(20))
    assert archive.verify().clean
    left = [path.name for path in (folder / "archive-serve" / "jobs").rglob("*.jpg")]
    assert left == []
    names = [path.name for path in (folder / "archive-serve" / "released").iterdir()]
    assert sorted(names) == sorted(tokens)  # no staging folder is left


@pytest.mark.slow
def test_killed_while_it_receives_it_stores_nothing(folder):
    served = Process(folder)

    def slowly():
        yield b'--b\r\nContent-Disposition: form-data; name="pictures"; filename="a"\r\n\r\n'
        yield encoded(picture(1))
        served.process.kill()
        yield bytes(1 << 20)

    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    with pytest.raises(httpx.TransportError):
        httpx.post(f"{served.url}/v1/releases", content=slowly(), headers=kind)
    served.end(signal.SIGKILL)
    again = Process(folder)
    assert httpx.get(f"{again.url}/v1/statistics").json()["entries"] == 0
    assert list((folder / "archive-serve" / "jobs").iterdir()) == []
    again.end(signal.SIGTERM)


@pytest.mark.slow
def test_killed_before_a_webhook_was_delivered_it_is_told_after_the_next_start(folder):
    with ListeningReceiver(500, 204) as receiver:
        allowed = ("--webhook-host", receiver.host)
        served = Process(folder, *allowed)
        (folder / "a.jpg").write_bytes(encoded(picture(1)))
        job = Client(served.url).submit([folder / "a.jpg"], method="paper", webhook=receiver.url)
        receiver.until(1, 240)
        served.end(signal.SIGKILL)
        again = Process(folder, *allowed)
        receiver.until(2)
        client = Client(again.url)
        while (told := client.job(job.job).webhook).state == "waiting":
            time.sleep(0.1)
        secret = client.webhook_secret()
        assert again.end(signal.SIGTERM) == 0
    assert told.state == "delivered"
    ended = [read_webhook(secret, headers, body) for headers, body, _ in receiver.got]
    assert ended[0] == ended[1]
    assert (ended[0].job, ended[0].released) == (job.job, 1)


@pytest.mark.slow
def test_signalled_while_releasing_it_finishes_pictures_under_way(folder):
    served = Process(folder)
    token = sent(served.url, 20)
    time.sleep(0.3)
    assert served.end(signal.SIGTERM) == 0
    archive = homing.open(folder / "archive")
    entries = len(archive)
    assert archive.verify().clean
    assert not list((folder / "archive-serve" / "released").glob(".homing-*"))
    again = Process(folder)
    job = until_done(again.url, token)
    again.end(signal.SIGTERM)
    assert len(job["outcomes"]) == 20
    assert {outcome["status"] for outcome in job["outcomes"]} == {"released"}
    assert entries <= len(homing.open(folder / "archive")) == 20


@pytest.mark.slow
def test_uploads_are_signed(folder, credentials):
    served = Process(folder, "--c2pa", str(credentials.chain), str(credentials.key))
    (outcome,) = until_done(served.url, sent(served.url, 1))["outcomes"]
    manifest = outcome["c2pa_manifest"]
    copy = encoded(picture(0).crop((15, 10, 190, 140)))
    kind = {"Content-Type": "image/jpeg"}
    found = httpx.post(f"{served.url}/v1/matches/byContent", content=copy, headers=kind)
    assert [match["manifestId"] for match in found.json()["matches"]] == [manifest]
    store = httpx.get(f"{served.url}/v1/manifests/{manifest}").content
    assert active_manifest(store) == manifest
    assert served.end(signal.SIGTERM) == 0


@pytest.mark.parametrize("options", [["--c2pa", "{chain}", "{chain}"], ["--c2pa-endpoint", "x"]])
def test_what_cannot_sign_is_refused_before_it_serves(folder, credentials, options, capsys):
    given = [option.format(chain=credentials.chain) for option in options]
    with pytest.raises(SystemExit) as left:
        main(["serve", str(folder / "archive"), *OPEN, *given])
    assert left.value.code == 2
    assert "sign" in capsys.readouterr().err


@pytest.mark.slow
def test_only_one_service_has_the_folder(folder):
    first = Process(folder)
    second = subprocess.run(
        [sys.executable, "-m", "homing", "serve", "archive", *OPEN],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(SOURCES)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    first.end(signal.SIGTERM)
    assert second.returncode == 2
    assert "another service" in second.stderr
