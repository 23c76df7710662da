"""Commands of which parts can be run alone."""

from collections.abc import Mapping
from typing import Any

import click


class WithParts(click.Command):
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
