"""Webhooks: notifications of a client's address when its release has ended.

Messages are signed and repeated as in Standard Webhooks (https://www.standardwebhooks.com). The
state of each delivery is on disk beside its job, so that the next start goes on. Nothing waits for
them.
"""

import asyncio
import base64
import datetime
import hmac
import json
import socket
import ssl
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from homing._version import __version__
from homing.errors import UsageError
from homing.serve.access.secret import ServiceSecret
from homing.serve.http.log import Log
from homing.serve.http.receivers import NoAnswerError, post, receiver_of
from homing.serve.jobs.store import FAILED, WAITING, Delivery, Job, JobFolder
from homing.serve.settings import Settings

_AT_ONCE = 8  # attempts
_OF_ONE = 4  # of them, at most, to the receivers of one client, who may never answer
_LOOKUPS = 32  # a lookup goes on when its attempt has ended
_SECONDS = 15.0  # of an attempt
_SOON = 5.0  # seconds that an attempt waits after a start, at most
_GONE = 410  # the receiver wants no more


def webhook_key(secret: ServiceSecret, client: str) -> bytes:
    """Return what signs the messages for one client, the id of its key."""
    return secret.derive(f"webhook {client}")


def webhook_secret(secret: ServiceSecret, client: str) -> str:
    """Return the same as Standard Webhooks writes it, for the client."""
    return f"whsec_{base64.b64encode(webhook_key(secret, client)).decode()}"


def signed_headers(key: bytes, message: str, body: bytes, now: int) -> dict[str, str]:
    """Return the headers by which a receiver verifies the sender and the time of a message."""
    digest = hmac.digest(key, f"{message}.{now}.".encode() + body, "sha256")
    return {
        "User-Agent": f"homing/{__version__}",
        "webhook-id": message,
        "webhook-timestamp": str(now),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def message_of(job: Job, base_path: str) -> dict[str, Any]:
    """Return the message about a job that has ended, of a service below a path."""
    counts = Counter(outcome["status"] for outcome in job.outcomes)
    kinds = ("released", "skipped", "failed")
    return {
        "type": f"release.{job.state}",
        "timestamp": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "data": {
            "job": job.token,
            "state": job.state,
            "total": len(job.pictures),
            "reason": job.failed,
            "address": f"{base_path}/v1/releases/{job.token}",
            **{kind: counts[kind] for kind in kinds},
        },
    }


@dataclass(frozen=True)
class _Attempt:
    """The outcome of one attempt."""

    reason: str | None  # None: it was delivered
    is_last: bool = False


class Webhooks(AbstractContextManager["Webhooks"]):
    """Notifies receivers of jobs that have ended, while the context lasts, in its event loop.

    `find` returns the job of a token.
    """

    def __init__(
        self,
        settings: Settings,
        secret: ServiceSecret,
        find: Callable[[str], Job | None],
        log: Log,
    ) -> None:
        self._settings = settings
        self._jobs = settings.folder / "jobs"
        self._secret = secret
        self._find = find
        self._log = log
        self._free = asyncio.Semaphore(_AT_ONCE)
        self._own = defaultdict[str, asyncio.Semaphore](partial(asyncio.Semaphore, _OF_ONE))
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._closed = False
        # Of their own: names that are looked up for minutes must not keep other threads busy.
        self._threads = ThreadPoolExecutor(_LOOKUPS, "homing-webhook")

    def __enter__(self) -> "Webhooks":
        self._loop = asyncio.get_running_loop()
        return self

    def __exit__(self, *error: object) -> None:
        """Stop; what was not delivered is tried again after the next start."""
        self._closed = True
        for task in self._tasks.values():
            task.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def notify(self, token: str) -> None:
        """Begin to notify the receiver of a job that has ended, if it has one; return at once.

        From any thread.
        """
        self._loop.call_soon_threadsafe(self._begin, token)

    def _begin(self, token: str) -> None:
        if self._closed:
            return
        if before := self._tasks.pop(token, None):
            before.cancel()
        task = self._loop.create_task(self._deliver(token))
        self._tasks[token] = task
        task.add_done_callback(lambda done: self._end(token, done))

    def _end(self, token: str, task: asyncio.Task[None]) -> None:
        if self._tasks.get(token) is task:
            del self._tasks[token]
        if not task.cancelled() and (error := task.exception()):
            self._log.write_error("webhook", error, job=token)

    async def _deliver(self, token: str) -> None:
        """Attempt a delivery until it succeeds, or the attempts are used up."""
        job = await asyncio.to_thread(self._find, token)
        if job is None or job.webhook is None or job.state == "running":
            return
        delivery, soon = job.delivery, True
        if delivery is None or delivery.job_state != job.state:
            delivery, soon = Delivery(WAITING, job.state), False
        while delivery.state == WAITING:
            if delivery.attempts:
                wait = self._wait_after(delivery.attempts)
                await asyncio.sleep(min(wait, _SOON) if soon else wait)
            soon = False
            delivery = self._after(delivery, await self._attempt(job))
            await self._write(token, delivery)
        if delivery.state == FAILED:
            self._log.write("webhook failed", level="error", job=token, reason=delivery.reason)

    async def _write(self, token: str, delivery: Delivery) -> None:
        try:
            await asyncio.to_thread(JobFolder(self._jobs / token).write_delivery, delivery)
        except OSError as error:  # a full disk: the attempts go on, and a start repeats some
            self._log.write_error("webhook", error, job=token)

    def _wait_after(self, attempts: int) -> float:
        waits = self._settings.webhook_waits
        return waits[min(attempts, len(waits)) - 1] if waits else 0.0

    def _after(self, delivery: Delivery, attempt: _Attempt) -> Delivery:
        attempts = delivery.attempts + 1
        if attempt.reason is None:
            return replace(delivery, state="delivered", attempts=attempts, reason=None)
        is_last = attempt.is_last or attempts > len(self._settings.webhook_waits)
        state = FAILED if is_last else WAITING
        return replace(delivery, state=state, attempts=attempts, reason=attempt.reason)

    async def _attempt(self, job: Job) -> _Attempt:
        assert job.webhook is not None
        body = json.dumps(message_of(job, self._settings.base_path)).encode()
        key = webhook_key(self._secret, job.webhook.client)
        try:
            receiver = receiver_of(job.webhook.url, self._settings.webhook_hosts)
            own = self._own[job.webhook.client]
            async with own, self._free, asyncio.timeout(_SECONDS):
                headers = signed_headers(key, f"{job.token}.{job.state}", body, int(time.time()))
                status = await post(receiver, body, headers, self._look_up)
        except UsageError:  # not its text, which goes to the log: the address may be a secret
            return _Attempt("nothing may be sent there any more; see --webhook-host", is_last=True)
        except TimeoutError:
            return _Attempt(f"it did not answer within {_SECONDS:g} seconds")
        except (OSError, ValueError) as error:  # ValueError: a name that TLS does not take
            return _Attempt(_reason(error))
        if 200 <= status < 300:
            return _Attempt(None)
        return _Attempt(f"it answered {status}", is_last=status == _GONE)

    async def _look_up(self, host: str, port: int) -> list[str]:
        """Return the addresses of a host."""
        ask = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        found = await self._loop.run_in_executor(self._threads, ask)
        return [str(each[4][0]) for each in found]


def _reason(error: Exception) -> str:
    """Return why a delivery failed, without addresses of the service's network."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, NoAnswerError):
        return str(error)
    if isinstance(error, ConnectionRefusedError):
        return "it refuses connections"
    return "it cannot be reached, or breaks off"
