"""``decide``, ``decisions``, ``undecide``: what people decided about pictures and entries."""

from typing import TYPE_CHECKING, Any

import click

from homing.cli import options as shared
from homing.cli.output import print_result, printable, say
from homing.errors import EntryNotFoundError

if TYPE_CHECKING:
    from homing.archive.decisions.kept import KeptDecision

_by_option = click.option("--by", metavar="NAME", help="Who decides.  [default: the login name]")


@click.command(short_help="Decide whether a picture is a copy of an entry.")
@shared.archive_argument
@click.argument("query", type=click.Path())
@click.argument("id")
@click.argument("verdict", type=click.Choice(["copy", "not"]))
@_by_option
@shared.limits_option()
@shared.device_option
@shared.json_option
def decide(archive: str, query: str, id: str, verdict: str, **options: Any) -> None:  # noqa: A002
    """Decide whether a picture is a copy of an entry; later searches take it from there.

    \b
    homing decide archive suspect.jpg holidays/beach.jpg copy
    homing decide archive page.png scans/page7.png not --by Ada

    The decision stands wherever a search for that file, or for a nearly identical one, finds the
    entry. A small picture of the query is kept with it.
    """
    opened = shared.open_archive(archive, device=options["device"])
    by, limits = options["by"], shared.limits_of(options)
    _print(opened.decide(query, id, verdict, by=by, limits=limits), options["as_json"])


@click.command(short_help="List the decisions.")
@shared.archive_argument
@click.option("--id", metavar="ID", help="Only those on this entry.")
@shared.json_option
def decisions(archive: str, id: str | None, as_json: bool) -> None:  # noqa: A002
    """List the decisions in their order, without those undone.

    \b
    homing decisions archive
    homing decisions archive --id holidays/beach.jpg --json

    A decision no longer counts if its entry was removed or replaced.
    """
    for each in shared.open_archive(archive).decisions(id):
        _print(each, as_json)


@click.command(short_help="Undo decisions.")
@shared.archive_argument
@click.argument("numbers", nargs=-1, required=True, type=click.IntRange(min=1))
@_by_option
@shared.json_option
def undecide(archive: str, numbers: tuple[int, ...], by: str | None, as_json: bool) -> int:
    """Undo decisions, by the numbers that 'homing decisions' lists.

    \b
    homing undecide archive 12
    """
    opened = shared.open_archive(archive)
    status = 0
    for number in numbers:
        try:
            undone = opened.undo_decision(number, by=by)
        except EntryNotFoundError as error:
            status = error.exit_code
            say(f"homing: {error}")
            continue
        values = undone.as_dict() | {"status": "undone"}
        print_result(values, f"undone  {_line(undone)}", as_json=as_json)
    return status


def _print(decision: "KeptDecision", as_json: bool) -> None:
    print_result(decision.as_dict(), _line(decision), as_json=as_json)


def _line(decision: "KeptDecision") -> str:
    verdict = "is a copy of" if decision.copy else "is no copy of"
    when = f"{decision.at:%Y-%m-%d %H:%M} UTC"
    line = f"{decision.number:4}  {decision.query} {verdict} {decision.id}  ({decision.by}, {when})"
    return printable(line) + ("" if decision.in_force else "  not in force: the entry is gone")
