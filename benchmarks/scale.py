"""Building the index and searching with both engines at a given size, beside bare Faiss.

Entries are synthetic vectors of 256 dimensions around the codebook's reconstructions. Each part
runs in a separate process, which measures its peak memory. Bare Faiss adds the float32 vectors to
an index of the same codebook (homing has stored their codes already), and searches without
re-ranking, ids or exact similarities.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
from _common import (
    MEGABYTE,
    describe_setup,
    make_parser,
    prepare_process,
    process_memory,
    require,
    run_child,
    working_folder,
)

_K = 10
_BATCH = 100


def main() -> int:
    """Run the benchmark."""
    options = _parser().parse_args()
    if options.part:
        prepare_process(options.threads)
        print(json.dumps(_PARTS[options.part](options.work, options)))
        return 0
    describe_setup()
    with working_folder(options.work) as folder:
        made = run_part("make", folder, options)
        print(
            f"entries: {options.entries} synthetic, {made['factory']}, in {made['seconds']:.0f} s"
        )
        print(f"archive on disk: {made['bytes'] / MEGABYTE:.0f} MiB")
        built = run_part("index", folder, options)
        print(f"homing index: {built['seconds']:.1f} s, {built['segments']} segments", end="")
        print(f", {built['bytes'] / MEGABYTE:.0f} MiB, {_format_peak(built)}")
        bare = run_part("faiss", folder, options)
        print(f"bare Faiss: vectors added in {bare['seconds']:.1f} s, {_format_peak(bare)}")
        _print_times("bare Faiss", bare)
        for engine in ("memory", "lance"):
            found = run_part(engine, folder, options)
            print(f"engine {engine}: opened in {found['opening']:.2f} s, {_format_peak(found)}")
            _print_times(f"engine {engine}", found)
            require(found["codes"] == bare["codes"], f"{engine} found other entries than Faiss")
        print("all three found the same entries")
    return 0


def _parser():
    parser = make_parser(__doc__, photos=False)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--per-file", type=int, default=500_000, help="entries in a data file")
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--probes", type=int, default=8)
    parser.add_argument(
        "--part", choices=sorted(_PARTS), help="run one part alone, in this process"
    )
    return parser


def run_part(part: str, folder: Path, options) -> dict:
    """Run a part in a separate process, with the options of this command."""
    arguments = ["--part", part, "--work", folder]
    for name in ("entries", "per_file", "queries", "probes", "threads"):
        value = getattr(options, name)
        if value is not None:
            arguments += ["--" + name.replace("_", "-"), value]
    return run_child(__file__, *arguments)


def _make(folder: Path, options) -> dict:
    from _synthetic import make_archive, make_queries

    start = time.perf_counter()
    archive = make_archive(folder / "archive", options.entries, per_file=options.per_file)
    np.save(folder / "queries.npy", make_queries(archive, options.queries))
    stats = archive.stats()
    return {
        "seconds": time.perf_counter() - start,
        "bytes": stats["bytes_on_disk"],
        "factory": stats["codebook"],
    }


def _index(folder: Path, _options) -> dict:
    import lance

    import homing

    dataset = lance.dataset(str(folder / "archive" / "entries.lance"))
    for each in dataset.describe_indices():
        dataset.drop_index(each.name)  # of an earlier run in the same folder
    archive = homing.open(folder / "archive")
    files = folder / "archive" / "entries.lance" / "_indices"
    old = set(files.rglob("*.idx"))
    done = archive.index()
    require(done.indexed == done.entries, "some entries are not indexed")
    new = set(files.rglob("*.idx")) - old
    return {
        "seconds": done.seconds,
        "segments": done.segments,
        "bytes": sum(file.stat().st_size for file in new),
        **process_memory(),
    }


def _faiss(folder: Path, options) -> dict:
    import faiss
    import lance

    import homing

    index = homing.load_codebook(folder / "archive" / "codebook.safetensors").index()
    seconds = 0.0
    scan = lance.dataset(str(folder / "archive" / "entries.lance")).scanner(columns=["vector"])
    for batch in scan.to_batches():
        flat = batch.column("vector").flatten().to_numpy(zero_copy_only=False)
        vectors = flat.reshape(batch.num_rows, -1).astype(np.float32)
        start = time.perf_counter()
        index.add(vectors)
        seconds += time.perf_counter() - start
    parameters = faiss.SearchParametersIVF(nprobe=options.probes)

    def search(queries, rerank):
        return index.search(queries, max(_K, rerank), params=parameters)[1]

    return {"seconds": seconds, **_time_queries(search, folder), **process_memory()}


def _engine(name: str, folder: Path, options) -> dict:
    import homing

    start = time.perf_counter()
    archive = homing.open(folder / "archive", engine=name)
    archive.warm()
    opening = time.perf_counter() - start

    def search(queries, rerank):
        found = archive.search_vectors(queries, k=_K, probes=options.probes, rerank=rerank)
        return found.positions

    return {"opening": opening, **_time_queries(search, folder), **process_memory()}


def _time_queries(search, folder: Path) -> dict:
    """Return median milliseconds a query, alone and in batches, and the hits by code."""
    queries = np.load(folder / "queries.npy")
    found = {}
    for rerank in (0, 64):
        search(queries, rerank)  # warm the system's cache
        alone, together = [], []
        for query in queries:
            start = time.perf_counter()
            search(query[None], rerank)
            alone.append(1e3 * (time.perf_counter() - start))
        for first in range(0, len(queries), _BATCH):
            batch = queries[first : first + _BATCH]
            start = time.perf_counter()
            search(batch, rerank)
            together.append(1e3 * (time.perf_counter() - start) / len(batch))
        found[str(rerank)] = {
            "alone": float(np.median(alone)),
            "p95": float(np.quantile(alone, 0.95)),
            "together": float(np.median(together)),
        }
    return {"times": found, "codes": search(queries, 0)[:, :_K].tolist()}


def _print_times(name: str, values: dict) -> None:
    for rerank, times in values["times"].items():
        print(
            f"{name}, rerank {rerank}: alone p50 {times['alone']:.2f} ms, p95 {times['p95']:.2f}; "
            f"in batches of {_BATCH} {times['together']:.3f} ms a query"
        )


def _format_peak(values: dict) -> str:
    return f"peak memory {values.get('peak', 0) / MEGABYTE:.0f} MiB"


_PARTS = {
    "make": _make,
    "index": _index,
    "faiss": _faiss,
    "memory": lambda folder, options: _engine("memory", folder, options),
    "lance": lambda folder, options: _engine("lance", folder, options),
}


if __name__ == "__main__":
    sys.exit(main())
