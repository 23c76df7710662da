"""``kinds``: which files are read, and which are released."""

from dataclasses import asdict, dataclass

import click

from homing.cli import options as shared
from homing.cli.output import echo, emit
from homing.images.kinds import KINDS, OTHER_SUFFIXES, UNREAD, title


@dataclass(frozen=True)
class Row:
    """The treatment of a kind of file."""

    kind: str
    suffixes: tuple[str, ...]
    read: str  # by `add` and `search`
    released: str
    refused: str  # by `release`


_EXPORT = "all: convert it to PNG, or export it as JPEG, first"
#: Kind: what is read, what is released, what is not.
_READ = {
    "JPEG": (
        "yes; of several pictures in one file (MPO) the first",
        "in its own coefficients: its tables, sampling and scans, with its companions",
        "12 bits, lossless coding, a height at the end (DNL)",
    ),
    "PNG": (
        "yes; of an animation the first frame",
        "as it is; a palette as RGB or RGBA",
        "animations, grey of 1 bit",
    ),
    "WEBP": (
        "yes; of an animation the first frame",
        "as it is; without loss where lossy coding leaves no room",
        "animations",
    ),
    "TIFF": (
        "yes; of several pages the first; BigTIFF, real and signed samples",
        "8 and 16 bits, grey, RGB or palette, deflated",
        "several pages, CMYK, LAB, real and signed samples, 32 bits, BigTIFF",
    ),
    "AVIF": (
        "yes; of an animation the first frame",
        "8, 10 and 12 bits; without loss where lossy coding leaves no room, and grey",
        "animations, premultiplied alpha, a part of a picture (clap)",
    ),
    "JXL": (
        "yes; of an animation the first frame",
        "8 to 16 bits; without loss where lossy coding leaves no room, and beyond sRGB of 8 bits",
        "animations, ICC profiles that are no known space, real samples, inks",
    ),
    "HEIC": ("by the extra heic", "", _EXPORT),
    "GIF": ("yes; the first frame", "", _EXPORT),
    "BMP": ("yes", "", _EXPORT),
    "JPEG2000": ("yes", "", _EXPORT),
}


def rows() -> tuple[Row, ...]:
    """Return the kinds that are read, then those that are only named."""
    suffixes = {**KINDS, **OTHER_SUFFIXES}
    read = (
        Row(title(kind), tuple(s for s, promised in suffixes.items() if promised == kind), *says)
        for kind, says in _READ.items()
    )
    named = (Row(each.name, each.suffixes, "no", "", each.remedy) for each in UNREAD)
    return (*read, *named)


def as_markdown() -> str:
    """Return the kinds that are read as a Markdown table."""
    lines = ["| kind | `add`, `search` | `release` | refused by `release` |", "|---|---|---|---|"]
    lines += [
        f"| {row.kind} ({' '.join(row.suffixes)}) | {row.read} | {row.released or 'no'} "
        f"| {row.refused} |"
        for row in rows()
        if row.read != "no"
    ]
    return "\n".join(lines)


@click.command()
@shared.json_option
def kinds(as_json: bool) -> None:
    """List the kinds of file that are read, released or refused.

    \b
    homing kinds

    Files are known by their first bytes, whatever they are called. In folders those of other kinds
    are passed over, and the report names them.
    """
    for row in rows():
        if as_json:
            emit(asdict(row))
            continue
        echo(f"{row.kind}  ({' '.join(row.suffixes)})")
        if row.read == "no":
            echo(f"    not read: {row.refused}")
            continue
        echo(f"    add, search: {row.read}")
        echo(f"    release: {row.released or 'no'}")
        echo(f"    refused by release: {row.refused}")
