"""Serving: listening, and ending when asked to."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import uvicorn

from homing.errors import UsageError
from homing.files.locks import try_lock
from homing.serve.access.keys import KeyRing
from homing.serve.app import create_app
from homing.serve.http.log import Log, hear_uvicorn
from homing.serve.settings import Settings


def refuse_open_doors(settings: Settings) -> None:
    """Refuse to listen to other machines where no key is asked for.

    Raises
    ------
    UsageError
        There is no key yet.
    """
    if not settings.on_loopback and not KeyRing(settings.folder).all():
        raise UsageError(
            f"{settings.host} can be reached from other machines, and there is no key yet; make "
            f"one with 'homing keys add {settings.archive} NAME', or listen to 127.0.0.1"
        )


def try_signing(settings: Settings) -> None:
    """Sign once, where files are to be signed.

    Raises
    ------
    UsageError
        Nothing can be signed; with the reason.
    """
    if settings.c2pa is not None:
        from homing.c2pa.signing import ManifestSigner

        ManifestSigner(settings.c2pa)


def serve(settings: Settings) -> None:
    """Serve until asked to end (SIGINT, SIGTERM), which is no failure."""
    refuse_open_doors(settings)
    try_signing(settings)
    with _alone(settings):
        _run(settings)


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Hold the service's folder, which two of them would spoil for each other.

    Raises
    ------
    UsageError
        Another service has it.
    """
    try:
        settings.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
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
                "one a folder of its own with --folder"
            )
        yield


def _run(settings: Settings) -> None:
    log = Log()
    hear_uvicorn(log)
    config = uvicorn.Config(
        create_app(settings, log),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=round(settings.stop_seconds),
    )
    with suppress(KeyboardInterrupt):  # told once more by uvicorn when it has ended
        uvicorn.Server(config).run()
