"""``watch``: a hot folder."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import click

from homing.cli import options as shared
from homing.cli.completion import complete_folders
from homing.cli.output import outcome_line, print_result, printable, say, try_to_say
from homing.cli.process import Terminated

_folder = click.Path(file_okay=False, path_type=Path)


@click.command(short_help="Release what arrives in a folder.")
@click.argument("folder", type=_folder, metavar="IN")
@click.option(
    "--archive",
    required=True,
    shell_complete=complete_folders,
    help="The archive that records the pictures.",
)
@shared.out_option
@click.option(
    "--done", type=_folder, help="Where released pictures are moved to.  [default: IN-done]"
)
@click.option(
    "--failed",
    type=_folder,
    help="Where others are moved to, each with the reason in a text file.  [default: IN-failed]",
)
@click.option(
    "--settle",
    type=click.FloatRange(min=0),
    default=5.0,
    metavar="SECONDS",
    help="How long a file must stay unchanged before it is taken.",
)
@click.option(
    "--interval",
    type=click.FloatRange(min=0, min_open=True),
    default=2.0,
    metavar="SECONDS",
    help="How long to wait between two looks at the folder.",
)
@click.option("--once", is_flag=True, help="Take what is complete and end: for cron.")
@shared.activation_options
@shared.c2pa_options
@shared.sync_option
@shared.limits_option()
@shared.device_option
@shared.json_option
def watch(folder: Path, **options: Any) -> int:
    """Release pictures as they arrive in a folder, and move them aside.

    \b
    homing watch incoming/ --archive archive --out released/
    homing watch incoming/ --archive archive --out released/ --done kept/ --failed refused/
    homing watch incoming/ --archive archive --out released/ --once --json

    A file is taken once it is complete: unchanged for the time to settle, without a name that
    rsync, FTP clients and browsers give to unfinished ones. Subfolders are kept. If a.jpg.json is
    there when a.jpg is complete, it has metadata, and perhaps an "id".

    Ctrl-C ends the command when the pictures in hand are done; a second one ends it at once. The
    same command again goes on, also after a crash: no picture is lost or released twice.
    """
    from homing.watch.watcher import Folders, Pace, Watcher

    credentials = shared.credentials_of(options)
    opened = shared.open_archive(options["archive"], device=options["device"], sync=options["sync"])
    folders = Folders.of(
        folder,
        out=Path(options["out"]),
        archive=opened.path if isinstance(opened.path, Path) else None,
        done=options["done"],
        failed=options["failed"],
    )
    activation, limits = shared.activation_of(options), shared.limits_of(options)

    def release(manifest: Path) -> Any:
        return opened.release(
            folder,
            out=folders.out,
            manifest=manifest,
            limits=limits,
            c2pa=credentials,
            **activation,
        )

    pace = Pace(options["settle"], options["interval"])
    problems = 0
    with _ended_gently() as stop:
        taken = Watcher(folders, release, pace).run(stop, once=options["once"])
        say(f"watching {printable(str(folder))}; Ctrl-C ends it")
        with closing(taken):
            for each in taken:
                failed = each.outcome.status == "failed"
                problems += failed or each.moved is None
                moved = None if each.moved is None else str(each.moved)
                line = outcome_line(each.outcome)
                line += (
                    f"  => {printable(moved)}"
                    if moved
                    else f"  (stays: {printable(str(each.problem))})"
                )
                values = {**each.outcome.as_dict(), "moved": moved, "problem": each.problem}
                print_result(values, line, as_json=options["as_json"], err=failed)
    return 1 if problems and options["once"] else 0


@contextmanager
def _ended_gently() -> Iterator[Callable[[], bool]]:
    """Give a function that says whether a signal has come; a second signal ends at once."""
    came: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        del frame
        if came:
            raise KeyboardInterrupt if number == signal.SIGINT else Terminated(number)
        came.append(number)
        try_to_say("ending when the pictures in hand are done; once more to end at once")

    numbers = [signal.SIGINT, signal.SIGTERM, *([] if sys.platform == "win32" else [signal.SIGHUP])]
    # In the background of a script, and under nohup, what is ignored stays so.
    numbers = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    before = [signal.signal(number, note) for number in numbers]
    try:
        yield lambda: bool(came)
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
