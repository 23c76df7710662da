"""Reference of the command line, made from its click commands."""

import inspect
import re
from collections.abc import Iterator

import click

from homing.cli.main import cli

_PROGRAM = "homing"


def as_markdown() -> str:
    """Return a section for each command, with its help and its options."""
    context = click.Context(cli, info_name=_PROGRAM, **cli.context_settings)
    return "\n".join(
        part for name in cli.list_commands(context) for part in _sections(name, context)
    )


def _sections(name: str, parent: click.Context) -> Iterator[str]:
    assert isinstance(parent.command, click.Group)
    command = parent.command.get_command(parent, name)
    assert command is not None
    context = click.Context(command, info_name=name, parent=parent)
    level = "###" if parent.parent else "##"
    yield f"{level} {context.command_path}\n"
    yield f"```text\n{_usage(context)}\n```\n"
    yield _help(command)
    yield _options(command, context)
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            yield from _sections(each, context)


def _usage(context: click.Context) -> str:
    pieces = context.command.collect_usage_pieces(context)
    return " ".join((context.command_path, *pieces))


def _help(command: click.Command) -> str:
    """Return the help as Markdown: paragraphs that click does not wrap hold commands."""
    paragraphs = inspect.cleandoc(command.help or "").replace("\f", "").split("\n\n")
    parts = []
    for paragraph in paragraphs:
        if paragraph.startswith("\b"):
            parts.append(f"```sh\n{paragraph.removeprefix(chr(8)).strip()}\n```")
        else:
            parts.append(_text(" ".join(paragraph.split())))
    return "\n\n".join(parts) + "\n"


def _options(command: click.Command, context: click.Context) -> str:
    rows = []
    for option in command.get_params(context):
        record = None if isinstance(option, click.Argument) else option.get_help_record(context)
        if record is not None and "--help" not in record[0]:
            names, text = record
            rows.append(f"| `{_cell(names)}` | {_cell(_text(text))} |")
    table = "\n".join(["| option | |", "|---|---|", *rows])
    return f"{table}\n" if rows else ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _text(text: str) -> str:
    """Return text in which no character means anything to Markdown."""
    return re.sub(r"([>*_`\[\]])", r"\\\1", text).replace("<", "&lt;")
