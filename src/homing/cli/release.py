"""``init``, ``release``, ``add``, ``activate``: pictures going in."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from homing.cli.c2pa import c2pa_options, credentials_of
from homing.cli.output import (
    archive_argument,
    count,
    device_option,
    emit,
    finished,
    json_option,
    limit_options,
    limits_of,
    load_network,
    show_outcomes,
    workers_option,
)
from homing.options import FORMATS, GREATEST_PSNR, LEAST_PSNR, Activation, ActivationKeywords

if TYPE_CHECKING:
    from homing.archive import Archive

_photos = click.argument("photos", nargs=-1, type=click.Path())
_manifest = click.option(
    "--manifest",
    type=click.Path(dir_okay=False),
    help="A .csv or .jsonl with a 'path' column, an optional 'id', and columns kept as metadata.",
)
_out = click.option(
    "--out", required=True, type=click.Path(file_okay=False), help="Folder for the released files."
)


def _activation_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of :class:`homing.options.Activation`, which :func:`_activation` collects."""
    for option in reversed(
        (
            click.option(
                "--psnr",
                type=click.FloatRange(LEAST_PSNR, GREATEST_PSNR),
                default=Activation.psnr,
                show_default=True,
                help="Least PSNR of every file written, in dB.",
            ),
            click.option(
                "--method",
                default=Activation.method,
                show_default=True,
                help="Way to activate: paper, robust, robust-fast or robust-thorough.",
            ),
            click.option(
                "--seed",
                type=click.IntRange(min=0),
                default=Activation.seed,
                show_default=True,
                help="Of the initial noise and of the edits drawn.",
            ),
            click.option(
                "--also",
                multiple=True,
                metavar="CODEBOOK",
                help="A further codebook to activate for: a file, or a bundled one's factory "
                "string. May be given several times.",
            ),
            click.option(
                "--format",
                type=click.Choice(FORMATS),
                help="Kind of the files written.  [default: each picture's own]",
            ),
        )
    ):
        command = option(command)
    return command


def _activation(options: dict[str, Any]) -> ActivationKeywords:
    return {key: options[key] for key in ActivationKeywords.__annotations__}  # type: ignore[return-value]


@click.command()
@archive_argument
@click.option("--descriptor", default="homing-s", show_default=True, help="Name, or path to yours.")
@click.option(
    "--codebook",
    default="auto",
    show_default=True,
    help="'auto', a file, or the factory string of a bundled codebook.",
)
@click.option(
    "--expect", type=count, help="How many pictures it will hold (1e6): chooses the codebook."
)
@json_option
def init(archive: str, descriptor: str, codebook: str, expect: int | None, as_json: bool) -> None:
    """Make an empty archive.

    \b
    homing init archive
    homing init archive --expect 1e6
    homing init archive --descriptor sscd_disc_mixup --codebook mine.safetensors
    """
    from homing.archive import create

    load_network(descriptor)  # fetches its weights with a bar, if they are not here
    made = create(
        archive,
        descriptor=descriptor,
        codebook=codebook,
        expect=expect,
    ).settings
    if as_json:
        emit(
            {
                "archive": archive,
                "descriptor": made.descriptor,
                "codebook": made.codebook,
                "codebook_choice": made.codebook_choice,
            }
        )
    else:
        click.echo(f"{archive}: {made.descriptor}, {made.codebook} ({made.codebook_choice})")


@click.command()
@archive_argument
@_photos
@_out
@_manifest
@_activation_options
@c2pa_options
@workers_option
@limit_options
@device_option
@json_option
def release(archive: str, photos: tuple[str, ...], **options: Any) -> int:
    """Activate pictures, write them to a folder and record them.

    \b
    homing release archive photos/ --out released/
    homing release archive --manifest photos.csv --out released/ --psnr 44
    homing release archive photos/ --out released/ --also next.safetensors
    homing release archive photos/ --out released/ --c2pa chain.pem key.pem
    homing release archive photos/ --out released/ --workers 4
    homing release archive /shared/photos/ --out released/ --workers ray://head:10001

    Pictures keep their kind, size, depth, EXIF and profile, and are never changed by more than the
    budget allows. Running it again does what is left to do and nothing else. One process uses up
    to eight processors; workers use more, and write the same files. A worker that is killed costs
    the pictures that it had in hand another try.
    """
    from homing.archive import open_archive

    credentials = credentials_of(options)
    opened = open_archive(archive, device=options["device"])
    with _show(opened, photos, options, "releasing") as show:
        report = opened.release(
            photos,
            out=options["out"],
            manifest=options["manifest"],
            limits=limits_of(options["max_pixels"], options["max_bytes"]),
            c2pa=credentials,
            workers=options["workers"],
            on_outcome=show,
            **_activation(options),
        )
    return finished(report)


@click.command()
@archive_argument
@_photos
@_manifest
@workers_option
@limit_options
@device_option
@json_option
def add(archive: str, photos: tuple[str, ...], **options: Any) -> int:
    """Record pictures as they are, without changing them.

    \b
    homing add archive others/
    homing add archive others/ --workers 4
    homing add s3://bucket/archive /shared/others/ --workers ray://head:10001

    Running it again does what is left to do and nothing else. A worker that is killed costs the
    pictures that it had in hand another try.
    """
    from homing.archive import open_archive

    opened = open_archive(archive, device=options["device"])
    with _show(opened, photos, options, "adding") as show:
        report = opened.add(
            photos,
            manifest=options["manifest"],
            limits=limits_of(options["max_pixels"], options["max_bytes"]),
            workers=options["workers"],
            on_outcome=show,
        )
    return finished(report)


@click.command()
@click.argument("photos", nargs=-1, required=True, type=click.Path())
@click.option("--descriptor", default="homing-s", show_default=True, help="Name, or path to yours.")
@click.option(
    "--codebook",
    default="auto",
    show_default=True,
    help="A codebook's file, or the factory string of a bundled one.",
)
@_out
@_activation_options
@limit_options
@device_option
@json_option
def activate(photos: tuple[str, ...], **options: Any) -> int:
    """Activate pictures for a codebook, without an archive.

    \b
    homing activate photo.jpg --codebook IVF1024,PQ8x8 --out released/
    """
    from homing.archive import choose_codebook, choose_codebooks, find_inputs
    from homing.archive.ingest.activate_files import activate_files

    inputs = find_inputs(photos)
    network = load_network(options["descriptor"], options["device"])
    chosen, _ = choose_codebook(options["codebook"], network, None)
    activation = Activation(**_activation(options))
    activation = replace(activation, also=choose_codebooks(activation.also, network))
    with show_outcomes(len(inputs), "activating", as_json=options["as_json"]) as show:
        report = activate_files(
            inputs,
            network,
            chosen,
            out=options["out"],
            activation=activation,
            limits=limits_of(options["max_pixels"], options["max_bytes"]),
            on_outcome=show,
        )
    return finished(report)


def _show(opened: "Archive", photos: tuple[str, ...], options: dict[str, Any], doing: str) -> Any:
    total = len(opened.inputs(photos, options["manifest"]))
    return show_outcomes(total, doing, as_json=options["as_json"])


COMMANDS = {"init": init, "release": release, "add": add, "activate": activate}
