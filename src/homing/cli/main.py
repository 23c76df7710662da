"""The ``homing`` command: its group, its errors and its exit statuses."""

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, TypeVar

import click

from homing._version import __version__
from homing.cli.output import silence_broken
from homing.cli.process import (
    Terminated,
    die_at_next_interruption,
    prepare_streams,
    share_processors,
    terminable,
)
from homing.errors import HomingError
from homing.workers.memory import keep_freed_memory

#: Where each command lives; its module is imported when the command is used or listed.
_COMMANDS = {
    "init": "homing.cli.release",
    "release": "homing.cli.release",
    "add": "homing.cli.release",
    "search": "homing.cli.search",
    "explain": "homing.cli.search",
    "list": "homing.cli.entries",
    "show": "homing.cli.entries",
    "remove": "homing.cli.entries",
    "stats": "homing.cli.archive",
    "verify": "homing.cli.archive",
    "compact": "homing.cli.archive",
    "index": "homing.cli.growing",
    "export": "homing.cli.growing",
    "import": "homing.cli.growing",
    "versions": "homing.cli.growing",
    "calibrate": "homing.cli.archive",
    "duplicates": "homing.cli.archive",
    "activate": "homing.cli.release",
    "descriptors": "homing.cli.codebook",
    "codebook": "homing.cli.codebook",
    "demo": "homing.cli.demo",
    "bench": "homing.cli.bench",
    "serve": "homing.cli.serve",
    "keys": "homing.cli.serve",
}

_T = TypeVar("_T")

_INTERRUPTED, _TERMINATED = 130, 143  # 128 and the signal's number, as shells say it
_FAILED = 2


class _LazyGroup(click.Group):
    """A group that imports a command's module only when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names in the order of the table above, which is that of use."""
        return list(_COMMANDS)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        cmd_name: str,
    ) -> click.Command | None:
        """Import and return a command."""
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(_COMMANDS[cmd_name])
        command: click.Command = module.COMMANDS[cmd_name]
        return command

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        """Parse the command line, which may print the help."""
        return _unheard(lambda: super(_LazyGroup, self).make_context(*arguments, **options))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        return _unheard(lambda: super(_LazyGroup, self).invoke(ctx))


def _unheard(action: Callable[[], _T]) -> _T:
    """Do something; where nobody reads its output any more, it ends, and all is well.

    It is caught here because click itself makes an exit status of 1 of it.
    """
    try:
        return action()
    except BrokenPipeError:
        silence_broken()
        raise click.exceptions.Exit(0) from None


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="homing")
def cli() -> None:
    """Release pictures so that edited copies of them are found again.

    \b
    homing init archive
    homing release archive photos/ --out released/
    homing search archive suspect.jpg

    Results go to standard output, everything else to standard error. Exit status: 0 all well,
    1 some inputs failed (each named with its reason), 2 wrong use, 130 interrupted.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave the process with its exit status."""
    prepare_streams()
    os.environ.setdefault("LANCE_LOG", "error")  # its warnings are of what is tried again
    keep_freed_memory()
    share_processors()
    if not os.environ.get("HOMING_DEBUG"):
        sys.excepthook = _one_line
    with terminable():
        sys.exit(_run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    try:
        status = cli.main(arguments, prog_name="homing", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt) as error:
        return _stopped(error)
    except HomingError as error:
        if os.environ.get("HOMING_DEBUG"):
            raise
        click.echo(f"homing: {error}", err=True)
        return error.exit_code
    except BrokenPipeError:
        silence_broken()
        return 0
    except OSError as error:  # a full disk, a file that cannot be written
        if os.environ.get("HOMING_DEBUG"):
            raise
        click.echo(f"homing: {error}", err=True)
        return _FAILED
    return status if isinstance(status, int) else 0


def _stopped(error: BaseException) -> int:
    die_at_next_interruption()
    terminated = isinstance(error, Terminated) or isinstance(error.__cause__, Terminated)
    how = "terminated" if terminated else "interrupted"
    click.echo(f"homing: {how}; run the same command again to go on", err=True)
    return _TERMINATED if terminated else _INTERRUPTED


def _one_line(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Show an error of ours without its traceback."""
    del trace
    if issubclass(kind, KeyboardInterrupt):  # once more, while the first was being told
        os._exit(_INTERRUPTED)
    click.echo(
        f"homing: internal error, {kind.__name__}: {error}\n"
        "Please report it with the output of the same command under HOMING_DEBUG=1.",
        err=True,
    )
