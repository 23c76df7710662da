"""``bench``: measure, on one's own pictures."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from homing.cli.bench_descriptors import descriptors
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
from homing.cli.with_parts import WithParts
from homing.options import Activation

if TYPE_CHECKING:
    from homing.bench.dataset.layouts import DataSet
    from homing.bench.settings import Settings


@click.command(cls=WithParts, short_help="Measure how well copies are found, on your pictures.")
@click.argument("photos", nargs=-1, required=True, type=click.Path())
@background_option(required=False)
@click.option(
    "--layout",
    type=click.Choice(["disc21", "copydays"]),
    help="PHOTOS is one folder, laid out as that data set is published. DISC21 is its own "
    "background.",
)
@click.option(
    "--descriptor", default="homing-s", show_default=True, help="Name, or path to your own."
)
@click.option(
    "--index",
    "indexes",
    multiple=True,
    default=("auto",),
    show_default=True,
    help="Bundled codebook, a codebook's file, or a factory such as IVF256,PQ8x8, which is trained "
    "on the base. May be repeated.",
)
@click.option(
    "--method",
    "methods",
    default=f"{Activation.method},paper",
    show_default=True,
    help="Methods of activation, with commas between them. The first leads: the headline, the "
    "pictures shown, costs and questions are of it.",
)
@click.option(
    "--suite",
    type=click.Choice(["paper", "sweep", "full"]),
    default="paper",
    show_default=True,
    help="Edits: the paper's fourteen and the screenshot; over strengths; or all.",
)
@base_option
@pictures_option
@draws_option(3)
@click.option(
    "--psnr", type=float, default=42.0, show_default=True, help="Least PSNR of each file, dB."
)
@click.option(
    "--format",
    type=click.Choice(["png", "jpeg", "webp", "tiff", "own"]),
    default="png",
    show_default=True,
    help="Kind of the released files; own: that of each picture.",
)
@click.option(
    "--sample",
    type=click.IntRange(min=0),
    default=60,
    show_default=True,
    help="Pictures for what needs files of its own, costs and questions; 0: none of this.",
)
@click.option(
    "--costs/--no-costs",
    default=True,
    show_default=True,
    help="Recall against time and memory, five indexes with files released for each.",
)
@click.option(
    "--questions",
    default="all",
    show_default=True,
    metavar="NAMES",
    help="What the paper left open: density, lossy, foreign, budgets, adversary, rivals, with "
    "commas between them; all; none.",
)
@hashes_option("descriptor")
@seed_option
@out_option("the report, the released files")
@limit_options
@device_option
@json_option
def bench(photos: tuple[str, ...], **options: Any) -> int:
    """Measure how well edited copies are found, untouched and activated, and write a report.

    \b
    homing bench photos/ --background others/
    homing bench photos/ --background others/ --index IVF256,PQ8x8 --pictures 200 --out report/

    PHOTOS are activated; their copies under the paper's edits are searched for among PHOTOS, the
    background and crops of the background, through each index and exactly. Needs the extra:
    pip install 'homing[bench]'
    """
    from homing.bench.extra import require_extra

    require_extra()
    from homing.activation import find_method
    from homing.bench.report.outcome_tables import notes_of, tables_of
    from homing.bench.run import run_retrieval

    outcome = run_retrieval(
        _data(photos, options["background"], options["layout"]),
        load_network(options["descriptor"], options["device"]),
        options["out"],
        progress,
        methods=[find_method(name.strip()) for name in options["methods"].split(",")],
        settings=_settings(options),
        limits=limits_of(options["max_pixels"], options["max_bytes"]),
    )
    return finish(
        outcome.failures,
        options["out"],
        outcome.lines() if options["as_json"] else None,
        lambda: show_tables(notes_of(outcome), tables_of(outcome)),
    )


def _data(photos: tuple[str, ...], background: tuple[str, ...], layout: str | None) -> "DataSet":
    """The pictures, wherever they are."""
    from homing.bench.dataset.layouts import DataSet, read_layout
    from homing.images import find_pictures

    others = tuple(find_pictures(background))
    if layout is None:
        if not background:
            raise click.UsageError("Missing option '--background'.")
        return DataSet(tuple(find_pictures(photos)), others)
    if len(photos) != 1:
        raise click.UsageError(f"--layout {layout} takes one folder.")
    found = read_layout(layout, Path(photos[0]))
    return DataSet(found.photos, (*found.background, *others), found.published)


def _settings(options: Mapping[str, Any]) -> "Settings":
    from homing.bench.questions import find_questions
    from homing.bench.settings import Settings

    return Settings(
        suite=options["suite"],
        indexes=tuple(options["indexes"]),
        base_size=options["base_size"],
        random_draws=options["random_draws"],
        pictures=options["pictures"],
        psnr=options["psnr"],
        format=None if options["format"] == "own" else options["format"],
        hashes=options["hashes"],
        sample=options["sample"],
        costs=options["costs"],
        questions=find_questions(options["questions"]),
        seed=options["seed"],
    )


bench.parts = {"descriptors": descriptors}

COMMANDS = {"bench": bench}
