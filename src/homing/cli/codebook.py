"""``descriptors`` and ``codebook``: what archives are made of."""

from pathlib import Path
from typing import Any

import click

from homing.cli.output import (
    archive_argument,
    device_option,
    echo,
    emit,
    json_option,
    limit_options,
    limits_of,
    load_network,
    printable,
    progress,
    say,
)
from homing.errors import UsageError


@click.command()
@json_option
def descriptors(as_json: bool) -> None:
    """List the descriptors that homing knows by name.

    \b
    homing descriptors
    """
    from dataclasses import asdict

    from homing.descriptors import registry

    for info in registry():
        if as_json:
            emit(asdict(info))
            continue
        where = "bundled" if info.bundled else "downloaded when first used"
        click.echo(f"{info.name}  ({info.dimension} dimensions, {info.licence}, {where})")
        click.echo(f"    {info.origin}")


@click.group(short_help="Train a codebook, look at one, or have an archive adopt it.")
def codebook() -> None:
    """Train a codebook, look at one, or have an archive adopt it.

    \b
    homing codebook train photos/ --factory IVF256,PQ8x8 --out codebook.safetensors
    homing codebook show codebook.safetensors
    homing codebook adopt archive codebook.safetensors
    """


@codebook.command()
@click.argument("photos", nargs=-1, required=True, type=click.Path())
@click.option("--factory", required=True, help="For example IVF1024,PQ8x8 (Faiss's notation).")
@click.option("--out", required=True, type=click.Path(dir_okay=False), help="File to be written.")
@click.option("--descriptor", default="homing-s", show_default=True, help="Name, or path to yours.")
@click.option(
    "--per-picture",
    type=click.IntRange(min=1),
    help="Vectors from each picture: itself, then random crops and edits of it. "
    "[default: as many as the factory needs]",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Of edits and training.",
)
@limit_options
@device_option
@json_option
def train(photos: tuple[str, ...], **options: Any) -> int:
    """Train a codebook on a folder of pictures.

    A small folder is multiplied by random crops and edits of its pictures, and the command says
    so; pictures like those to be searched later serve best.

    \b
    homing codebook train photos/ --factory IVF256,PQ8x8 --out codebook.safetensors
    """
    from homing.archive import find_files
    from homing.codebook_from_pictures import train_codebook_on

    if not (folder := Path(options["out"]).absolute().parent).is_dir():
        raise UsageError(f"there is no folder {printable(str(folder))!r} to write the codebook to")
    pictures = find_files(photos)
    network = load_network(options["descriptor"], options["device"])
    with progress(len(pictures), "describing") as reach:
        trained = train_codebook_on(
            pictures,
            network,
            options["factory"],
            per_picture=options["per_picture"],
            seed=options["seed"],
            limits=limits_of(options["max_pixels"], options["max_bytes"]),
            progress=reach.to,
        )
    trained.codebook.save(options["out"])
    for failure in trained.failures:
        source, reason = printable(failure.source), printable(failure.reason)
        click.echo(f"failed     {source}  ({reason})", err=True)
    say(f"trained on {trained.note}")
    _describe(trained.codebook, options["as_json"])
    return 1 if trained.failures else 0


@codebook.command(short_help="Show what a codebook is.")
@click.argument("source", metavar="FILE|FACTORY|ARCHIVE")
@json_option
def show(source: str, as_json: bool) -> None:
    """Show what a codebook is: a file, or the factory string of a bundled one.

    \b
    homing codebook show IVF1024,PQ8x8
    homing codebook show archive

    Of an archive: its codebook's generations, in the order adopted. New pictures get the last one.
    """
    from homing.codebooks import bundled_codebooks, load_codebook

    if Path(source).is_dir() or "://" in source:
        _list_generations(source, as_json)
        return
    names = {info.factory: info.name for info in bundled_codebooks()}
    _describe(load_codebook(names.get(source, source)), as_json)


def _list_generations(archive: str, as_json: bool) -> None:
    from homing.archive import open_archive

    for each in open_archive(archive).generations:
        if as_json:
            emit(each.as_dict())
        else:
            echo(f"generation {each.number}  {each.codebook}  {each.fingerprint}")


def _describe(shown: Any, as_json: bool) -> None:
    values = {
        "factory": str(shown.factory),
        "dimension": shown.dimension,
        "cells": shown.cell_count,
        "code_bytes": shown.code_size,
        "descriptor": shown.descriptor_name,
        "descriptor_fingerprint": shown.descriptor,
        "fingerprint": shown.fingerprint,
    }
    if as_json:
        emit(values)
        return
    for key, value in values.items():
        click.echo(f"{key.replace('_', ' '):22}  {'-' if value is None else value}")


@codebook.command(short_help="Make a codebook an archive's newest generation.")
@archive_argument
@click.argument("source", metavar="FILE|FACTORY")
@json_option
def adopt(archive: str, source: str, as_json: bool) -> None:
    """Make a codebook the newest generation of an archive: new pictures get its cells and codes.

    \b
    homing codebook adopt archive codebook.safetensors
    homing codebook adopt archive IVF4096,PQ8x8

    Entries keep the codebook that they have, and a search asks all generations. There is no way
    back: what is released for a codebook cannot be called back. Running it again changes nothing.
    """
    from homing.archive import open_archive

    opened = open_archive(archive)
    newest = opened.adopt(source)
    if as_json:
        emit({"archive": archive} | newest.as_dict())
        return
    echo(
        f"{printable(archive)}: new pictures get {newest.codebook}, generation {newest.number} "
        f"of its codebook ({newest.fingerprint[:12]}…)"
    )


COMMANDS = {"descriptors": descriptors, "codebook": codebook}
