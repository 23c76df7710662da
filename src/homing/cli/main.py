"""The ``homing`` command: its group, its errors and its exit statuses."""

import difflib
import importlib
import os
import re
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from types import TracebackType
from typing import Any, TypeVar

import click

from homing._version import __version__
from homing.cli.output import show_log, silence_broken, try_to_say
from homing.cli.process import (
    Terminated,
    die_at_next_interruption,
    memory_reason,
    missing_library_reason,
    prepare_streams,
    share_processors,
    terminable,
)
from homing.errors import HomingError, UsageError
from homing.workers.memory import keep_freed_memory

_GROUPS = {
    "Pictures": {
        "release": "release add activate",
        "watch": "watch",
        "search": "search explain duplicates cells",
        "kinds": "kinds",
    },
    "Archive": {
        "archive": "init stats verify repair compact previews index calibrate",
        "entries": "list show annotate remove export import versions",
        "decisions": "decide decisions undecide",
    },
    "Measure": {"demo": "demo", "bench": "bench", "codebook": "descriptors codebook"},
    "Serve": {"serve": "serve keys"},
    "Shell": {"completion": "completion"},
}
"""Commands by group of the help and by module, which is imported when a command is needed."""

_COMMANDS = {
    command: f"homing.cli.{module}"
    for modules in _GROUPS.values()
    for module, commands in modules.items()
    for command in commands.split()
}

_T = TypeVar("_T")

_INTERRUPTED, _BY_SIGNAL = 130, 128  # and the signal's number, as shells say it
_FAILED = 2


class _LazyGroup(click.Group):
    """A group that imports a command's module only when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names of all commands, group by group."""
        return list(_COMMANDS)

    def get_command(
        self,
        ctx: click.Context,
        cmd_name: str,
    ) -> click.Command | None:
        """Import and return a command: the function of its name, or with ``_`` if Python has it."""
        if cmd_name not in _COMMANDS:
            near = difflib.get_close_matches(cmd_name, _COMMANDS, n=2)
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            ctx.fail(f"There is no command {cmd_name!r}.{hint}")
        functions = vars(importlib.import_module(_COMMANDS[cmd_name]))
        command: click.Command = functions.get(cmd_name) or functions[f"{cmd_name}_"]
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands under the headings of their groups."""
        width = max(map(len, _COMMANDS))
        for heading, modules in _GROUPS.items():
            with formatter.section(heading):
                rows = []
                for name in " ".join(modules.values()).split():
                    command = self.get_command(ctx, name)
                    assert command is not None
                    text = command.get_short_help_str(formatter.width - width - 6)
                    rows.append((name.ljust(width), text))
                formatter.write_dl(rows)

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        """Parse the command line, which may print the help."""
        return _end_when_unread(lambda: super(_LazyGroup, self).make_context(*arguments, **options))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, with memory settings that its help does not need."""
        keep_freed_memory()
        return _end_when_unread(lambda: super(_LazyGroup, self).invoke(ctx))


def _end_when_unread(action: Callable[[], _T]) -> _T:
    """Do something; end with status 0 if the reader of the output has gone.

    Click would otherwise exit with status 1.
    """
    try:
        return action()
    except BrokenPipeError:
        silence_broken()
        raise click.exceptions.Exit(0) from None


@click.group(
    cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "show_default": True}
)
@click.version_option(__version__, prog_name="homing")
@click.option(
    "-v", "--verbose", count=True, help="Say what is done, on standard error; twice: in detail."
)
def cli(verbose: int) -> None:
    """Release pictures so that edited copies of them are found again.

    homing changes a picture a little before it is published: nobody sees it, and cropped, mirrored
    or re-compressed copies are found again. Try it with 'homing demo'.

    \b
    homing init archive
    homing release archive photos/ --out released/
    homing search archive suspect.jpg

    The archive is the record of your pictures; each is an entry. It is divided into cells, so that
    a search looks into a few of them. A codebook is that division.

    Results go to standard output, all else to standard error. Exit status: 0 success, 1 some
    inputs failed (each is named, with the reason), 2 wrong use, 130 interrupted.
    """
    show_log(verbose)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave the process with its exit status."""
    prepare_streams()
    os.environ.setdefault("LANCE_LOG", "error")  # Lance warns of what it retries
    share_processors()
    if not os.environ.get("HOMING_DEBUG"):
        sys.excepthook = _print_in_short
    with terminable():
        sys.exit(_run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    try:
        _refuse_half_codebooks(sys.argv[1:] if arguments is None else arguments)
        status = cli.main(arguments, prog_name="homing", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt) as error:
        return _stop(error)
    except BrokenPipeError:
        silence_broken()
        return 0
    except (HomingError, OSError) as error:  # OSError: a full disk, a file that cannot be written
        if os.environ.get("HOMING_DEBUG"):
            raise
        click.echo(f"homing: {error}", err=True)
        return error.exit_code if isinstance(error, HomingError) else _FAILED
    except (MemoryError, ImportError) as error:
        reason = memory_reason(error) or missing_library_reason(error)
        if reason is None or os.environ.get("HOMING_DEBUG"):
            raise
        click.echo(f"homing: {reason}", err=True)
        return _FAILED
    return status if isinstance(status, int) else 0


_HALF_CODEBOOK = re.compile(r"(train:)?(IVF|OPQ|PQ|PCA)[\d_a-z]*,", re.IGNORECASE)


def _refuse_half_codebooks(arguments: Sequence[str]) -> None:
    """Refuse a factory string that a blank has cut into several arguments."""
    for first, second in pairwise(arguments):
        if _HALF_CODEBOOK.fullmatch(first) and not second.startswith("-"):
            raise UsageError(
                f"a blank cuts the codebook '{first} {second}' in two: write {first}{second}"
            )


def _stop(error: BaseException) -> int:
    die_at_next_interruption()
    ended = next((e for e in (error, error.__cause__) if isinstance(e, Terminated)), None)
    how = "interrupted" if ended is None else "terminated"
    try_to_say(f"homing: {how}; run the same command again to go on")
    return _INTERRUPTED if ended is None else _BY_SIGNAL + int(ended.args[0])


def _print_in_short(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Print an internal error without its traceback."""
    del trace
    if issubclass(kind, KeyboardInterrupt):  # a second one, while the first was being reported
        os._exit(_INTERRUPTED)
    click.echo(
        f"homing: internal error, {kind.__name__}: {error}\n"
        "Please report it with the output of the same command under HOMING_DEBUG=1.",
        err=True,
    )
