"""``demo``: see it work."""

from dataclasses import asdict
from pathlib import Path

import click

from homing.cli.output import echo, emit, json_option, progress, say


@click.command(short_help="See it work: release, edit, search, compare.")
@click.option(
    "--photos",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder of your own pictures.  [default: those that scikit-image ships]",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("homing-demo"),
    show_default=True,
    help="New folder for the page, the archives and the released files.",
)
@click.option(
    "--background",
    type=click.IntRange(min=1),
    default=2000,
    show_default=True,
    help="Generated pictures recorded besides.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Of what is generated and drawn.",
)
@json_option
def demo(photos: Path | None, out: Path, background: int, seed: int, as_json: bool) -> None:
    """Release pictures, edit them as the paper does, and search for the copies.

    \b
    homing demo
    homing demo --photos holidays/ --out report/

    Prints how many edited copies are found among untouched (passive) and among released (active)
    pictures, visiting one cell, and writes a page that shows it.
    """
    from homing.demo.page import render_page
    from homing.demo.report import EditRow
    from homing.demo.run import run_demo

    heading = [f"{'edit':16}  {'passive':>7}  {'active':>7}"]  # not before there are rows

    def show(row: EditRow) -> None:
        if as_json:
            emit(asdict(row))
            return
        while heading:
            echo(heading.pop())
        echo(f"{row.edit:16}  {row.passive:7.2f}  {row.active:7.2f}")

    report = run_demo(
        out, photos=photos, background=background, seed=seed, progress=progress, on_row=show
    )
    show(report.mean)
    page = out / "index.html"
    page.write_text(render_page(report), encoding="utf-8")
    totals = {
        "pictures": report.pictures,
        "background": report.background,
        "psnr_mean": round(report.psnr_mean, 2),
        "psnr_least": round(report.psnr_least, 2),
        "seconds_release": round(report.seconds_release, 1),
        "seconds_total": round(report.seconds_total, 1),
        "page": str(page),
    }
    if as_json:
        emit(totals)
    else:
        echo(
            f"\n{report.pictures} pictures released among {report.background} others in "
            f"{report.seconds_release:.1f} s; PSNR {report.psnr_mean:.2f} dB, "
            f"least {report.psnr_least:.2f} dB; all in {report.seconds_total:.0f} s"
        )
        echo(f"page: {page}")
    for note in report.notes:
        say(note)


COMMANDS = {"demo": demo}
