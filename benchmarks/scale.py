"""Growth: building the index and searching through both engines, beside bare Faiss.

Synthetic entries of 256 dimensions around the codebook's own reconstructions. Each part runs in a
process of its own, so that its peak memory is its own. Bare Faiss adds the float32 vectors to an
index of the same codebook (the homing side stores codes already, which `add` made), and searches
without re-ranking, names or exact similarities.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from _common import MEGABYTE, describe_setup, parser, prepare_process, require, working_folder

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
        print(f"entries: {options.entries} made up, {made['factory']}, in {made['seconds']:.0f} s")
        print(f"vectors and all else on disk: {made['bytes'] / MEGABYTE:.0f} MiB")
        built = run_part("index", folder, options)
        print(f"homing index: {built['seconds']:.1f} s, {built['segments']} segments", end="")
        print(f", {built['bytes'] / MEGABYTE:.0f} MiB, {_peak(built)}")
        bare = run_part("faiss", folder, options)
        print(f"bare Faiss: vectors added in {bare['seconds']:.1f} s, {_peak(bare)}")
        _show("bare Faiss", bare)
        for engine in ("memory", "lance"):
            found = run_part(engine, folder, options)
            print(f"engine {engine}: opened in {found['opening']:.2f} s, {_peak(found)}")
            _show(f"engine {engine}", found)
            require(found["codes"] == bare["codes"], f"{engine} found other entries than Faiss")
        print("all three found the same entries")
    return 0


def _parser():
    made = parser(__doc__, photos=False)
    made.add_argument("--entries", type=int, default=1_000_000)
    made.add_argument("--per-file", type=int, default=500_000, help="entries in a data file")
    made.add_argument("--queries", type=int, default=200)
    made.add_argument("--probes", type=int, default=8)
    made.add_argument("--part", choices=sorted(_PARTS), help="one part alone, by itself")
    return made


def run_part(part: str, folder: Path, options) -> dict:
    """Run a part in a process of its own; with the options of this command."""
    command = [sys.executable, __file__, "--part", part, "--work", str(folder)]
    for name in ("entries", "per_file", "queries", "probes", "threads"):
        value = getattr(options, name)
        if value is not None:
            command += ["--" + name.replace("_", "-"), str(value)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


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
        dataset.drop_index(each.name)  # of a run before in the same folder
    archive = homing.open(folder / "archive")
    files = folder / "archive" / "entries.lance" / "_indices"
    left = set(files.rglob("*.idx"))
    done = archive.index()
    require(done.indexed == done.entries, "something is not indexed")
    held = set(files.rglob("*.idx")) - left
    return {
        "seconds": done.seconds,
        "segments": done.segments,
        "bytes": sum(file.stat().st_size for file in held),
        **_memory(),
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

    return {"seconds": seconds, **_timed(search, folder), **_memory()}


def _engine(name: str, folder: Path, options) -> dict:
    import homing

    start = time.perf_counter()
    archive = homing.open(folder / "archive", engine=name)
    archive.warm()
    opening = time.perf_counter() - start

    def search(queries, rerank):
        found = archive.search_vectors(queries, k=_K, probes=options.probes, rerank=rerank)
        return found.positions

    return {"opening": opening, **_timed(search, folder), **_memory()}


def _timed(search, folder: Path) -> dict:
    """Median milliseconds a query, alone and in batches; and what was found."""
    queries = np.load(folder / "queries.npy")
    found = {}
    for rerank in (0, 64):
        search(queries, rerank)  # what is measured is an index in the system's cache
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


def _show(name: str, values: dict) -> None:
    for rerank, times in values["times"].items():
        print(
            f"{name}, rerank {rerank}: alone p50 {times['alone']:.2f} ms, p95 {times['p95']:.2f}; "
            f"in batches of {_BATCH} {times['together']:.3f} ms a query"
        )


def _memory() -> dict:
    status = Path("/proc/self/status")
    if not status.exists():
        return {}
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
    peak, own = (int(lines[key].split()[0]) * 1024 for key in ("VmHWM", "RssAnon"))
    return {"peak": peak, "own": own}


def _peak(values: dict) -> str:
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
