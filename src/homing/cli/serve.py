"""``serve`` and ``keys``: the archive over HTTP."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from homing.cli.c2pa import c2pa_options, credentials_of
from homing.cli.output import (
    archive_argument,
    device_option,
    emit,
    engine_option,
    json_option,
    limits_of,
    printable,
    say,
)
from homing.errors import UsageError

if TYPE_CHECKING:
    from homing.serve.access.keys import Key, KeyRing

_MEGABYTE = 2**20

_folder = click.option(
    "--folder",
    type=click.Path(file_okay=False),
    help="The service's own folder, for keys, uploads and releases.  [default: ARCHIVE-serve]",
)


@click.command(short_help="Serve the archive to browsers and machines.")
@archive_argument
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="0: any free one.",
)
@_folder
@click.option(
    "--files",
    multiple=True,
    type=click.Path(file_okay=False, exists=True),
    help="Folder of the entries' pictures, their ids being paths in it. May be repeated.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1, max=64),
    help="Processes that decode pictures.  [default: one a processor, up to 4]",
)
@click.option(
    "--memory",
    type=click.IntRange(min=64),
    default=2048,
    show_default=True,
    help="MiB that decoding one picture may take; releasing some, four times as many.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=1),
    default=30,
    show_default=True,
    help="That decoding one picture may take; releasing some, sixty times as long.",
)
@click.option(
    "--max-pixels",
    type=click.IntRange(min=1),
    default=100_000_000,
    show_default=True,
    help="Refuse pictures of more pixels.",
)
@click.option(
    "--max-bytes",
    type=click.IntRange(min=1),
    default=64 * _MEGABYTE,
    show_default=True,
    help="Refuse files of more bytes.",
)
@click.option(
    "--max-upload",
    type=click.IntRange(min=1),
    default=1024 * _MEGABYTE,
    show_default=True,
    help="Refuse requests with several pictures of more bytes in all.",
)
@click.option(
    "--rate-limit",
    type=click.IntRange(min=0),
    default=600,
    show_default=True,
    help="Requests a minute of one key; 0: no limit.",
)
@c2pa_options
@engine_option
@device_option
def serve(archive: str, **options: Any) -> None:
    """Serve the archive over HTTP: to people in a browser, and to machines.

    \b
    homing serve archive
    homing keys add archive newsroom --rights read
    homing serve archive --host 0.0.0.0
    homing serve archive --c2pa chain.pem key.pem

    It listens to this machine alone unless told otherwise, and to others only with keys. The
    description of the API is at /openapi.json. Stop it with Ctrl-C: what is being done is ended.
    """
    from homing.serve import require_extra

    require_extra()
    from homing.serve.server import serve as run
    from homing.serve.settings import Settings

    workers = {} if options["workers"] is None else {"workers": options["workers"]}
    settings = Settings(
        archive=archive,
        folder=_folder_of(archive, options["folder"]),
        host=options["host"],
        port=options["port"],
        limits=limits_of(options["max_pixels"], options["max_bytes"]),
        most_bytes=options["max_upload"],
        memory=options["memory"] * _MEGABYTE,
        seconds=options["seconds"],
        c2pa=credentials_of(options),
        rate_limit=options["rate_limit"],
        files=tuple(Path(folder) for folder in options["files"]),
        device=options["device"],
        engine=options["engine"],
        **workers,
    )
    run(settings)


@click.group(short_help="Make, list and revoke keys to the service.")
def keys() -> None:
    """Make, list and revoke the keys that the service of an archive asks for.

    \b
    homing keys add archive newsroom --rights read
    homing keys list archive
    homing keys revoke archive 1f0c9a2e

    Once there is a key, one is needed, on this machine too.
    """


@keys.command()
@archive_argument
@click.argument("name")
@click.option(
    "--rights",
    type=click.Choice(["read", "write"]),
    default="read",
    show_default=True,
    help="write: release and remove, too.",
)
@_folder
@json_option
def add(archive: str, name: str, rights: str, folder: str | None, as_json: bool) -> None:
    """Make a key, and print it: it is kept nowhere, and cannot be shown again.

    \b
    homing keys add archive newsroom
    """
    key, secret = _ring(archive, folder).add(name, rights)
    if as_json:
        emit({**_as_dict(key), "key": secret})
        return
    say(f"{key.id}: {printable(key.name)} may {key.rights}; keep this key, it is shown once:")
    click.echo(secret)


@keys.command("list")
@archive_argument
@_folder
@json_option
def list_keys(archive: str, folder: str | None, as_json: bool) -> None:
    """List the keys, without their secrets.

    \b
    homing keys list archive
    """
    for key in _ring(archive, folder).all():
        if as_json:
            emit(_as_dict(key))
        else:
            click.echo(f"{key.id}  {key.rights:5}  {key.created_at}  {printable(key.name)}")


@keys.command()
@archive_argument
@click.argument("ids", nargs=-1, required=True)
@_folder
@json_option
def revoke(archive: str, ids: tuple[str, ...], folder: str | None, as_json: bool) -> int:
    """Take keys back; a running service refuses them from now on.

    \b
    homing keys revoke archive 1f0c9a2e
    """
    ring, status = _ring(archive, folder), 0
    for id_ in ids:
        gone = ring.revoke(id_) is not None
        status = status if gone else 1
        told = "revoked" if gone else "not there"
        if as_json:
            emit({"id": id_, "status": told})
        else:
            click.echo(f"{told:9}  {printable(id_)}", err=not gone)
    return status


def _ring(archive: str, folder: str | None) -> "KeyRing":
    from homing.serve.access.keys import KeyRing

    return KeyRing(_folder_of(archive, folder))


def _folder_of(archive: str, folder: str | None) -> Path:
    from homing.serve.settings import folder_beside

    if folder is not None:
        return Path(folder)
    beside = folder_beside(archive)
    if not Path(archive).is_dir():
        raise UsageError(f"there is no archive at {archive!r}; make one with 'homing init'")
    return beside


def _as_dict(key: "Key") -> dict[str, str]:
    return {
        "id": key.id,
        "name": key.name,
        "rights": key.rights,
        "created_at": key.created_at,
    }


COMMANDS = {"serve": serve, "keys": keys}
