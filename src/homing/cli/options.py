"""Options that several commands share, and the values made of them."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from homing.cli.completion import complete_codebooks, complete_folders, complete_ids
from homing.cli.output import progress
from homing.errors import UsageError
from homing.options import (
    DEFAULT_LIMITS,
    FORMATS,
    GREATEST_PSNR,
    LEAST_PSNR,
    Activation,
    ActivationKeywords,
    Limits,
    SearchOptions,
)

if TYPE_CHECKING:
    from homing.archive import Archive
    from homing.c2pa import ContentCredentials
    from homing.descriptors import Descriptor

Command = Callable[..., Any]
Option = Callable[[Command], Command]

_MOST_WORKERS = 256


def combine(*options: Option) -> Option:
    """Make several options one decorator; the help lists them in this order."""

    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def count(text: str) -> int:
    """Type of an option: a whole number of at least one, also written as 1e6."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number >= 1):
        raise click.BadParameter(f"{text!r} is not a number of at least 1")
    return int(number)


def _workers(text: str) -> int | str:
    """Type of an option: a number of processes, or the name of a Ray cluster."""
    from homing.workers.choose import parse_workers

    try:
        workers = parse_workers(text)
    except UsageError as error:
        raise click.BadParameter(str(error)) from error
    if isinstance(workers, int) and not 1 <= workers <= _MOST_WORKERS:
        raise click.BadParameter(f"{workers} is not in the range 1<=x<={_MOST_WORKERS}.")
    return workers


archive_argument = click.argument(
    "archive", type=click.Path(path_type=str), shell_complete=complete_folders
)
photos_argument = click.argument("photos", nargs=-1, required=True, type=click.Path())
optional_photos_argument = click.argument("photos", nargs=-1, type=click.Path())
ids_argument = click.argument("ids", nargs=-1, required=True, shell_complete=complete_ids)

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON for programs, one object a line."
)
device_option = click.option(
    "--device", default="cpu", help="Where the network runs: cpu, cuda, mps, or auto."
)
descriptor_option = click.option(
    "--descriptor",
    default="homing-s",
    help="Network that describes pictures: a name of 'homing descriptors', or a file of your own.",
)
codebook_option = click.option(
    "--codebook",
    default="auto",
    shell_complete=complete_codebooks,
    help="Partition of the pictures: auto (by their number), a factory string such as "
    "IVF256,PQ8x8, or a file.",
)
engine_option = click.option(
    "--engine",
    type=click.Choice(["auto", "memory", "lance"]),
    default="auto",
    help="memory: load the archive's codes; lance: read its index on disk ('homing index'); auto: "
    "memory up to half a gigabyte. The answers are the same.",
)
version_option = click.option(
    "--version",
    type=click.IntRange(min=1),
    help="Read an earlier version, as listed by 'homing versions'.",
)
files_option = click.option(
    "--files",
    multiple=True,
    type=click.Path(file_okay=False, exists=True),
    help="Folder that added pictures were read from, to compare with them. Released files are "
    "found without it. May be repeated.",
)
workers_option = click.option(
    "--workers",
    type=_workers,
    default="1",
    metavar="N|ray://HOST:PORT",
    help="Number of processes, or a Ray cluster (ray: the one of RAY_ADDRESS; ray:N: N processes "
    "of this machine).",
)
sync_option = click.option(
    "--sync/--no-sync",
    default=True,
    help="--no-sync is quicker for bulk loads, but a power cut may lose the entries of the last "
    "minute, or damage the archive ('homing repair').",
)
rate_option = click.option(
    "--rate",
    type=click.FloatRange(min=0, max=1, min_open=True, max_open=True),
    default=SearchOptions.rate,
    help="Where pictures cannot be compared: largest share of unrelated pictures that may be "
    "called copies.",
)
psnr_option = click.option(
    "--psnr",
    type=click.FloatRange(LEAST_PSNR, GREATEST_PSNR),
    default=Activation.psnr,
    help="How alike file and source must be, at least, in dB; at 42 nobody sees the change.",
)
seed_option = click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=Activation.seed,
    help="Seed for randomness; the same seed gives the same files.",
)

out_option = click.option(
    "--out", required=True, type=click.Path(file_okay=False), help="Folder for the released files."
)
activation_options = combine(  # the fields of Activation, which activation_of collects
    psnr_option,
    click.option(
        "--method",
        default=Activation.method,
        help="How pictures are changed: robust, robust-fast (two thirds of the time), "
        "robust-thorough, or paper (as published, without a limit on what is seen).",
    ),
    seed_option,
    click.option(
        "--also",
        multiple=True,
        shell_complete=complete_codebooks,
        metavar="CODEBOOK",
        help="A further codebook to activate for, named as in --codebook of homing init. May be "
        "repeated.",
    ),
    click.option(
        "--format",
        type=click.Choice(FORMATS),
        help="Format of the released files; JPEG then has a quality of 95 or more.  [default: "
        "each picture's own]",
    ),
)


def activation_of(options: dict[str, Any]) -> ActivationKeywords:
    """Collect the options of an activation."""
    return {key: options[key] for key in ActivationKeywords.__annotations__}  # type: ignore[return-value]


def views_option(default: str, text: str) -> Option:
    """Return the option that names a set of views."""
    return click.option(
        "--views", type=click.Choice(["upright", "turned", "all"]), default=default, help=text
    )


def limits_option(limits: Limits = DEFAULT_LIMITS) -> Option:
    """Return the options that bound decoding, which :func:`limits_of` collects."""
    return combine(
        click.option(
            "--max-pixels",
            type=click.IntRange(min=1),
            default=limits.max_pixels,
            show_default=False,
            help=f"Refuse pictures of more pixels.  [default: {limits.max_pixels:,}]",
        ),
        click.option(
            "--max-bytes",
            type=click.IntRange(min=1),
            default=limits.max_bytes,
            show_default=False,
            help=f"Refuse files of more bytes.  [default: {limits.max_bytes >> 20} MiB]",
        ),
    )


def limits_of(options: dict[str, Any]) -> Limits:
    """Collect the bounds on decoding."""
    return Limits(max_pixels=options["max_pixels"], max_bytes=options["max_bytes"])


c2pa_options = combine(
    click.option(
        "--c2pa",
        nargs=2,
        type=click.Path(exists=True, dir_okay=False),
        metavar="CHAIN KEY",
        help="Sign every file with Content Credentials: the certificates and the private key, in "
        "PEM (docs/guides/c2pa.md).",
    ),
    click.option(
        "--c2pa-endpoint",
        metavar="URL",
        help="With --c2pa: the Soft Binding Resolution API that serves the manifests.",
    ),
    click.option(
        "--c2pa-timestamp",
        metavar="URL",
        help="With --c2pa: a time-stamping authority (RFC 3161), queried for each file.",
    ),
)


def credentials_of(options: dict[str, Any]) -> "ContentCredentials | None":
    """Collect the credentials that files are signed with; None without ``--c2pa``."""
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


def open_archive(archive: str, **options: Any) -> "Archive":
    """Open an archive; the import waits until here, so that ``--help`` stays quick."""
    from homing.archive import open_archive as open_

    return open_(archive, **options)


def load_network(name: str, device: str = "cpu") -> "Descriptor":
    """Load a descriptor, and show the download of its weights if there is one."""
    from homing.descriptors import load_descriptor, registry

    if name not in [info.name for info in registry() if not info.bundled]:
        return load_descriptor(name, device=device)
    with progress(None, f"fetching {name}") as bar:
        return load_descriptor(name, device=device, progress=bar.show)
