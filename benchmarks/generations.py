"""Searching two codebook generations against one of the same size, and their order by codes.

Two archives have the same synthetic entries: all of one generation, or half of each of two. The
second generation's codebook is the first's with its cells renumbered, so that both archives give
the same hits. Each round times both, in turn.

With --photos, half of the photographs are entries of one bundled codebook and half of another.
Their copies, edited as in the paper, are searched for by codes alone: with unmodified distances,
and with each codebook's mean distortion subtracted or added.
"""

import sys
from itertools import pairwise, product
from pathlib import Path

import numpy as np
from _common import (
    compare,
    describe_setup,
    make_parser,
    picture_paths,
    prepare_process,
    require,
    working_folder,
)

_K, _BATCH = 10, 100
_CODEBOOKS = ("IVF64-PQ8x8", "IVF1024-PQ8x8", "OPQ16-IVF1024-PQ16x8")


def main() -> int:
    """Run the benchmark."""
    parser = make_parser(__doc__, photos=False)
    parser.add_argument("--entries", type=int, default=400_000)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--probes", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--photos", type=Path, nargs="+", help="photographs, or folders of them")
    parser.add_argument("--pictures", type=int, default=1000, help="number of photographs, at most")
    options = parser.parse_args()
    prepare_process(options.threads)
    describe_setup(entries=options.entries, probes=options.probes)
    if options.photos:
        _compare_orders(options)
        return 0
    with working_folder(options.work) as folder:
        _compare_speed(folder, options)
    return 0


def _compare_speed(folder: Path, options) -> None:
    from _synthetic import extend_archive, make_archive, make_queries

    import homing

    half = options.entries // 2
    for name in ("one", "two"):
        archive = make_archive(folder / name, half, per_file=half)
        codebook = archive.codebook
        if name == "two":
            archive.adopt(_renumber(codebook))
        extend_archive(archive, codebook, half, seed=2).index()
    queries = make_queries(homing.open(folder / "one"), options.queries)
    for engine in ("memory", "lance"):
        one, two = (homing.open(folder / name, engine=engine) for name in ("one", "two"))
        for rerank, batch in product((0, 64), (1, _BATCH)):
            _time_both(
                f"{engine}, rerank {rerank}, {batch} at once", one, two, queries, rerank, options
            )


def _time_both(name, one, two, queries, rerank, options) -> None:
    size = _BATCH if "100 at once" in name else 1

    def make_search(archive):
        def search():
            return [
                archive.search_vectors(part, k=_K, probes=options.probes, rerank=rerank).ids
                for part in np.array_split(queries, -(-len(queries) // size))
            ]

        return search

    ours, bare = make_search(two), make_search(one)
    both = np.concatenate(ours()), np.concatenate(bare())
    best = np.mean([row[0] == other[0] for row, other in zip(*both, strict=True)])
    require(best > 0.99, f"only {best:.1%} of the best hits are the same")
    found = compare(ours, bare, rounds=options.rounds)
    line = found.format_line(len(queries), "query").replace("homing", "two generations")
    print(f"{name}: {line.replace('bare', 'one')}; best hits the same {best:.1%}", flush=True)


def _renumber(codebook):
    """Return the codebook with its cells in reverse order, which changes its fingerprint."""
    from homing.codebooks import Codebook

    arrays = {**codebook.arrays, "coarse": codebook.arrays["coarse"][::-1]}
    return Codebook(codebook.factory, codebook.dimension, arrays, codebook.descriptor)


def _compare_orders(options) -> None:
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
    for names in [*pairwise(_CODEBOOKS), (_CODEBOOKS[0], _CODEBOOKS[2])]:
        _print_orders(names, entries, copies)


def _print_orders(names, entries, copies) -> None:
    import homing

    codebooks = [homing.load_codebook(f"homing-s-{name}") for name in names]
    decoded = [book.decode(*book.encode_with_cells(entries)) for book in codebooks]
    distortion = [float(((each - entries) ** 2).sum(axis=1).mean()) for each in decoded]
    of_second = np.arange(len(entries)) % 2 == 1
    mixed = np.where(of_second[:, None], decoded[1], decoded[0])
    shift = np.where(of_second, distortion[1], distortion[0])
    parts = [f"distortions {distortion[0]:.3f}, {distortion[1]:.3f}"]
    for name, sign in (("as they are", 0), ("less distortion", -1), ("plus distortion", 1)):
        found = [_first_hits(queries, mixed, sign * shift) for queries in copies]
        parts.append(f"{name} {np.mean(found):.4f}")
    for name, each in zip(names, decoded, strict=True):
        found = [_first_hits(queries, each, 0) for queries in copies]
        parts.append(f"all of {name} {np.mean(found):.4f}")
    print(f"{names[0]} and {names[1]}: {'; '.join(parts)}", flush=True)


def _first_hits(queries, decoded, shift) -> float:
    """Return the share of queries whose nearest code in any cell is the right one."""
    distances = (decoded**2).sum(axis=1)[None] - 2 * queries @ decoded.T + shift
    return float((distances.argmin(axis=1) == np.arange(len(queries))).mean())


if __name__ == "__main__":
    sys.exit(main())
