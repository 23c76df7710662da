"""``bench`` and ``bench descriptors``: measurements on the user's own pictures.

Defaults repeat those of the two ``Settings``, which are slow to import; a test compares them.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from homing.cli import options as shared
from homing.cli.output import emit, printable, progress, say, show_tables
from homing.options import Activation

if TYPE_CHECKING:
    from homing.bench.dataset.layouts import DataSet
    from homing.bench.settings import Settings


class _BenchCommand(click.Command):
    """``bench``, with ``bench descriptors`` beside ``bench PHOTOS``.

    A group would take no pictures of its own. (A folder named like a part is ``./descriptors``.)
    """

    parts: Mapping[str, click.Command]

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Parse the arguments: those of a part, if the first one is its name."""
        part = self.parts.get(args[0]) if args else None
        if part is None:
            return super().make_context(info_name, args, parent, **extra)
        return part.make_context(f"{info_name} {args[0]}", args[1:], parent, **extra)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the parts."""
        with formatter.section("Parts"):
            formatter.write_dl(
                [
                    (f"{ctx.command_path} {name}", part.get_short_help_str(limit=70))
                    for name, part in self.parts.items()
                ]
            )


def _background_option(*, required: bool) -> shared.Option:
    return click.option(
        "--background",
        multiple=True,
        required=required,
        type=click.Path(),
        help="Folder of other pictures, among which copies are searched for. May be repeated.",
    )


def _draws_option(default: int) -> shared.Option:
    return click.option(
        "--random-draws",
        type=click.IntRange(min=1),
        default=default,
        help="Copies of each picture under the random edit.",
    )


def _hashes_option(beside: str) -> shared.Option:
    return click.option(
        "--hashes/--no-hashes",
        default=True,
        help=f"Compare the {beside} with pHash, dHash and PDQ.",
    )


def _out_option(content: str) -> shared.Option:
    return click.option(
        "--out",
        type=click.Path(file_okay=False, path_type=Path),
        default=Path("homing-bench"),
        help=f"Folder for {content}, and the cache with which an interrupted run goes on.",
    )


_base_option = click.option(
    "--base-size",
    type=shared.count,
    default=100_000,
    help="Pictures to search among, besides PHOTOS: the background, then random crops of it.",
)
_pictures_option = click.option(
    "--pictures",
    type=click.IntRange(min=1),
    help="Number of PHOTOS to take, drawn by the seed.  [default: all]",
)


@click.command(short_help="Measure descriptors by exact search.")
@shared.photos_argument
@_background_option(required=True)
@click.option(
    "--descriptor",
    "names",
    multiple=True,
    default=("homing-s",),
    help="Name, or path to your own. May be repeated: one column each.",
)
@_hashes_option("descriptors")
@_base_option
@_draws_option(5)
@_pictures_option
@shared.seed_option
@_out_option("results.json, results.md, the observations")
@shared.limits_option()
@shared.device_option
@shared.json_option
def descriptors(photos: tuple[str, ...], **options: Any) -> int:
    """Measure descriptors by exact search: copies found, verdicts, false matches.

    \b
    homing bench descriptors photos/ --background others/
    homing bench descriptors photos/ --background others/ --descriptor sscd_disc_mixup

    Each of PHOTOS is edited in the paper's fourteen ways, and by the screenshot, which the mean
    leaves out. Each copy is searched for among PHOTOS, the background and crops of the background.
    Intervals are 95 % by bootstrap over the pictures.
    """
    from homing.bench.extra import require_extra

    require_extra()
    from homing.bench import run_descriptors as bench_descriptors
    from homing.bench.encode.encoders import descriptor_encoder, hash_encoders
    from homing.images.find import check_present, find_pictures

    check_present([*photos, *options["background"]])
    networks = [shared.load_network(name, options["device"]) for name in options["names"]]
    names = [network.name for network in networks]
    encoders = [
        # Versions of one descriptor in several folders may share a name.
        descriptor_encoder(network, given if names.count(network.name) > 1 else network.name)
        for network, given in zip(networks, options["names"], strict=True)
    ]
    report = bench_descriptors.run_descriptors(
        list(find_pictures(photos)),
        list(find_pictures(options["background"])),
        [*encoders, *(hash_encoders() if options["hashes"] else ())],
        options["out"],
        progress,
        settings=bench_descriptors.Settings(
            **{key: options[key] for key in ("base_size", "random_draws", "pictures", "seed")}
        ),
        limits=shared.limits_of(options),
    )
    return _finish(
        report.failures,
        options["out"],
        report.lines() if options["as_json"] else None,
        lambda: show_tables(report.notes, report.tables),
    )


@click.command(cls=_BenchCommand, short_help="Measure how well copies of your pictures are found.")
@shared.photos_argument
@_background_option(required=False)
@click.option(
    "--layout",
    type=click.Choice(["disc21", "copydays"]),
    help="PHOTOS is one folder, laid out as that data set is published. DISC21 is its own "
    "background.",
)
@shared.descriptor_option
@click.option(
    "--index",
    "indexes",
    multiple=True,
    default=("auto",),
    help="A codebook, named as in --codebook of homing init. A factory string that does not ship "
    "with homing, or one behind train: (train:IVF256,PQ8x8), is trained on the base. May be "
    "repeated.",
)
@click.option(
    "--method",
    "methods",
    default=f"{Activation.method},paper",
    help="Methods of activation, separated by commas; the report is mostly on the first.",
)
@click.option(
    "--suite",
    type=click.Choice(["paper", "sweep", "full"]),
    default="paper",
    help="Edits: paper: its fourteen and the screenshot; sweep: edits over strengths; full: both.",
)
@_base_option
@_pictures_option
@_draws_option(3)
@shared.psnr_option
@click.option(
    "--format",
    type=click.Choice(["png", "jpeg", "webp", "tiff", "own"]),
    default="png",
    help="Format of the released files; own: that of each picture.",
)
@click.option(
    "--sample",
    type=click.IntRange(min=0),
    default=60,
    help="Pictures for costs and questions, which take files of their own; 0: leave both out.",
)
@click.option(
    "--costs/--no-costs",
    default=True,
    help="Measure recall against time and memory, for five indexes.",
)
@click.option(
    "--questions",
    default="all",
    metavar="NAMES",
    help="Questions that the paper left open: density, lossy, foreign, budgets, adversary, rivals, "
    "separated by commas; all; none.",
)
@_hashes_option("descriptor")
@shared.seed_option
@_out_option("the report, the released files")
@shared.limits_option()
@shared.device_option
@shared.json_option
def bench(photos: tuple[str, ...], **options: Any) -> int:
    """Measure how well edited copies are found, untouched and activated, and write a report.

    \b
    homing bench photos/ --background others/
    homing bench photos/ --background others/ --index IVF256,PQ8x8 --pictures 200 --out report/

    PHOTOS are activated, and edited as in the paper. The copies are searched for among PHOTOS, the
    background and crops of the background, through each index and exactly. Needs the extra bench:
    pip install '.[bench]' in homing's folder
    """
    from homing.bench.extra import require_extra

    require_extra()
    from homing.activation import find_method
    from homing.bench.report.outcome_tables import notes_of, tables_of
    from homing.bench.run import run_retrieval

    outcome = run_retrieval(
        _data(photos, options["background"], options["layout"]),
        shared.load_network(options["descriptor"], options["device"]),
        options["out"],
        progress,
        methods=[find_method(name.strip()) for name in options["methods"].split(",")],
        settings=_settings(options),
        limits=shared.limits_of(options),
    )
    return _finish(
        outcome.failures,
        options["out"],
        outcome.lines() if options["as_json"] else None,
        lambda: show_tables(notes_of(outcome), tables_of(outcome)),
    )


bench.parts = {"descriptors": descriptors}


def _data(photos: tuple[str, ...], background: tuple[str, ...], layout: str | None) -> "DataSet":
    """Find the pictures."""
    from homing.bench.dataset.layouts import DataSet, read_layout
    from homing.images.find import check_present, find_pictures

    check_present([*photos, *background])
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

    changed = {
        "format": None if options["format"] == "own" else options["format"],
        "questions": find_questions(options["questions"]),
    }
    every = {**options, **changed}
    return Settings(**{field.name: every[field.name] for field in fields(Settings)})


def _finish(
    failures: Mapping[str, str],
    out: Path,
    lines: Iterable[Mapping[str, Any]] | None,
    show: Callable[[], None],
) -> int:
    """Report failures, print the results, and return the exit status."""
    for name, reason in failures.items():
        say(f"failed     {printable(name)}  ({printable(reason)})")
    if lines is None:
        show()
    else:
        for line in lines:
            emit(line)
    say(f"written: {out}")
    return 1 if failures else 0
