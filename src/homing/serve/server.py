"""The server: it listens until a signal ends it, and owns the service's folder meanwhile."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial

import uvicorn
from fastapi import FastAPI

from homing.errors import UsageError
from homing.files.durable import make_folder
from homing.files.locks import try_lock
from homing.serve.access.keys import KeyRing
from homing.serve.app import create_app
from homing.serve.http.connections import Connection, Connections
from homing.serve.http.log import Log, capture_uvicorn_log
from homing.serve.http.port import check_port
from homing.serve.settings import Settings


def check_keys(settings: Settings) -> None:
    """Raise `UsageError` where keys are needed and there is none, or the other way round."""
    ring = KeyRing(settings.folder)
    if settings.no_keys and ring.exists():
        raise UsageError(
            f"{str(settings.folder)!r} has keys, or has had some; leave --no-keys out, or remove "
            "keys.json and keys.lock there"
        )
    if not settings.no_keys and not ring.all():
        raise UsageError(
            f"the service has no key; make one with 'homing keys add {settings.archive} NAME', or "
            "give --no-keys to serve everybody on this machine"
        )


def check_signing(settings: Settings) -> None:
    """Sign once where files are to be signed; raise `UsageError` if that fails."""
    if settings.c2pa is not None:
        from homing.c2pa.signing import ManifestSigner

        ManifestSigner(settings.c2pa)


def serve(settings: Settings, log: Log | None = None) -> None:
    """Serve until SIGINT, SIGTERM or SIGHUP, which is a normal end."""
    check_keys(settings)
    check_signing(settings)
    check_port(settings.host, settings.port)
    with _folder_lock(settings):
        _run(settings, log or Log())


@contextmanager
def _folder_lock(settings: Settings) -> Iterator[None]:
    """Hold the service's folder; raise `UsageError` where another service has it."""
    try:
        make_folder(settings.folder, mode=0o700)
        lock = (settings.folder / "lock").open("ab")
    except OSError as error:
        raise UsageError(
            f"nothing can be written to {str(settings.folder)!r}: {error.strerror}; name another "
            "place with --folder"
        ) from error
    with lock:
        if not try_lock(lock):
            raise UsageError(
                f"another service has the folder {str(settings.folder)!r}; end it, or give this "
                "one another folder with --folder"
            )
        yield


def _run(settings: Settings, log: Log) -> None:
    capture_uvicorn_log(log)
    server = uvicorn.Server(server_config(create_app(settings, log), settings))
    # Uvicorn raises the signal again when it has ended.
    with suppress(KeyboardInterrupt), _ended_by_hangup(server):
        server.run()


@contextmanager
def _ended_by_hangup(server: uvicorn.Server) -> Iterator[None]:
    """Let SIGHUP end the server as SIGTERM does; uvicorn leaves it alone.

    One that is ignored stays so, under nohup.
    """
    if sys.platform == "win32" or signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        yield
        return
    before = signal.signal(signal.SIGHUP, server.handle_exit)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


def server_config(app: FastAPI, settings: Settings) -> uvicorn.Config:
    """Return how uvicorn serves an application."""
    return uvicorn.Config(
        app,
        http=partial(Connection, kept=Connections(settings.connections, settings.patience)),  # type: ignore[arg-type]
        host=settings.host,
        port=settings.port,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # see `ForwardedHeaders`
        timeout_graceful_shutdown=round(settings.stop_seconds),
    )
