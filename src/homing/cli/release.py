"""``release``, ``add``, ``activate``: pictures going in."""

from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from homing.cli import options as shared
from homing.cli.output import finish, show_outcomes, warnings_as_lines
from homing.options import Activation

if TYPE_CHECKING:
    from homing.archive.ingest.run import Observer

_manifest = click.option(
    "--manifest",
    type=click.Path(dir_okay=False),
    help="Table of the pictures (.csv, .tsv or .jsonl): a column 'path', perhaps 'id', and any "
    "others, such as captions, which searches return.",
)


def _outcomes(options: dict[str, Any], description: str) -> "AbstractContextManager[Observer]":
    # The terminal's Ctrl-C goes to all workers too.
    alone = options["workers"] == 1
    return show_outcomes(description, as_json=options["as_json"], ends_alone=alone)


@click.command(short_help="Change pictures so that copies are found; record them.")
@shared.archive_argument
@shared.optional_photos_argument
@shared.out_option
@_manifest
@shared.activation_options
@shared.c2pa_options
@shared.workers_option
@shared.sync_option
@shared.limits_option()
@shared.device_option
@shared.json_option
def release(archive: str, photos: tuple[str, ...], **options: Any) -> int:
    """Change pictures so that copies of them are found, write them to a folder and record them.

    \b
    homing release archive photos/ --out released/
    homing release archive --manifest photos.csv --out released/ --psnr 44
    homing release archive photos/ --out released/ --also next.safetensors
    homing release archive photos/ --out released/ --c2pa chain.pem key.pem
    homing release archive photos/ --out released/ --workers 4
    homing release archive /shared/photos/ --out released/ --workers ray://head:10001

    Publish the files in the folder, not the sources. A file has the format, size, EXIF and colour
    profile of its source, and nobody sees the change. Its figures say how alike the two are: PSNR
    (in dB, at least --psnr) and SSIMULACRA2 (100 is identical, 84 the default's least).

    Run the same command again after an interruption, or for new pictures: what is released is
    skipped. One process uses up to eight processors, --workers more; the files are the same.
    """
    credentials = shared.credentials_of(options)
    opened = shared.open_archive(archive, device=options["device"], sync=options["sync"])
    with _outcomes(options, "releasing") as observer:
        report = opened.release(
            photos,
            out=options["out"],
            manifest=options["manifest"],
            limits=shared.limits_of(options),
            c2pa=credentials,
            workers=options["workers"],
            progress=observer,
            **shared.activation_of(options),
        )
    return finish(report)


@click.command()
@shared.archive_argument
@shared.optional_photos_argument
@_manifest
@shared.workers_option
@shared.sync_option
@shared.limits_option()
@shared.device_option
@shared.json_option
def add(archive: str, photos: tuple[str, ...], **options: Any) -> int:
    """Record pictures as they are, without changing them.

    \b
    homing add archive others/
    homing add archive others/ --workers 4
    homing add s3://bucket/archive /shared/others/ --workers ray://head:10001

    Copies of them are found too, but fewer than of released pictures. A second run skips what is
    recorded. A file that has changed since and still shows the same picture (a caption was added)
    is recorded as it is now.
    """
    opened = shared.open_archive(archive, device=options["device"], sync=options["sync"])
    with _outcomes(options, "adding") as observer:
        report = opened.add(
            photos,
            manifest=options["manifest"],
            limits=shared.limits_of(options),
            workers=options["workers"],
            progress=observer,
        )
    return finish(report)


@click.command(short_help="Change pictures for an index of your own, without an archive.")
@shared.photos_argument
@shared.descriptor_option
@shared.codebook_option
@shared.out_option
@shared.activation_options
@shared.limits_option()
@shared.device_option
@shared.json_option
def activate(photos: tuple[str, ...], **options: Any) -> int:
    """Change pictures for a codebook or a Faiss index of your own, without an archive.

    \b
    homing activate photo.jpg --codebook IVF1024,PQ8x8 --out released/
    homing activate photos/ --codebook index.faiss --out released/

    Files are written as by 'homing release'. Nothing is recorded.
    """
    from homing.archive import choose_codebook, choose_codebooks, find_inputs
    from homing.archive.ingest.activate_files import activate_files
    from homing.images.find import count_passed_over

    inputs = find_inputs(photos)
    network = shared.load_network(options["descriptor"], options["device"])
    activation = Activation(**shared.activation_of(options))
    with warnings_as_lines():
        chosen, _ = choose_codebook(options["codebook"], network, None)
        activation = replace(activation, also=choose_codebooks(activation.also, network))
    with show_outcomes("activating", as_json=options["as_json"]) as observer:
        report = activate_files(
            inputs,
            network,
            chosen,
            out=options["out"],
            activation=activation,
            limits=shared.limits_of(options),
            progress=observer,
        )
    return finish(replace(report, passed_over=count_passed_over(photos)))
