"""``descriptors`` and ``codebook``: the parts that archives are made of."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from homing.cli import options as shared
from homing.cli.output import (
    echo,
    emit,
    print_result,
    print_values,
    printable,
    progress,
    say,
    warnings_as_lines,
)
from homing.errors import UsageError

if TYPE_CHECKING:
    from homing.codebooks import Codebook, FaissCodebook


@click.command()
@shared.json_option
def descriptors(as_json: bool) -> None:
    """List the descriptors that homing knows by name.

    \b
    homing descriptors
    """
    from homing.descriptors import registry

    for info in registry():
        if as_json:
            emit(asdict(info))
            continue
        where = "bundled" if info.bundled else "downloaded when first used"
        echo(f"{info.name}  ({info.dimension} dimensions, {info.licence}, {where})")
        echo(f"    {info.origin}")


@click.group(short_help="Train, import, show or adopt a codebook.")
def codebook() -> None:
    """Train a codebook, import that of a Faiss index, show one, or let an archive adopt one.

    \b
    homing codebook train photos/ --factory IVF256,PQ8x8 --out codebook.safetensors
    homing codebook import index.faiss --out codebook.safetensors
    homing codebook show codebook.safetensors
    homing codebook adopt archive codebook.safetensors
    """


@codebook.command()
@shared.photos_argument
@click.option(
    "--factory",
    required=True,
    help="Its form, in Faiss's notation: IVF1024,PQ8x8 has 1024 cells and codes of 8 bytes.",
)
@click.option("--out", required=True, type=click.Path(dir_okay=False), help="File to write.")
@shared.descriptor_option
@click.option(
    "--per-picture",
    type=click.IntRange(min=1),
    help="Vectors of each picture: its own, then those of random crops and edits. "
    "[default: as many as are needed]",
)
@shared.seed_option
@shared.limits_option()
@shared.device_option
@shared.json_option
def train(photos: tuple[str, ...], **options: Any) -> int:
    """Train a codebook on a folder of pictures.

    Take pictures like those that the archive will hold. If there are too few, random crops and
    edits of them are added, and the command says so.

    \b
    homing codebook train photos/ --factory IVF256,PQ8x8 --out codebook.safetensors
    """
    from homing.archive import find_files
    from homing.codebook_from_pictures import train_codebook_on

    if not (folder := Path(options["out"]).absolute().parent).is_dir():
        raise UsageError(f"there is no folder {printable(str(folder))!r} to write the codebook to")
    pictures = find_files(photos)
    network = shared.load_network(options["descriptor"], options["device"])
    with progress(len(pictures), "describing") as bar:
        trained = train_codebook_on(
            pictures,
            network,
            options["factory"],
            per_picture=options["per_picture"],
            seed=options["seed"],
            limits=shared.limits_of(options),
            progress=bar.show,
        )
    trained.codebook.save(options["out"])
    for failure in trained.failures:
        say(f"failed     {printable(failure.source)}  ({printable(failure.reason)})")
    say(f"trained on {trained.note}")
    _describe(trained.codebook, as_json=options["as_json"])
    return 1 if trained.failures else 0


@codebook.command("import", short_help="Make a codebook of a Faiss index.")
@click.argument("index", type=click.Path(dir_okay=False))
@shared.descriptor_option
@click.option(
    "--out",
    type=click.Path(dir_okay=False),
    help="File to write.  [default: INDEX with the ending .safetensors]",
)
@shared.json_option
def import_(index: str, descriptor: str, out: str | None, as_json: bool) -> None:
    """Make a codebook of a trained Faiss index, whose vectors are a descriptor's.

    \b
    homing codebook import index.faiss
    homing codebook import index.faiss --descriptor mine/ --out cells.safetensors
    homing activate photos/ --codebook cells.safetensors --out released/

    Pictures activated for the codebook are found again in that index, whose entries are not read.
    Of most kinds of index homing reads the cells alone: enough to activate pictures, but not to
    make an archive.
    """
    from homing.codebooks import load_codebook

    network = shared.load_network(descriptor)
    with warnings_as_lines():
        found = load_codebook(Path(index))
    found.check_descriptor(network.name, network.fingerprint, network.dimension)
    bound = replace(found, descriptor=network.fingerprint, descriptor_name=network.name)
    bound.save(out or Path(index).with_suffix(".safetensors"))
    _describe(bound, as_json=as_json)


@codebook.command(short_help="Show the properties of a codebook.")
@click.argument("source", metavar="FILE|FACTORY|ARCHIVE")
@shared.json_option
def show(source: str, as_json: bool) -> None:
    """Show the properties of a codebook: a file, or a bundled one by its factory string.

    \b
    homing codebook show IVF1024,PQ8x8
    homing codebook show archive

    An archive's codebooks are listed in the order adopted; new pictures get the last one.
    """
    from homing.codebooks import load_codebook

    if Path(source).is_dir() or "://" in source:
        for each in shared.open_archive(source).generations:
            line = f"generation {each.number}  {each.codebook}  {each.fingerprint}"
            print_result(each.as_dict(), line, as_json=as_json)
        return
    with warnings_as_lines():
        found = load_codebook(source)
    _describe(found, as_json=as_json)


def _describe(shown: "Codebook | FaissCodebook", *, as_json: bool) -> None:
    cells_only = getattr(shown, "reason", None)
    values = {
        "factory": shown.form,
        "dimension": shown.dimension,
        "cells": shown.cell_count,
        "code_bytes": getattr(shown, "code_size", None),
        "cells_only": cells_only,
        "descriptor": shown.descriptor_name,
        "descriptor_fingerprint": shown.descriptor,
        "fingerprint": shown.fingerprint,
    }
    print_values(values, as_json=as_json)


@codebook.command(short_help="Make a codebook an archive's newest generation.")
@shared.archive_argument
@click.argument("source", metavar="FILE|FACTORY")
@shared.json_option
def adopt(archive: str, source: str, as_json: bool) -> None:
    """Make a codebook an archive's newest generation: new pictures get its cells and codes.

    \b
    homing codebook adopt archive codebook.safetensors
    homing codebook adopt archive IVF4096,PQ8x8

    Earlier entries keep their codebook, and a search covers all of them. This cannot be undone,
    because released pictures cannot be called back.
    """
    with warnings_as_lines():
        newest = shared.open_archive(archive).adopt(source)
    line = (
        f"{printable(archive)}: new pictures get {newest.codebook}, generation {newest.number} "
        f"of its codebook ({newest.fingerprint[:12]}…)"
    )
    print_result({"archive": archive} | newest.as_dict(), line, as_json=as_json)
