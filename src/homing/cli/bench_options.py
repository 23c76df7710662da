"""What ``bench`` and its parts share: options, and the end of a run."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from homing.cli.output import count, emit, printable, say

Option = Callable[[Callable[..., Any]], Callable[..., Any]]


def background_option(*, required: bool) -> Option:
    """Where the other pictures are."""
    return click.option(
        "--background",
        multiple=True,
        required=required,
        type=click.Path(),
        help="Folder of other pictures, among which copies are searched for. May be repeated.",
    )


def draws_option(default: int) -> Option:
    """How many random copies there are."""
    return click.option(
        "--random-draws",
        type=click.IntRange(min=1),
        default=default,
        show_default=True,
        help="Copies of each picture under the random edit.",
    )


def hashes_option(beside: str) -> Option:
    """Whether hashes stand beside what is named."""
    return click.option(
        "--hashes/--no-hashes",
        default=True,
        show_default=True,
        help=f"pHash, dHash and PDQ beside the {beside}.",
    )


def out_option(of: str) -> Option:
    """Where the report and the cache go."""
    return click.option(
        "--out",
        type=click.Path(file_okay=False, path_type=Path),
        default=Path("homing-bench"),
        show_default=True,
        help=f"Folder for {of}, and the cache that a run which was interrupted goes on from.",
    )


base_option = click.option(
    "--base-size",
    type=count,
    default="100000",
    show_default=True,
    help="Distractors besides PHOTOS: background pictures, then random crops of them.",
)

pictures_option = click.option(
    "--pictures", type=click.IntRange(min=1), help="Only so many of PHOTOS, drawn by the seed."
)

seed_option = click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)


def finish(
    failures: Mapping[str, str],
    out: Path,
    lines: Iterable[Mapping[str, Any]] | None,
    show: Callable[[], None],
) -> int:
    """Say what failed, show or emit what was found; return the exit status."""
    for name, reason in failures.items():
        say(f"failed     {printable(name)}  ({printable(reason)})")
    if lines is None:
        show()
    else:
        for line in lines:
            emit(line)
    say(f"written: {out}")
    return 1 if failures else 0
