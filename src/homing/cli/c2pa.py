"""What released files are signed with: the options of all commands that release."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from homing.errors import UsageError

if TYPE_CHECKING:
    from homing.c2pa import ContentCredentials

_Command = Callable[..., Any]

_OPTIONS = (
    click.option(
        "--c2pa",
        nargs=2,
        type=click.Path(exists=True, dir_okay=False),
        metavar="CHAIN KEY",
        help="Sign every file with Content Credentials: the certificates and the private key, in "
        "PEM (docs/c2pa.md).",
    ),
    click.option(
        "--c2pa-endpoint",
        metavar="URL",
        help="With --c2pa: the Soft Binding Resolution API where the manifests are to be had.",
    ),
    click.option(
        "--c2pa-timestamp",
        metavar="URL",
        help="With --c2pa: a time-stamping authority (RFC 3161), asked for each file.",
    ),
)


def c2pa_options(command: _Command) -> _Command:
    """Add the options that say what files are signed with."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def credentials_of(options: dict[str, Any]) -> "ContentCredentials | None":
    """What files are signed with, if they are."""
    endpoint, timestamp = options["c2pa_endpoint"], options["c2pa_timestamp"]
    if not options["c2pa"]:
        if endpoint or timestamp:
            raise UsageError(
                "--c2pa-endpoint and --c2pa-timestamp are for signing: give --c2pa CHAIN KEY too"
            )
        return None
    from homing.c2pa import ContentCredentials

    chain, key = options["c2pa"]
    return ContentCredentials(chain, key, endpoint=endpoint, timestamp=timestamp)
