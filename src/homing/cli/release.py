"""``release``, ``add``, ``activate``: pictures going in."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from homing.cli import options as shared
from homing.cli.output import finish, show_outcomes, warnings_as_lines
from homing.options import Activation

if TYPE_CHECKING:
    pass

_manifest = click.option(
    "--manifest",
    type=click.Path(dir_okay=False),
    help="A .csv, .tsv or .jsonl with a 'path' column and an optional 'id'; other columns become "
    "metadata.",
)


@click.command()
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
    """Activate pictures, write them to a folder and record them.

    \b
    homing release archive photos/ --out released/
    homing release archive --manifest photos.csv --out released/ --psnr 44
    homing release archive photos/ --out released/ --also next.safetensors
    homing release archive photos/ --out released/ --c2pa chain.pem key.pem
    homing release archive photos/ --out released/ --workers 4
    homing release archive /shared/photos/ --out released/ --workers ray://head:10001

    Every file has the format, size, depth, EXIF and profile of its source, and at least the PSNR
    requested. A JPEG also keeps its tables, sampling and scans, and about its size. By default only
    luminance changes, and no more than is seen: --json lines have the SSIMULACRA2 of every file.
    Places of exactly one colour stay as they are.

    A second run skips what is already released. One process uses up to eight processors; workers
    use more, and write the same files. If a worker is killed, its current pictures are retried.
    """
    credentials = shared.credentials_of(options)
    opened = shared.open_archive(archive, device=options["device"], sync=options["sync"])
    with show_outcomes("releasing", as_json=options["as_json"]) as progress:
        report = opened.release(
            photos,
            out=options["out"],
            manifest=options["manifest"],
            limits=shared.limits_of(options),
            c2pa=credentials,
            workers=options["workers"],
            progress=progress,
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

    A second run skips what is already recorded. A file that has changed since and shows the same
    picture (a caption was added) is recorded as it is now. If a worker is killed, its current
    pictures are retried.
    """
    opened = shared.open_archive(archive, device=options["device"], sync=options["sync"])
    with show_outcomes("adding", as_json=options["as_json"]) as progress:
        report = opened.add(
            photos,
            manifest=options["manifest"],
            limits=shared.limits_of(options),
            workers=options["workers"],
            progress=progress,
        )
    return finish(report)


@click.command()
@shared.photos_argument
@shared.descriptor_option
@shared.codebook_option
@shared.out_option
@shared.activation_options
@shared.limits_option()
@shared.device_option
@shared.json_option
def activate(photos: tuple[str, ...], **options: Any) -> int:
    """Activate pictures for a codebook, or for a Faiss index, without an archive.

    \b
    homing activate photo.jpg --codebook IVF1024,PQ8x8 --out released/
    homing activate photos/ --codebook index.faiss --out released/

    Files are written as by homing release. Nothing is recorded.
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
    with show_outcomes("activating", as_json=options["as_json"]) as progress:
        report = activate_files(
            inputs,
            network,
            chosen,
            out=options["out"],
            activation=activation,
            limits=shared.limits_of(options),
            progress=progress,
        )
    return finish(replace(report, passed_over=count_passed_over(photos)))
