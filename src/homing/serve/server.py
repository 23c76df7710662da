"""Serving: listening, and ending when asked to."""

from contextlib import suppress

import uvicorn

from homing.errors import UsageError
from homing.serve.app import create_app
from homing.serve.keys import KeyRing
from homing.serve.log import Log, hear_uvicorn
from homing.serve.settings import Settings

__all__ = ["refuse_open_doors", "serve"]


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


def serve(settings: Settings) -> None:
    """Serve until asked to end (SIGINT, SIGTERM), which is no failure."""
    refuse_open_doors(settings)
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
