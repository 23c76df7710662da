"""Stated false-alarm rates against observed ones: `python benchmarks/verdict.py PHOTOS OTHERS`.

Photographs, and with `--pages .4` generated pages, charts and screens, are divided at random into
the entries of an archive, which is calibrated by exact search, and queries without a match. OTHERS,
of another source, are further queries without a match. Prints the share of each that has a rate of
at most the one stated: by similarity alone, and as hits stand out from their surroundings; then the
share of true copies, found first, that is called. PHOTOS and OTHERS are folders, or `.npy` files of
vectors; copies are made of folders alone.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _copies import COPIES
from _strangers import STRANGERS
from numpy.typing import NDArray
from PIL import Image

from homing.archive import find_files
from homing.archive.query.near_duplicates import Neighbours, PairVerdict
from homing.descriptors import load_descriptor
from homing.images import squash
from homing.search.background import load_background, nearest_background
from homing.search.false_alarms import Tail, fit_tail
from homing.search.surroundings import NEIGHBOURS, ContrastTail

STATED = (1e-1, 1e-2, 1e-3, 1e-4)
PAGES = ("document", "scan", "chart", "line chart", "chat")
TURNED = ("collage", "mirrored", "turned 90°", "turned 180°")  # not found by the upright view
SHIPPED = 0.99  # similarity from which a photograph is one of those whose vectors ship


class KnownPairs:
    """Pairs as previews would tell them: pages are no copies; of photographs nothing is known."""

    def __init__(self, photos: int) -> None:
        self._photos = photos

    def compare(self, pairs: NDArray) -> list[PairVerdict]:
        """Return the verdict on each pair."""
        pages = (pairs >= self._photos).any(axis=1)
        return [PairVerdict("none" if page else None, "made up") for page in pages]


def neighbours(queries: NDArray, entries: NDArray, others: NDArray, *, itself: bool) -> Neighbours:
    """Search exactly; with `itself` queries are the entries, and none is its own neighbour."""
    parts = []
    for first in range(0, len(queries), 500):
        some = queries[first : first + 500]
        alike = some @ entries.T
        if itself:
            alike[np.arange(len(some)), first + np.arange(len(some))] = -np.inf
        best = np.argpartition(-alike, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
        alike = np.take_along_axis(alike, best, axis=1)
        among = np.matmul(entries[best], entries[best].transpose(0, 2, 1))
        beside = nearest_background(some, others, NEIGHBOURS)
        parts.append(Neighbours(first + np.arange(len(some)), best, alike, among, beside))
    return Neighbours.joined(parts)


@dataclass(frozen=True)
class Rates:
    """Rates as an archive would state them: by similarity, or by surroundings."""

    tail: Tail
    contrast: ContrastTail

    @classmethod
    def calibrated(cls, entries: NDArray, others: NDArray, pairs: KnownPairs | None) -> "Rates":
        """Calibrate on entries."""
        rest = neighbours(entries, entries, others, itself=True).without_duplicates(pairs)
        contrast = ContrastTail.fit(rest.around_first())
        assert contrast is not None
        return cls(fit_tail(rest.similarity.max(axis=1), entries=len(entries)), contrast)

    def of(self, found: Neighbours) -> dict[str, NDArray]:
        """Return the rates of first hits, both ways."""
        best = found.similarity.max(axis=1)
        by_tail = self.tail.rate(best, entries=self.tail.entries)
        return {"similarity": by_tail, "surroundings": self.contrast.rate(found.around_first())}


def vectors_of(source: Path) -> NDArray:
    """Describe the pictures of a folder, or read the vectors of a file."""
    if source.suffix == ".npy":
        return np.load(source, allow_pickle=False)
    return load_descriptor("homing-s").describe(find_files([source]))


def pages(count: int) -> NDArray:
    """Describe generated pages, charts and screens, as many of each kind, in turn."""
    descriptor = load_descriptor("homing-s")
    if not count:
        return np.empty((0, descriptor.dimension), np.float32)
    blank = Image.new("RGB", (8, 8))
    drawn = (
        squash(STRANGERS[PAGES[n % len(PAGES)]](np.random.default_rng([11, n]), blank), 160)
        for n in range(count)
    )
    return descriptor.describe_squashed(np.stack(list(drawn)))


def copies(folder: Path, count: int) -> tuple[NDArray, NDArray]:
    """Describe the first photographs of a folder, and copies of them, kind by kind."""
    descriptor = load_descriptor("homing-s")
    read = [Image.open(path).convert("RGB") for path in find_files([folder])[:count]]
    edited = [
        squash(edit(photo, photo, np.random.default_rng([1, number])), descriptor.input_size)
        for name, edit in COPIES.items()
        if name not in TURNED
        for number, photo in enumerate(read)
    ]
    own = np.stack([squash(photo, descriptor.input_size) for photo in read])
    return descriptor.describe_squashed(own), descriptor.describe_squashed(np.stack(edited))


def shares(rates: NDArray) -> list[float]:
    """Return the share of rates that are at most each of those stated."""
    return [float((rates <= stated).mean()) for stated in STATED]


def main() -> None:
    """Draw archives, calibrate them, and print the observed rates."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("others", type=Path)
    parser.add_argument("--entries", type=int, nargs="+", default=[300, 1000, 2000, 4000])
    parser.add_argument("--pages", type=float, default=0.0, help="share of the entries")
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--copies", type=int, default=0, help="photographs of OTHERS copied")
    parser.add_argument("--no-previews", action="store_true", help="pages are not known to differ")
    options = parser.parse_args()
    descriptor = load_descriptor("homing-s")
    shipped = load_background(descriptor.fingerprint, descriptor.dimension)
    photos = vectors_of(options.photos)
    photos = photos[nearest_background(photos, shipped, 1)[:, 0] < SHIPPED]
    others = np.empty((0, descriptor.dimension), np.float32)
    known = copied = others
    if options.copies:
        known, copied = copies(options.others, options.copies)
    else:
        others = vectors_of(options.others)
    drawn = pages(round(options.pages * max(options.entries)) + 2000 * (options.pages > 0))
    print(f"{'entries':>7}  {'queries':8} {'rate by':12}" + "".join(f"{p:>10g}" for p in STATED))
    for count in options.entries:
        found: dict[tuple[str, str], list[list[float]]] = {}
        for draw in range(options.draws):
            generator = np.random.default_rng(draw)
            order, page = generator.permutation(len(photos)), generator.permutation(len(drawn))
            many = round(options.pages * count)
            own = photos[order[: count - many - len(known)]]
            entries = np.concatenate([known, own, drawn[page[:many]]])
            pairs = None if options.no_previews else KnownPairs(count - many)
            rates = Rates.calibrated(entries, shipped, pairs)
            queries = {"same": photos[order[count : count + 4000]], "pages": drawn[page[many:]]}
            queries |= {"copies": copied} if len(known) else {"others": others}
            for name, vectors in queries.items():
                if not len(vectors):
                    continue
                seen = neighbours(vectors, entries, shipped, itself=False)
                right = np.ones(len(vectors), bool)
                if name == "copies":
                    best = seen.similarity.argmax(axis=1)[:, None]
                    first = np.take_along_axis(seen.positions, best, axis=1)[:, 0]
                    right = first == np.arange(len(first)) % len(known)
                for way, stated in rates.of(seen).items():
                    found.setdefault((name, way), []).append(shares(stated[right]))
        for (name, way), values in sorted(found.items()):
            mean = np.mean(values, axis=0)
            print(f"{count:7}  {name:8} {way:12}" + "".join(f"{v:10.5f}" for v in mean), flush=True)


if __name__ == "__main__":
    main()
