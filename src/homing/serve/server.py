"""The server: it listens until a signal ends it, and owns the service's folder meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import uvicorn

from homing.errors import UsageError
from homing.files.durable import make_folder
from homing.files.locks import try_lock
from homing.serve.access.keys import KeyRing
from homing.serve.app import create_app
from homing.serve.http.log import Log, capture_uvicorn_log
from homing.serve.settings import Settings


def refuse_open_access(settings: Settings) -> None:
    """Raise `UsageError` where other machines could connect and no key exists."""
    if not settings.on_loopback and not KeyRing(settings.folder).all():
        raise UsageError(
            f"{settings.host} can be reached from other machines, and the service has no key yet; "
            f"make one with 'homing keys add {settings.archive} NAME', or listen to 127.0.0.1"
        )


def check_signing(settings: Settings) -> None:
    """Sign once where files are to be signed; raise `UsageError` if that fails."""
    if settings.c2pa is not None:
        from homing.c2pa.signing import ManifestSigner

        ManifestSigner(settings.c2pa)


def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM, which is a normal end."""
    refuse_open_access(settings)
    check_signing(settings)
    with _folder_lock(settings):
        _run(settings)


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


def _run(settings: Settings) -> None:
    log = Log()
    capture_uvicorn_log(log)
    config = uvicorn.Config(
        create_app(settings, log),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=round(settings.stop_seconds),
    )
    with suppress(KeyboardInterrupt):  # uvicorn raises it again when it has ended
        uvicorn.Server(config).run()
