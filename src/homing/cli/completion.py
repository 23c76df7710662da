"""``completion``, and the values that the shell completes.

They come quickly, without torch, and in silence where something fails.
"""

import os
import shlex
from contextlib import suppress
from pathlib import Path

import click
from click.shell_completion import CompletionItem, get_completion_class

from homing.cli.output import echo, say
from homing.errors import UsageError
from homing.files.durable import make_folder, replace_durably

_VARIABLE = "_HOMING_COMPLETE"
_MOST = 60  # ids offered at once
_OF_SHELLS = set(" \"#$&'()*;<>?[\\]^`{|}~!")


@click.command(short_help="Complete commands, options and ids by the Tab key.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.option("--install", is_flag=True, help="Write it to where the shell looks for it.")
@click.pass_context
def completion(context: click.Context, shell: str, install: bool) -> None:
    """Print what makes a shell complete homing's commands, or install it.

    \b
    homing completion bash --install
    source <(homing completion bash)

    Commands, options, folders, names of codebooks and, of archives on this machine, ids are
    completed.
    """
    made = get_completion_class(shell)
    assert made is not None  # click has these three
    text = made(context.find_root().command, {}, "homing", _VARIABLE).source()
    if not install:
        echo(text)
        return
    place, then = _place(shell)
    _write(place, text)
    say(f"written to {place}; {then}")


def _place(shell: str) -> tuple[Path, str]:
    """Return where a shell looks for completions, and what is left to do."""
    home = Path.home()
    if shell == "fish":
        folder = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
        return folder / "fish" / "completions" / "homing.fish", "open a new shell"
    if shell == "bash":
        folder = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
        place = folder / "bash-completion" / "completions" / "homing"
        without = f"source {shlex.quote(str(place))}"
        return place, f"open a new shell (without bash-completion, add to ~/.bashrc: {without})"
    folder = Path(os.environ.get("ZDOTDIR") or home) / ".zfunc"
    added = f"fpath+=({shlex.quote(str(folder))}); autoload -Uz compinit && compinit"
    return folder / "_homing", f"if it is not there yet, add to ~/.zshrc: {added}"


def _write(place: Path, text: str) -> None:
    """Write a script; another one that is not homing's stays."""
    if place.exists() and _VARIABLE not in place.read_text(encoding="utf-8", errors="replace"):
        raise UsageError(f"{place} exists and is not homing's; move it away")
    make_folder(place.parent)
    replace_durably(place, text.encode())


def complete_folders(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Let the shell complete a folder."""
    del context, parameter
    return [CompletionItem(incomplete, type="dir")]


def complete_codebooks(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete a codebook that ships with homing; otherwise the shell completes a file."""
    del context, parameter
    data = Path(__file__).parents[1] / "codebooks" / "data"  # read without Faiss
    names = ["auto", *sorted(file.stem for file in data.glob("*.safetensors"))]
    found = [CompletionItem(name) for name in names if name.startswith(incomplete)]
    return found or [CompletionItem(incomplete, type="file")]


def complete_ids(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete an id of the archive that is named before it, if that is on this machine."""
    del parameter
    archive = context.params.get("archive")
    if not archive or "://" in archive:
        return []
    with suppress(Exception):  # there is nobody to tell
        from homing.archive.open import open_archive

        page = open_archive(Path(archive).expanduser()).page(prefix=incomplete, limit=_MOST)
        return [CompletionItem(row.id) for row in page if _is_plain(row.id)]
    return []


def _is_plain(id: str) -> bool:  # noqa: A002 - the column's name
    """Return whether a shell takes an id for nothing else: bash puts it on the line as it is."""
    return id.isprintable() and not set(id) & _OF_SHELLS and not id.startswith("-")
