"""``bench``: measure, on one's own pictures."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from homing import defaults
from homing.cli.console import (
    count,
    device_option,
    emit,
    json_option,
    limit_options,
    limits_of,
    load_network,
    printable,
    progress,
    say,
)
from homing.cli.tables import show_tables

if TYPE_CHECKING:
    from homing.bench.layouts import DataSet
    from homing.bench.retrieval import Settings as RetrievalSettings

__all__ = ["COMMANDS"]

_Option = Callable[[Callable[..., Any]], Callable[..., Any]]


class _WithParts(click.Command):
    """A command of which parts can be run alone: ``bench descriptors`` beside ``bench PHOTOS``.

    A group would take no pictures of its own. (A folder called like a part is ``./descriptors``.)
    """

    parts: Mapping[str, click.Command]

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Parse the arguments: of a part, if the first of them is its name."""
        part = self.parts.get(args[0]) if args else None
        if part is None:
            return super().make_context(info_name, args, parent, **extra)
        return part.make_context(f"{info_name} {args[0]}", args[1:], parent, **extra)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the parts."""
        with formatter.section("Alone"):
            formatter.write_dl(
                [
                    (f"{ctx.command_path} {name}", part.get_short_help_str(limit=70))
                    for name, part in self.parts.items()
                ]
            )


def _background_option(*, required: bool) -> _Option:
    return click.option(
        "--background",
        multiple=True,
        required=required,
        type=click.Path(),
        help="Folder of other pictures, among which copies are searched for. May be repeated.",
    )


def _draws_option(default: int) -> _Option:
    return click.option(
        "--random-draws",
        type=click.IntRange(min=1),
        default=default,
        show_default=True,
        help="Copies of each picture under the random edit.",
    )


def _hashes_option(beside: str) -> _Option:
    return click.option(
        "--hashes/--no-hashes",
        default=True,
        show_default=True,
        help=f"pHash, dHash and PDQ beside the {beside}.",
    )


def _out_option(of: str) -> _Option:
    return click.option(
        "--out",
        type=click.Path(file_okay=False, path_type=Path),
        default=Path("homing-bench"),
        show_default=True,
        help=f"Folder for {of}, and the cache that a run which was interrupted goes on from.",
    )


_base_option = click.option(
    "--base-size",
    type=count,
    default="100000",
    show_default=True,
    help="Distractors besides PHOTOS: background pictures, then random crops of them.",
)

_pictures_option = click.option(
    "--pictures", type=click.IntRange(min=1), help="Only so many of PHOTOS, drawn by the seed."
)

_seed_option = click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)


@click.command(short_help="How well descriptors tell copies, by exact search.")
@click.argument("photos", nargs=-1, required=True, type=click.Path())
@_background_option(required=True)
@click.option(
    "--descriptor",
    "names",
    multiple=True,
    default=("homing-s",),
    show_default=True,
    help="Name, or path to your own. May be repeated: one column each.",
)
@_hashes_option("descriptors")
@_base_option
@_draws_option(5)
@_pictures_option
@_seed_option
@_out_option("results.json, results.md, the observations")
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
    from homing.bench.descriptors import Settings, run_descriptors
    from homing.bench.encoders import descriptor_encoder, hash_encoders
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
    return _finish(
        report.failures,
        options["out"],
        report.lines() if options["as_json"] else None,
        lambda: show_tables(report.notes, report.tables),
    )


def _finish(
    failures: Mapping[str, str],
    out: Path,
    lines: Iterable[Mapping[str, Any]] | None,
    show: Callable[[], None],
) -> int:
    for name, reason in failures.items():
        say(f"failed     {printable(name)}  ({printable(reason)})")
    if lines is None:
        show()
    else:
        for line in lines:
            emit(line)
    say(f"written: {out}")
    return 1 if failures else 0


@click.command(cls=_WithParts, short_help="Measure how well copies are found, on your pictures.")
@click.argument("photos", nargs=-1, required=True, type=click.Path())
@_background_option(required=False)
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
    default=f"{defaults.METHOD},paper",
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
@_base_option
@_pictures_option
@_draws_option(3)
@click.option(
    "--psnr", type=float, default=42.0, show_default=True, help="Least PSNR of each file, dB."
)
@click.option(
    "--format",
    "kind",
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
@_hashes_option("descriptor")
@_seed_option
@_out_option("the report, the released files")
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
    from homing.bench.outcome_tables import notes_of, tables_of
    from homing.bench.retrieval import run_retrieval

    outcome = run_retrieval(
        _data(photos, options["background"], options["layout"]),
        load_network(options["descriptor"], options["device"]),
        options["out"],
        progress,
        methods=[find_method(name.strip()) for name in options["methods"].split(",")],
        settings=_settings(options),
        limits=limits_of(options["max_pixels"], options["max_bytes"]),
    )
    return _finish(
        outcome.failures,
        options["out"],
        outcome.lines() if options["as_json"] else None,
        lambda: show_tables(notes_of(outcome), tables_of(outcome)),
    )


def _data(photos: tuple[str, ...], background: tuple[str, ...], layout: str | None) -> "DataSet":
    """The pictures, wherever they are."""
    from homing.bench.layouts import DataSet, read_layout
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


def _settings(options: Mapping[str, Any]) -> "RetrievalSettings":
    from homing.bench.questions import find_questions
    from homing.bench.retrieval import Settings

    return Settings(
        suite=options["suite"],
        indexes=tuple(options["indexes"]),
        base_size=options["base_size"],
        random_draws=options["random_draws"],
        pictures=options["pictures"],
        psnr=options["psnr"],
        kind=None if options["kind"] == "own" else options["kind"].upper(),
        hashes=options["hashes"],
        sample=options["sample"],
        costs=options["costs"],
        questions=find_questions(options["questions"]),
        seed=options["seed"],
    )


bench.parts = {"descriptors": descriptors}

COMMANDS = {"bench": bench}
