"""Stated false-alarm rates against observed ones: `python benchmarks/verdict.py PHOTOS OTHERS`.

Photographs are divided at random into the entries of an archive, which is calibrated by exact
search, and queries without a match. OTHERS, of another source, are further queries without a match.
PHOTOS and OTHERS are folders, or `.npy` files of vectors.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from homing.archive import find_files
from homing.search.false_alarms import fit_tail, highest_background

STATED = (1e-2, 1e-3, 1e-4)
NEIGHBOURS = 17


def load_vectors(source: Path, descriptor: str) -> NDArray[np.float32]:
    """Describe the pictures of a folder, or read the vectors of a file."""
    if source.suffix == ".npy":
        return np.load(source, allow_pickle=False)
    from homing.descriptors import load_descriptor

    return load_descriptor(descriptor).describe(find_files([source]))


def highest_similarities(
    queries: NDArray[np.float32], entries: NDArray[np.float32], count: int
) -> NDArray:
    """Return the `count` highest similarities of each query, in descending order."""
    parts = []
    for first in range(0, len(queries), 1000):
        alike = queries[first : first + 1000] @ entries.T
        parts.append(-np.sort(-np.partition(alike, -count, axis=1)[:, -count:], axis=1))
    return np.concatenate(parts)


def main() -> None:
    """Draw archives, calibrate them, and print the observed rates."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("others", type=Path)
    parser.add_argument("--descriptor", default="homing-s")
    parser.add_argument("--entries", type=int, nargs="+", default=[300, 1000, 2000, 4000])
    parser.add_argument("--draws", type=int, default=20)
    options = parser.parse_args()
    photos = load_vectors(options.photos, options.descriptor)
    others = load_vectors(options.others, options.descriptor)
    print("entries  stated   same: mean, least, most         other: mean  similarity  exponent")
    for count in options.entries:
        observed = []
        for draw in range(options.draws):
            order = np.random.default_rng(draw).permutation(len(photos))
            entries, strangers = photos[order[:count]], photos[order[count:]]
            among = highest_similarities(entries, entries, NEIGHBOURS)[:, 1:]
            tail = fit_tail(highest_background(among), entries=count)
            rates = [
                tail.rate(highest_similarities(queries, entries, 1)[:, 0], entries=count)
                for queries in (strangers, others)
            ]
            observed.append(
                [
                    [*[(rate <= p).mean() for rate in rates], tail.similarity(p), tail.exponent]
                    for p in STATED
                ]
            )
        for stated, values in zip(STATED, np.array(observed).transpose(1, 2, 0), strict=True):
            same, other, place, exponent = values
            print(
                f"{count:7}  {stated:6g}   {same.mean():.5f}, {same.min():.5f}, {same.max():.5f}"
                f"      {other.mean():.5f}      {place.mean():.3f}       {exponent.mean():.2f}"
            )


if __name__ == "__main__":
    main()
