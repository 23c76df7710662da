"""Verdicts of the comparison of pictures: `python benchmarks/comparing.py PHOTOS STRANGERS`.

PHOTOS are the records, of which previews are kept; the queries are copies of them as they
circulate, and the pictures of STRANGERS under the same edits. Pages, charts, chats, logos, scans,
greys and frames with other photographs within are generated. Prints how many of each kind are
called a copy, a shared part, undecided or no copy; milliseconds of each stage, on one thread; and
how many pictures of collages are found by their panels.
"""

import argparse
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from _copies import COPIES, DOCUMENT_COPIES, Box, Rgb, collage, preview, within
from _strangers import STRANGERS
from PIL import Image

from homing.archive import find_files
from homing.evidence import ComparableQuery, ComparableRecord, Comparison
from homing.search.frames.collages import find_panels

KINDS = ("copy", "part", "undecided", "none")


def row(name: str, verdicts: Counter) -> str:
    """Return a line of the table: shares of the verdicts."""
    total = max(1, verdicts.total())
    return f"{name:28} " + "  ".join(f"{verdicts[kind] / total:9.3f}" for kind in KINDS)


def heading(name: str) -> None:
    """Print the head of a table."""
    print(f"\n{name:28} " + "  ".join(f"{kind:>9}" for kind in KINDS))


def pictures(folder: Path, count: int) -> list[Rgb]:
    """Read the first pictures of a folder, 8-bit RGB."""
    return [Image.open(path).convert("RGB") for path in find_files([folder])[:count]]


def copies(photos: list[Rgb]) -> None:
    """Compare the copies of each photograph with its preview."""
    heading("copies")
    total: Counter = Counter()
    seconds = []
    for name, edit in COPIES.items():
        verdicts: Counter = Counter()
        for number, photo in enumerate(photos):
            other = photos[(number + 7) % len(photos)]
            query = ComparableQuery(edit(photo, other, np.random.default_rng([1, number])))
            record = ComparableRecord(preview(photo))
            clock = time.perf_counter()
            verdicts[query.compare(record).kind] += 1
            seconds.append(time.perf_counter() - clock)
        print(row(name, verdicts), flush=True)
        total += verdicts
    print(row("all", total))
    print(f"ms a copy: {spread(seconds)}")


def others(photos: list[Rgb], strangers: list[Rgb]) -> None:
    """Compare edited strangers with the previews of five photographs each."""
    heading("strangers, five records")
    records = [ComparableRecord(preview(photo)) for photo in photos]
    seconds = []
    for name, edit in COPIES.items():
        verdicts: Counter = Counter()
        for number, photo in enumerate(strangers):
            other = strangers[(number + 7) % len(strangers)]
            query = ComparableQuery(edit(photo, other, np.random.default_rng([2, number])))
            clock = time.perf_counter()
            for step in range(5):
                record = records[(5 * number + step) % len(records)]
                verdicts[query.compare(record).kind] += 1
            seconds.append(time.perf_counter() - clock)
        print(row(name, verdicts), flush=True)
    print(f"ms a query, records analysed before: {spread(seconds)}")


def documents(photos: list[Rgb], count: int) -> None:
    """Compare generated pictures of one design with copies of themselves and of the others."""
    heading("documents")
    for name, draw in STRANGERS.items():
        drawn = [draw(np.random.default_rng([3, n]), photos[n]) for n in range(count)]
        records = [ComparableRecord(preview(picture)) for picture in drawn]
        same: Counter = Counter()
        different: Counter = Counter()
        for number, picture in enumerate(drawn):
            for edit in DOCUMENT_COPIES.values():
                query = ComparableQuery(edit(picture, picture, np.random.default_rng(number)))
                same[query.compare(records[number]).kind] += 1
                for step in (1, 2, 3):
                    record = records[(number + step) % count]
                    different[query.compare(record).kind] += 1
        print(row(name, same))
        print(row(f"  another {name}", different), flush=True)


def stages(photos: list[Rgb]) -> None:
    """Print the milliseconds of each stage."""
    found: dict[str, list[float]] = {}

    def timed(name: str, work: Callable[[], object]) -> None:
        clock = time.perf_counter()
        work()
        found.setdefault(name, []).append(time.perf_counter() - clock)

    for number, photo in enumerate(photos):
        query = ComparableQuery(photo)
        record, other = (
            ComparableRecord(preview(photos[(number + step) % len(photos)])) for step in (0, 1)
        )
        timed("query, 320 px", lambda query=query: query.coarse)
        timed("query, 600 px", lambda query=query: query.fine)
        timed("record, 320 px", lambda record=record: record.coarse)
        timed("record, 480 px", lambda record=record: record.fine)
        compared(query, other)
        timed("matched, itself", lambda q=query, r=record: compared(q, r))
        timed("matched, another", lambda q=query, r=other: compared(q, r))
    print("\nms a stage: median, nine tenths, most")
    for name, seconds in found.items():
        print(f"{name:28} {spread(seconds)}")


COLLAGES = {  # pictures, columns, pixels of the gutter, size of a cell
    "two": (2, 2, 0, None),
    "two, gutter": (2, 2, 6, None),
    "two by two": (4, 2, 0, (320, 240)),
    "two by two, gutter": (4, 2, 6, (320, 240)),
    "three by three": (9, 3, 0, (240, 180)),
    "three by three, gutter": (9, 3, 6, (240, 180)),
}


def panels(photos: list[Rgb], strangers: list[Rgb]) -> None:
    """Print how many pictures of collages are found, at an overlap above .8, and at what cost."""
    print("\ncollages                        found  boxes")
    for name, (count, columns, gutter, cell) in COLLAGES.items():
        made = [
            collage(
                [photos[(first + n) % len(photos)] for n in range(count)], columns, gutter, cell
            )
            for first in range(0, len(photos), 2)
        ]
        panels_row(name, made)
    numbered = enumerate(photos)
    inner = [within(p, photos[n - 9], np.random.default_rng([4, n])) for n, p in numbered]
    panels_row("one within another", [(whole, [box]) for whole, box in inner])
    seconds, boxes = [], []
    for photo in strangers:
        clock = time.perf_counter()
        boxes.append(len(find_panels(photo)))
        seconds.append(time.perf_counter() - clock)
    print(f"{'a photograph':28} {'':8} {np.mean(boxes):6.2f}   ms: {spread(seconds)}")


def panels_row(name: str, made: list[tuple[Rgb, list[Box]]]) -> None:
    """Print a line of the table of collages."""
    found = [find_panels(whole) for whole, _ in made]
    near = [
        max((overlap(box, each) for each in boxes), default=0.0) > 0.8
        for boxes, (_, wanted) in zip(found, made, strict=True)
        for box in wanted
    ]
    print(f"{name:28} {np.mean(near):8.3f} {np.mean([len(boxes) for boxes in found]):6.2f}")


def overlap(one: Box, other: Box) -> float:
    """Return the intersection of two boxes over their union."""
    low, high = np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])
    shared = float(np.prod(np.maximum(high - low, 0)))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return shared / (sum(areas) - shared)


def compared(query: ComparableQuery, record: ComparableRecord) -> Comparison:
    """Compare two pictures that are analysed already."""
    return query.compare(record)


def spread(seconds: list[float]) -> str:
    """Return median, nine tenths and most, in milliseconds."""
    return ", ".join(f"{1000 * value:.1f}" for value in np.quantile(seconds, [0.5, 0.9, 1]))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("strangers", type=Path)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--documents", type=int, default=8)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    photos = pictures(options.photos, options.count)
    strangers = pictures(options.strangers, options.count)
    stages(photos[:20])
    panels(photos, strangers)
    copies(photos)
    others(photos, strangers)
    documents(photos, min(options.documents, len(photos)))


if __name__ == "__main__":
    main()
