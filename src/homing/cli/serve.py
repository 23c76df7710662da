"""``serve`` and ``keys``: an archive over HTTP."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from homing.cli import options as shared
from homing.cli.output import print_result, printable, say
from homing.errors import UsageError
from homing.options import Limits

if TYPE_CHECKING:
    from homing.serve.access.keys import Key, KeyRing

_MEGABYTE = 2**20

_folder_option = click.option(
    "--folder",
    type=click.Path(file_okay=False),
    help="The service's own folder, for keys, uploads and releases.  [default: ARCHIVE-serve]",
)


@click.command(short_help="Serve an archive to browsers and programs.")
@shared.archive_argument
@click.option("--host", default="127.0.0.1", help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    help="Port to listen on; 0: any free one.",
)
@click.option(
    "--base-path",
    default="",
    metavar="PATH",
    help="Path below which a proxy serves it, such as /homing.",
)
@_folder_option
@click.option(
    "--no-keys",
    is_flag=True,
    help="Serve everybody on this machine without a key, unless there are keys.",
)
@click.option(
    "--proxy",
    "proxies",
    multiple=True,
    metavar="ADDRESS",
    help="Address or network of a proxy whose X-Forwarded-* headers are believed; may be repeated.",
)
@shared.files_option
@click.option(
    "--workers",
    type=click.IntRange(min=1, max=64),
    help="Processes that decode pictures.  [default: one per processor, up to 4]",
)
@click.option(
    "--memory",
    type=click.IntRange(min=64),
    default=2048,
    help="Memory limit for decoding one picture, in MiB; a release may take four times as much.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=1),
    default=30,
    help="Time limit for decoding one picture; a release may take sixty times as long.",
)
@shared.limits_option(Limits(max_pixels=100_000_000, max_bytes=64 * _MEGABYTE))
@click.option(
    "--max-upload",
    type=click.IntRange(min=1),
    default=1024 * _MEGABYTE,
    show_default=False,
    help="Refuse uploads of more bytes in all.  [default: 1024 MiB]",
)
@click.option(
    "--rate-limit",
    type=click.IntRange(min=0),
    default=600,
    help="Requests per minute and key; 0: no limit.",
)
@click.option(
    "--webhook-host",
    "webhook_hosts",
    multiple=True,
    metavar="HOST[:PORT]",
    help="Let webhooks go to this host though it is private, or without TLS; may be repeated.",
)
@shared.c2pa_options
@shared.engine_option
@shared.device_option
@click.option(
    "--json", "as_json", is_flag=True, help="Log JSON lines in a terminal too, as elsewhere."
)
def serve(archive: str, **options: Any) -> None:
    """Serve an archive to browsers and programs, over HTTP.

    \b
    homing serve archive --no-keys
    homing keys add archive newsroom --rights read
    homing serve archive --host 0.0.0.0
    homing serve archive --proxy 127.0.0.1
    homing serve archive --c2pa chain.pem key.pem

    Every request needs a key, unless --no-keys is given. By default only this machine can connect.
    The API is described at /reference. Ctrl-C ends the service once its current requests are
    done.
    """
    from homing.serve import require_extra

    require_extra()
    from homing.serve.http.log import Log
    from homing.serve.server import serve as run
    from homing.serve.settings import Settings

    workers = {} if options["workers"] is None else {"workers": options["workers"]}
    settings = Settings(
        archive=archive,
        folder=_folder_of(archive, options["folder"]),
        host=options["host"],
        port=options["port"],
        base_path=options["base_path"],
        no_keys=options["no_keys"],
        proxies=options["proxies"],
        limits=shared.limits_of(options),
        most_bytes=options["max_upload"],
        memory=options["memory"] * _MEGABYTE,
        seconds=options["seconds"],
        c2pa=shared.credentials_of(options),
        rate_limit=options["rate_limit"],
        webhook_hosts=options["webhook_hosts"],
        files=tuple(Path(folder) for folder in options["files"]),
        device=options["device"],
        engine=options["engine"],
        **workers,
    )
    run(settings, Log(plain=sys.stderr.isatty() and not options["as_json"]))


@click.group(short_help="Make, list and revoke keys to the service.")
def keys() -> None:
    """Make, list and revoke the keys to an archive's service.

    \b
    homing keys add archive newsroom --rights read
    homing keys list archive
    homing keys revoke archive 1f0c9a2e

    Every request needs one, on this machine too, unless the service runs with --no-keys.
    """


@keys.command()
@shared.archive_argument
@click.argument("name")
@click.option(
    "--rights",
    type=click.Choice(["read", "write"]),
    default="read",
    help="read: search and view; write: also release and remove.",
)
@_folder_option
@shared.json_option
def add(archive: str, name: str, rights: str, folder: str | None, as_json: bool) -> None:
    """Make a key and print it: only its hash is stored, so it cannot be shown again.

    \b
    homing keys add archive newsroom
    """
    key, secret = _ring(archive, folder).add(name, rights)
    if not as_json:
        say(f"{key.id}: {printable(key.name)} may {key.rights}; keep this key, it is shown once:")
    print_result({**_as_dict(key), "key": secret}, secret, as_json=as_json)


@keys.command("list")
@shared.archive_argument
@_folder_option
@shared.json_option
def list_keys(archive: str, folder: str | None, as_json: bool) -> None:
    """List the keys, without their secrets.

    \b
    homing keys list archive
    """
    found = _ring(archive, folder).all()
    if not found:
        say(f"there is no key: make one with 'homing keys add {archive} NAME'")
    for key in found:
        line = f"{key.id}  {key.rights:5}  {key.created_at}  {printable(key.name)}"
        print_result(_as_dict(key), line, as_json=as_json)


@keys.command()
@shared.archive_argument
@shared.ids_argument
@_folder_option
@shared.json_option
def revoke(archive: str, ids: tuple[str, ...], folder: str | None, as_json: bool) -> int:
    """Revoke keys; a running service refuses them from the next request on.

    \b
    homing keys revoke archive 1f0c9a2e
    """
    ring, status = _ring(archive, folder), 0
    for id_ in ids:
        gone = ring.revoke(id_) is not None
        status = status if gone else 1
        word = "revoked" if gone else "not there"
        line = f"{word:9}  {printable(id_)}"
        print_result({"id": id_, "status": word}, line, as_json=as_json, err=not gone)
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
        raise UsageError(
            f"there is no archive at {archive!r}; make one with 'homing init {archive}'"
        )
    return beside


def _as_dict(key: "Key") -> dict[str, str]:
    return {"id": key.id, "name": key.name, "rights": key.rights, "created_at": key.created_at}
