"""Webhooks: signed, repeated, told in the job, continued by the next start."""

import base64
import errno
import hashlib
import hmac
import json
import shutil
import socket
import time
from dataclasses import replace

import pytest

from homing.options import Limits
from homing.serve.access.keys import WRITE, KeyRing
from homing.serve.jobs.store import JobFolder
from homing.serve.settings import Settings
from tests.helpers.receivers import ListeningReceiver
from tests.helpers.service import Live, encoded, picture


def settings_of(empty_archive, folder):
    shutil.copytree(empty_archive, folder / "archive")
    return Settings(
        archive=str(folder / "archive"),
        folder=folder / "served",
        no_keys=True,
        limits=Limits(max_pixels=1_000_000, max_bytes=300_000),
        workers=1,
        webhook_hosts=("127.0.0.1",),
        webhook_waits=(0.1, 0.2),
    )


@pytest.fixture
def settings(empty_archive, tmp_path):
    return settings_of(empty_archive, tmp_path)


@pytest.fixture(scope="module")
def serving(empty_archive, tmp_path_factory):
    with Live(settings_of(empty_archive, tmp_path_factory.mktemp("telling"))) as live:
        yield live


def release(live, url, data=b"no picture"):
    """Release what needs no process; return the job's token."""
    answer = live.post("/v1/releases", data, field="pictures", method="paper", webhook=url)
    assert answer.status_code == 202, answer.text
    assert answer.json()["webhook"]["state"] == "waiting"
    return answer.json()["job"]


def until_told(live, token, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        job = live.http.get(f"/v1/releases/{token}").json()
        if job["webhook"]["state"] != "waiting":
            return job["webhook"]
        time.sleep(0.05)
    raise AssertionError(job)


def verified(secret, headers, body):
    """Verify a message as the specification of Standard Webhooks says."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    digest = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{digest}"
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 100
    return json.loads(body)


def test_the_end_of_a_release_is_told_signed(serving):
    with ListeningReceiver() as receiver:
        token = release(serving, receiver.url, encoded(picture(1)))
        receiver.until(1, 240)
        told = until_told(serving, token)
        secret = serving.http.get("/v1/webhooks/secret").json()["secret"]
        job = serving.http.get(f"/v1/releases/{token}").json()
    assert told == {"url": receiver.url, "state": "delivered", "attempts": 1, "reason": None}
    ((headers, body, _),) = receiver.got
    message = verified(secret, headers, body)
    assert message["type"] == "release.done"
    assert message["data"] == {
        "job": token,
        "state": "done",
        "total": 1,
        "released": 1,
        "skipped": 0,
        "failed": 0,
        "reason": None,
        "address": f"/v1/releases/{token}",
    }
    assert job["state"] == "done"
    assert headers["content-type"] == "application/json"


def test_a_failing_receiver_is_told_again_under_one_id(serving):
    with ListeningReceiver(500, 302, 200) as receiver:
        told = until_told(serving, release(serving, receiver.url))
    assert told["state"] == "delivered"
    assert told["attempts"] == 3
    assert len({headers["webhook-id"] for headers, _, _ in receiver.got}) == 1
    first, second, third = (when for _, _, when in receiver.got)
    assert second - first >= 0.1
    assert third - second >= 0.2


def test_a_dead_receiver_is_given_up_and_the_job_says_so(serving):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        address = f"http://127.0.0.1:{unused.getsockname()[1]}/"
    told = until_told(serving, release(serving, address))
    assert told == {
        "url": address, "state": "failed", "attempts": 3, "reason": "it refuses connections",
    }  # fmt: skip
    assert '"webhook failed"' in serving.log.getvalue()


def test_a_receiver_that_is_gone_is_told_no_more(serving):
    with ListeningReceiver(410) as receiver:
        told = until_told(serving, release(serving, receiver.url))
    assert (told["state"], told["attempts"], told["reason"]) == ("failed", 1, "it answered 410")


def test_one_that_hangs_keeps_nothing_waiting(settings):
    with (
        ListeningReceiver(seconds=5) as slow,
        ListeningReceiver() as quick,
        Live(settings) as live,
    ):
        for _ in range(3):
            release(live, slow.url)
        slow.until(3)
        begun = time.monotonic()
        assert until_told(live, release(live, quick.url))["state"] == "delivered"
        assert time.monotonic() - begun < 4
        assert live.http.get("/health").status_code == 200
        begun = time.monotonic()
    assert time.monotonic() - begun < 4  # neither does it keep the service from ending


def test_the_next_start_goes_on_where_a_message_was_not_delivered(settings):
    with ListeningReceiver(500, 500, 204) as receiver:
        with Live(replace(settings, webhook_waits=(0.1, 600, 600))) as live:
            token = release(live, receiver.url)
            receiver.until(2)
            time.sleep(0.2)
            job = live.http.get(f"/v1/releases/{token}").json()
            assert job["webhook"]["state"] == "waiting"
            assert job["webhook"]["attempts"] == 2
            assert job["webhook"]["reason"] == "it answered 500"
        with Live(settings) as again:
            told = until_told(again, token)
        assert (told["state"], told["attempts"]) == ("delivered", 3)
        with Live(settings) as third:  # and once delivered never again
            time.sleep(0.5)
            assert until_told(third, token)["attempts"] == 3
    assert len(receiver.got) == 3


@pytest.mark.slow
def test_a_message_that_was_never_begun_is_sent_by_the_next_start(settings):
    with ListeningReceiver() as receiver:
        with Live(settings) as live:
            token = release(live, receiver.url)
            until_told(live, token)
        (settings.folder / "jobs" / token / "webhook.json").unlink()  # killed before
        with Live(settings) as again:
            assert until_told(again, token)["state"] == "delivered"
    assert len(receiver.got) == 2


@pytest.mark.slow
def test_a_host_that_is_no_longer_allowed_is_told_nothing(settings):
    with ListeningReceiver(500) as receiver:
        with Live(replace(settings, webhook_waits=(600,))) as live:
            token = release(live, receiver.url)
            receiver.until(1)
            time.sleep(0.2)
        with Live(replace(settings, webhook_hosts=())) as again:
            told = until_told(again, token)
    assert told["state"] == "failed"
    assert "--webhook-host" in told["reason"]
    assert len(receiver.got) == 1


def test_addresses_that_may_not_be_sent_to_are_refused_at_once(settings):
    with Live(replace(settings, webhook_hosts=())) as live:
        for url in ("http://127.0.0.1/", "https://169.254.169.254/", "ftp://x", "nowhere"):
            answer = live.post("/v1/releases", b"none", field="pictures", webhook=url)
            assert answer.status_code == 422, url
            assert "webhook" in answer.json()["error"]
        assert not list((settings.folder / "jobs").iterdir())


def test_each_key_has_its_own_secret(settings):
    ring = KeyRing(settings.folder)
    keys = [ring.add(name, WRITE)[1] for name in ("one", "other")]
    _, reader = ring.add("reader", "read")
    secrets = []
    with Live(replace(settings, no_keys=False)) as live, ListeningReceiver() as receiver:
        for key in keys:
            headers = {"Authorization": f"Bearer {key}"}
            secrets.append(live.http.get("/v1/webhooks/secret", headers=headers).json()["secret"])
        refused = live.http.get(
            "/v1/webhooks/secret", headers={"Authorization": f"Bearer {reader}"}
        )
        assert refused.status_code == 403
        live.http.headers["Authorization"] = f"Bearer {keys[1]}"
        until_told(live, release(live, receiver.url))
    assert len(set(secrets)) == 2
    verified(secrets[1], *receiver.got[0][:2])
    with pytest.raises(AssertionError):
        verified(secrets[0], *receiver.got[0][:2])


def test_a_full_disk_ends_no_delivery(settings, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with ListeningReceiver(500, 500, 204) as receiver, Live(settings) as live:
        monkeypatch.setattr(JobFolder, "write_delivery", full)
        release(live, receiver.url)
        receiver.until(3)


def test_receivers_of_one_client_that_hang_keep_no_other_clients_waiting(settings):
    ring = KeyRing(settings.folder)
    keys = [ring.add(name, WRITE)[1] for name in ("one", "other")]
    with (
        ListeningReceiver(seconds=12) as slow,
        ListeningReceiver() as quick,
        Live(replace(settings, no_keys=False)) as live,
    ):
        live.http.headers["Authorization"] = f"Bearer {keys[0]}"
        for _ in range(9):
            release(live, slow.url)
        slow.until(4)
        live.http.headers["Authorization"] = f"Bearer {keys[1]}"
        begun = time.monotonic()
        release(live, quick.url)
        quick.until(1)
        assert time.monotonic() - begun < 8


def test_the_log_has_no_address_of_a_receiver(settings):
    with ListeningReceiver(500) as receiver:
        with Live(replace(settings, webhook_waits=(600,))) as live:
            token = release(live, f"{receiver.url}&token=secret-of-the-receiver")
            receiver.until(1)
            log = live.log.getvalue()
        with Live(replace(settings, webhook_hosts=())) as again:
            until_told(again, token)
            log += again.log.getvalue()
    assert '"webhook failed"' in log
    assert "secret-of-the-receiver" not in log
