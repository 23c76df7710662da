"""Stated false-alarm rates against observed ones: `python benchmarks/verdict.py PHOTOS OTHERS`.

Photographs are drawn at random into an archive, which calibrates itself by exact search, and into
queries that match nothing; OTHERS, of another source, are queries too. PHOTOS and OTHERS are
folders, or `.npy` files of vectors.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from homing.archive import find_files
from homing.search.false_alarms import fit_tail, highest_background

STATED = (1e-2, 1e-3, 1e-4)
NEIGHBOURS = 17


def described(source: Path, descriptor: str) -> NDArray[np.float32]:
    """Vectors of the pictures of a folder, or those of a file."""
    if source.suffix == ".npy":
        return np.load(source, allow_pickle=False)
    from homing.descriptors import load_descriptor

    return load_descriptor(descriptor).describe(find_files([source]))


def nearest(queries: NDArray[np.float32], entries: NDArray[np.float32], count: int) -> NDArray:
    """Highest similarities of each query, falling."""
    parts = []
    for first in range(0, len(queries), 1000):
        alike = queries[first : first + 1000] @ entries.T
        parts.append(-np.sort(-np.partition(alike, -count, axis=1)[:, -count:], axis=1))
    return np.concatenate(parts)


def main() -> None:
    """Draw archives, calibrate them, and print what is observed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("others", type=Path)
    parser.add_argument("--descriptor", default="homing-s")
    parser.add_argument("--entries", type=int, nargs="+", default=[300, 1000, 2000, 4000])
    parser.add_argument("--draws", type=int, default=20)
    options = parser.parse_args()
    photos = described(options.photos, options.descriptor)
    others = described(options.others, options.descriptor)
    print("entries  stated   same: mean, least, most         other: mean  similarity  exponent")
    for count in options.entries:
        seen = []
        for draw in range(options.draws):
            order = np.random.default_rng(draw).permutation(len(photos))
            entries, strangers = photos[order[:count]], photos[order[count:]]
            among = nearest(entries, entries, NEIGHBOURS)[:, 1:]
            tail = fit_tail(highest_background(among), entries=count)
            rates = [
                tail.rate(nearest(queries, entries, 1)[:, 0], entries=count)
                for queries in (strangers, others)
            ]
            seen.append(
                [
                    [*[(rate <= p).mean() for rate in rates], tail.similarity(p), tail.exponent]
                    for p in STATED
                ]
            )
        for stated, values in zip(STATED, np.array(seen).transpose(1, 2, 0), strict=True):
            same, other, place, exponent = values
            print(
                f"{count:7}  {stated:6g}   {same.mean():.5f}, {same.min():.5f}, {same.max():.5f}"
                f"      {other.mean():.5f}      {place.mean():.3f}       {exponent.mean():.2f}"
            )


if __name__ == "__main__":
    main()
