"""Searching two codebook generations against one of the same size, and their order by codes.

The same made-up entries lie in two archives: all of one generation, or half of each of two. The
second generation's codebook is the first's with its cells numbered otherwise, so that both find the
same and differ in nothing but that. Each round times both, in turn.

With photographs, half of them are entries of one bundled codebook and half of another, and copies
of all, edited as in the paper, are searched for by codes alone: with distances as they are, and
with each codebook's mean distortion taken off or added.
"""

import sys
from itertools import pairwise, product
from pathlib import Path

import numpy as np
from _common import (
    compare,
    describe_setup,
    parser,
    picture_paths,
    prepare_process,
    require,
    working_folder,
)

_K, _BATCH = 10, 100
_LADDER = ("IVF64-PQ8x8", "IVF1024-PQ8x8", "OPQ16-IVF1024-PQ16x8")


def main() -> int:
    """Run the benchmark."""
    made = parser(__doc__, photos=False)
    made.add_argument("--entries", type=int, default=400_000)
    made.add_argument("--queries", type=int, default=200)
    made.add_argument("--probes", type=int, default=8)
    made.add_argument("--rounds", type=int, default=15)
    made.add_argument("--photos", type=Path, nargs="+", help="photographs, or folders of them")
    made.add_argument("--pictures", type=int, default=1000, help="of these, at most")
    options = made.parse_args()
    prepare_process(options.threads)
    describe_setup(entries=options.entries, probes=options.probes)
    if options.photos:
        _order_by_codes(options)
        return 0
    with working_folder(options.work) as folder:
        _cost(folder, options)
    return 0


def _cost(folder: Path, options) -> None:
    from _synthetic import extend_archive, make_archive, make_queries

    import homing

    half = options.entries // 2
    for name in ("one", "two"):
        archive = make_archive(folder / name, half, per_file=half)
        codebook = archive.codebook
        if name == "two":
            archive.adopt(_renumbered(codebook))
        extend_archive(archive, codebook, half, seed=2).index()
    queries = make_queries(homing.open(folder / "one"), options.queries)
    for engine in ("memory", "lance"):
        one, two = (homing.open(folder / name, engine=engine) for name in ("one", "two"))
        for rerank, batch in product((0, 64), (1, _BATCH)):
            _timed(
                f"{engine}, rerank {rerank}, {batch} at once", one, two, queries, rerank, options
            )


def _timed(name, one, two, queries, rerank, options) -> None:
    size = _BATCH if "100 at once" in name else 1

    def searching(archive):
        def search():
            return [
                archive.search_vectors(part, k=_K, probes=options.probes, rerank=rerank).ids
                for part in np.array_split(queries, -(-len(queries) // size))
            ]

        return search

    ours, bare = searching(two), searching(one)
    both = np.concatenate(ours()), np.concatenate(bare())
    best = np.mean([row[0] == other[0] for row, other in zip(*both, strict=True)])
    require(best > 0.99, f"only {best:.1%} of the best hits are the same")
    found = compare(ours, bare, rounds=options.rounds)
    line = found.line(len(queries), "query").replace("homing", "two generations")
    print(f"{name}: {line.replace('bare', 'one')}; best hits the same {best:.1%}", flush=True)


def _renumbered(codebook):
    """The same codebook, its cells in the opposite order: another fingerprint."""
    from homing.codebooks import Codebook

    arrays = {**codebook.arrays, "coarse": codebook.arrays["coarse"][::-1]}
    return Codebook(codebook.factory, codebook.dimension, arrays, codebook.descriptor)


def _order_by_codes(options) -> None:
    import homing
    from homing.edits import paper_edits
    from homing.images import read_rgb

    paths = picture_paths(options.photos, options.pictures)
    descriptor, generator = homing.load_descriptor(), np.random.default_rng(0)
    entries = descriptor.describe(paths)
    copies = []
    for edit in paper_edits(with_random=False):
        pictures = [edit.apply(read_rgb(path), generator) for path in paths]
        copies.append(descriptor.describe(pictures))
    print(f"{len(paths)} photographs, half of each generation; {len(copies)} edits; R@1 by codes")
    for names in [*pairwise(_LADDER), (_LADDER[0], _LADDER[2])]:
        _ordered(names, entries, copies)


def _ordered(names, entries, copies) -> None:
    import homing

    codebooks = [homing.load_codebook(f"homing-s-{name}") for name in names]
    held = [book.decode(*book.encode_with_cells(entries)) for book in codebooks]
    distortion = [float(((each - entries) ** 2).sum(axis=1).mean()) for each in held]
    of_second = np.arange(len(entries)) % 2 == 1
    mixed = np.where(of_second[:, None], held[1], held[0])
    shift = np.where(of_second, distortion[1], distortion[0])
    told = [f"distortions {distortion[0]:.3f}, {distortion[1]:.3f}"]
    for name, sign in (("as they are", 0), ("less distortion", -1), ("plus distortion", 1)):
        found = [_first_hits(queries, mixed, sign * shift) for queries in copies]
        told.append(f"{name} {np.mean(found):.4f}")
    for name, each in zip(names, held, strict=True):
        found = [_first_hits(queries, each, 0) for queries in copies]
        told.append(f"all of {name} {np.mean(found):.4f}")
    print(f"{names[0]} and {names[1]}: {'; '.join(told)}", flush=True)


def _first_hits(queries, held, shift) -> float:
    """Share of queries whose nearest code is the right one, in whichever cell."""
    distances = (held**2).sum(axis=1)[None] - 2 * queries @ held.T + shift
    return float((distances.argmin(axis=1) == np.arange(len(queries))).mean())


if __name__ == "__main__":
    sys.exit(main())
