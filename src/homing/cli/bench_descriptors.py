"""``bench descriptors``: descriptors alone, by exact search."""

from typing import Any

import click

from homing.cli.bench_options import (
    background_option,
    base_option,
    draws_option,
    finish,
    hashes_option,
    out_option,
    pictures_option,
    seed_option,
)
from homing.cli.output import (
    device_option,
    json_option,
    limit_options,
    limits_of,
    load_network,
    progress,
    show_tables,
)


@click.command(short_help="How well descriptors tell copies, by exact search.")
@click.argument("photos", nargs=-1, required=True, type=click.Path())
@background_option(required=True)
@click.option(
    "--descriptor",
    "names",
    multiple=True,
    default=("homing-s",),
    show_default=True,
    help="Name, or path to your own. May be repeated: one column each.",
)
@hashes_option("descriptors")
@base_option
@draws_option(5)
@pictures_option
@seed_option
@out_option("results.json, results.md, the observations")
@limit_options
@device_option
@json_option
def descriptors(photos: tuple[str, ...], **options: Any) -> int:
    """Measure descriptors by exact search: copies found, copies told from others, false matches.

    \b
    homing bench descriptors photos/ --background others/
    homing bench descriptors photos/ --background others/ --descriptor sscd_disc_mixup

    PHOTOS suffer the fourteen edits of the paper (and the screenshot, which its mean leaves out);
    each copy is searched for among PHOTOS, the background and crops of the background. Intervals
    are 95 % by bootstrap over the pictures.
    """
    from homing.bench.extra import require_extra

    require_extra()
    from homing.bench.encode.encoders import descriptor_encoder, hash_encoders
    from homing.bench.run_descriptors import Settings, run_descriptors
    from homing.images import find_pictures

    networks = [load_network(name, options["device"]) for name in options["names"]]
    names = [network.name for network in networks]
    encoders = [
        # Versions of one descriptor in several folders may all call themselves the same.
        descriptor_encoder(network, given if names.count(network.name) > 1 else network.name)
        for network, given in zip(networks, options["names"], strict=True)
    ]
    report = run_descriptors(
        list(find_pictures(photos)),
        list(find_pictures(options["background"])),
        [*encoders, *(hash_encoders() if options["hashes"] else ())],
        options["out"],
        progress,
        settings=Settings(
            base_size=options["base_size"],
            random_draws=options["random_draws"],
            pictures=options["pictures"],
            seed=options["seed"],
        ),
        limits=limits_of(options["max_pixels"], options["max_bytes"]),
    )
    return finish(
        report.failures,
        options["out"],
        report.lines() if options["as_json"] else None,
        lambda: show_tables(report.notes, report.tables),
    )
