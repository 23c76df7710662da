"""What Content Credentials cost: a release's time and bytes, and finding a manifest by its id.

Releases of the same pictures with and without, each the command itself in a process of its own, in
turn; then a record of made-up entries that all have a manifest.
"""

import json
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from _common import (
    MEGABYTE,
    describe_setup,
    make_pictures,
    parser,
    picture_paths,
    prepare_process,
    require,
    resident,
    run_command,
    sizes,
    working_folder,
)

_BLOCK = 16_384


def main() -> int:
    """Measure and print the figures."""
    made = parser(__doc__)
    made.add_argument("--c2pa", nargs=2, required=True, metavar=("CHAIN", "KEY"), help="in PEM")
    made.add_argument("--pictures", type=int, default=48)
    made.add_argument("--size", type=int, nargs=2, default=(1600, 1200))
    made.add_argument("--rounds", type=int, default=3)
    made.add_argument("--entries", type=int, default=1_000_000)
    made.add_argument("--per-file", type=int, default=512)
    options = made.parse_args()
    prepare_process(options.threads)
    with working_folder(options.work) as folder:
        sources = picture_paths(options.photos, options.pictures)
        photos = folder / "photos"
        paths = make_pictures(sources, photos, count=options.pictures, size=tuple(options.size))
        describe_setup(pictures=sizes(paths), entries=options.entries, per_file=options.per_file)
        _releases(folder, photos, options)
        _questions(folder, options)
    return 0


def _releases(folder: Path, photos: Path, options) -> None:
    times, peaks, bytes_ = {}, {}, {}
    ways = {"without": (), "with": ("--c2pa", *options.c2pa)}
    for number in range(options.rounds):
        for name in ways if number % 2 == 0 else reversed(ways):
            archive, out = folder / f"{name}-{number}", folder / f"out-{name}-{number}"
            run_command("homing", "init", archive)
            took, peak, _ = run_command(
                "homing", "release", archive, photos, "--out", out, *ways[name]
            )
            times.setdefault(name, []).append(took)
            peaks[name] = max(peaks.get(name, 0), peak)
            bytes_[name] = sum(file.stat().st_size for file in out.iterdir())
    ratios = [a / b for a, b in zip(times["with"], times["without"], strict=True)]
    print(f"seconds, with over without: {statistics.median(ratios):.3f} {sorted(ratios)}")
    print(f"peak memory, with over without: {peaks['with'] / peaks['without']:.3f}")
    added = (bytes_["with"] - bytes_["without"]) / options.pictures
    print(f"bytes added to a file: {added:.0f}", flush=True)


def _questions(folder: Path, options) -> None:
    import lance

    import homing
    from homing.errors import EntryNotFoundError

    path = folder / "made-up"
    codebook = homing.create(path, codebook="IVF1024,PQ8x8").codebook
    record = str(path / "entries.lance")
    schema = lance.dataset(record).schema

    def write(first: int, count: int) -> None:
        import pyarrow as pa

        batches = _batches(codebook, schema, first, count)
        reader = pa.RecordBatchReader.from_batches(schema, batches)
        lance.write_dataset(reader, record, mode="append", max_rows_per_file=options.per_file)

    def ask(number: int) -> float:
        start = time.perf_counter()
        try:
            archive.manifest_store(_manifest(number))
        except EntryNotFoundError as error:
            require("has no released file" in str(error), str(error))
        return 1e3 * (time.perf_counter() - start)

    write(0, options.entries)
    archive = homing.open(path)
    before = resident()
    first = ask(7)
    print(f"first question: {first:.0f} ms, {(resident() - before) / MEGABYTE:.0f} MiB more")
    asked = [ask(int(n)) for n in np.linspace(0, options.entries - 1, 100)]
    print(f"further questions: {statistics.median(asked):.2f} ms, at most {max(asked):.2f}")
    write(options.entries, 64)
    after = ask(options.entries + 3)
    print(f"after a commit of 64 entries: {after:.1f} ms")


def _manifest(number: int) -> str:
    return f"urn:c2pa:{number:08x}-0000-4000-8000-000000000000"


def _batches(codebook, schema, first: int, count: int) -> Iterator:
    import pyarrow as pa
    from _rows import rows_of

    generator = np.random.default_rng(first)
    for start in range(first, first + count, _BLOCK):
        numbers = range(start, min(start + _BLOCK, first + count))
        vectors = generator.standard_normal((len(numbers), codebook.dimension), dtype=np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        batch = rows_of(codebook, schema, [f"{n:07}.jpg" for n in numbers], vectors)
        told = [json.dumps({"c2pa_manifest": _manifest(n)}) for n in numbers]
        place = schema.get_field_index("metadata")
        yield batch.set_column(place, schema.field("metadata"), pa.array(told, pa.string()))


if __name__ == "__main__":
    sys.exit(main())
