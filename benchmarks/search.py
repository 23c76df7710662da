"""Search by vectors against the bare Faiss call, in an archive of synthetic entries.

Both sides visit the same cells for the same number of candidates. homing adds reading each
candidate's stored vector, its exact similarity, the sorting, and the ids.
"""

import sys
import time

import numpy as np
from _common import (
    check_target,
    compare,
    describe_setup,
    make_parser,
    prepare_process,
    require,
    working_folder,
)

_TARGETS = {0: 1.3, 64: 1.2}  # by the number re-ranked
_TARGETS_ALONE = {0: 1.3, 64: 1.5}  # at one probe
_K = 10


def main() -> int:
    """Run the benchmark."""
    options = _parser().parse_args()
    prepare_process(options.threads)
    import faiss
    import lance
    from _synthetic import FACTORY, make_archive, make_queries

    import homing
    from homing.search.engines.memory import automatic_probes

    with working_folder(options.work) as folder:
        per_file = options.per_file or options.entries
        path = make_archive(
            folder / "archive", options.entries, per_file=per_file, places=options.places
        ).path
        archive = homing.open(path, engine="memory")
        automatic = automatic_probes(archive.codebook.cell_count)
        describe_setup(
            entries=f"{options.entries} synthetic, {FACTORY}, {per_file} a data file",
            queries=f"batches of {options.batch}, k {_K}",
        )
        columns = lance.dataset(str(folder / "archive" / "entries.lance")).to_table(
            columns=["cell", "code"]
        )
        codes = np.stack([np.frombuffer(c, np.uint8) for c in columns["code"].to_pylist()])
        index = archive.codebook.index(columns["cell"].to_numpy(), codes)
        archive.warm()
        require(archive._current.snapshot()._vectors.mapped, "the stored vectors are not mapped")
        batches = make_queries(archive, options.batch * options.calls).reshape(
            options.calls, options.batch, -1
        )
        clock = time.process_time if options.processor else time.perf_counter
        met = True
        for probes in options.probes or (1, automatic, 64):
            for rerank in options.rerank or (0, 64):
                candidates = max(_K, rerank)
                parameters = faiss.SearchParametersIVF(nprobe=probes)

                def bare(candidates=candidates, parameters=parameters):
                    return [index.search(q, candidates, params=parameters) for q in batches]

                def ours(probes=probes, rerank=rerank):
                    return [
                        archive.search_vectors(q, k=_K, probes=probes, rerank=rerank)
                        for q in batches
                    ]

                _check(archive, ours()[0], bare()[0][1], batches[0], reranked=rerank > 0)
                result = compare(ours, bare, rounds=options.rounds, clock=clock)
                name = f"probes {probes}, rerank {rerank}"
                print(f"{name}: {result.format_line(options.calls, f'batch of {options.batch}')}")
                targets = _TARGETS_ALONE if probes == 1 else _TARGETS
                met &= check_target(name, result.ratio, at_most=targets.get(rerank, 1.3))
    return 0 if met else 1


def _parser():
    parser = make_parser(__doc__, photos=False)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--per-file", type=int, help="entries in a data file; default: all")
    parser.add_argument("--places", type=int, default=1, help="cells a released entry; Faiss: 1")
    parser.add_argument("--batch", type=int, default=100, help="queries searched together")
    parser.add_argument("--calls", type=int, default=20, help="batches in a round")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--processor", action="store_true", help="processor time, not the clock's")
    parser.add_argument("--probes", type=int, action="append", help="default: 1, automatic and 64")
    parser.add_argument("--rerank", type=int, action="append", help="default: 0 and 64")
    return parser


def _check(archive, matches, positions, queries, *, reranked) -> None:
    """Check that both sides found the same candidates and that similarities are exact."""
    if not reranked:
        require(np.array_equal(matches.positions, positions), "Faiss found other entries")
    else:
        found = [
            set(row) <= set(all_) for row, all_ in zip(matches.positions, positions, strict=True)
        ]
        require(all(found), "re-ranking gave entries that Faiss had not found")
    entry = archive.entry(str(matches.ids[0, 0]))
    exact = float(entry.vector.astype(np.float32) @ queries[0])
    require(
        abs(exact - matches.similarity[0, 0]) < 1e-5,
        "a similarity differs from that of the vectors",
    )


if __name__ == "__main__":
    sys.exit(main())
