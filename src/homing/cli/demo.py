"""``demo``: the demonstration."""

from dataclasses import asdict
from pathlib import Path

import click

from homing.cli import options as shared
from homing.cli.output import echo, print_result, progress, say


@click.command(short_help="Release, edit and search sample pictures.")
@click.option(
    "--photos",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder of your own pictures.  [default: those that ship with homing]",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("homing-demo"),
    help="New folder for the page, the archives and the released files.",
)
@click.option(
    "--background",
    type=click.IntRange(min=1),
    default=2000,
    help="Generated pictures among which copies are searched for.",
)
@shared.seed_option
@shared.json_option
def demo(photos: Path | None, out: Path, background: int, seed: int, as_json: bool) -> None:
    """Release pictures, edit them as the paper does, and search for the copies.

    \b
    homing demo
    homing demo --photos holidays/ --out report/

    Shows how many edited copies a quick search finds of untouched and of released pictures, and
    writes a page with examples.
    """
    from homing.demo.page import render_page
    from homing.demo.report import EditRow
    from homing.demo.run import run_demo

    heading = [f"{'edit':16}  {'untouched':>9}  {'released':>9}"]  # printed before the first row

    def show(row: EditRow) -> None:
        while heading and not as_json:
            echo(heading.pop())
        line = f"{row.edit:16}  {row.passive:9.2f}  {row.active:9.2f}"
        print_result(asdict(row), line, as_json=as_json)

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
    text = (
        f"\n{report.pictures} pictures released among {report.background} others in "
        f"{report.seconds_release:.1f} s; PSNR {report.psnr_mean:.2f} dB, "
        f"least {report.psnr_least:.2f} dB; all in {report.seconds_total:.0f} s\npage: {page}"
    )
    print_result(totals, text, as_json=as_json)
    for note in report.notes:
        say(note)
