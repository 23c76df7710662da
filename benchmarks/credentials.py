"""Cost of Content Credentials: a release's time and bytes, and finding a manifest by its id.

Pictures are activated and then signed; the times are processor times, which other work on the
machine affects least. Then manifests are looked up in a table of synthetic entries.
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
    describe_sizes,
    make_parser,
    make_pictures,
    picture_paths,
    prepare_process,
    require,
    resident_bytes,
    working_folder,
)

from homing.options import Activation

_BLOCK = 16_384


def main() -> int:
    """Measure and print the figures."""
    parser = make_parser(__doc__)
    parser.add_argument("--c2pa", nargs=2, required=True, metavar=("CHAIN", "KEY"), help="in PEM")
    parser.add_argument("--pictures", type=int, default=48)
    parser.add_argument("--size", type=int, nargs=2, default=(1600, 1200))
    parser.add_argument("--method", default=Activation.method, help="of activation")
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--per-file", type=int, default=512)
    options = parser.parse_args()
    prepare_process(options.threads)
    with working_folder(options.work) as folder:
        sources = picture_paths(options.photos, options.pictures)
        size = tuple(options.size)
        paths = make_pictures(sources, folder / "photos", count=options.pictures, size=size)
        describe_setup(
            pictures=describe_sizes(paths), entries=options.entries, per_file=options.per_file
        )
        _measure_signing(folder, paths, options)
        _measure_lookups(folder, options)
    return 0


def _measure_signing(folder: Path, paths: list[Path], options) -> None:
    import homing
    from homing.activation import Activated, Activator
    from homing.archive.ingest.sign import Seal
    from homing.archive.inputs import find_inputs
    from homing.options import Activation

    archive = homing.create(folder / "archive")
    activation = Activation(method=options.method)
    activator = Activator.of(archive.descriptor, archive.codebook, activation)
    inputs = find_inputs(paths)
    start = time.process_time()
    made = list(activator.run(item.path for item in inputs))
    activating = 1e3 * (time.process_time() - start) / len(made)
    seal = Seal.of(homing.ContentCredentials(*options.c2pa), activator)
    signing, added = [], []
    for item, activated in zip(inputs, made, strict=True):
        require(isinstance(activated, Activated), str(activated))
        start = time.process_time()
        _, signed = seal.put(item, activated)
        signing.append(1e3 * (time.process_time() - start))
        added.append(len(signed.data) - len(activated.data))
    each = statistics.median(signing)
    print(f"processor time: activating {activating:.0f} ms a picture, signing {each:.1f} ms")
    print(f"signing over activating: {each / activating:.3f}")
    print(f"bytes added to a file: {min(added)} to {max(added)}", flush=True)


def _measure_lookups(folder: Path, options) -> None:
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

    def time_lookup(number: int) -> float:
        start = time.perf_counter()
        try:
            archive.manifest_store(_manifest_id(number))
        except EntryNotFoundError as error:
            require("has no released file" in str(error), str(error))
        return 1e3 * (time.perf_counter() - start)

    write(0, options.entries)
    archive = homing.open(path)
    before = resident_bytes()
    first = time_lookup(7)
    print(f"first lookup: {first:.0f} ms, {(resident_bytes() - before) / MEGABYTE:.0f} MiB more")
    times = [time_lookup(int(n)) for n in np.linspace(0, options.entries - 1, 100)]
    print(f"further lookups: {statistics.median(times):.2f} ms, at most {max(times):.2f}")
    write(options.entries, 64)
    after = time_lookup(options.entries + 3)
    print(f"after a commit of 64 entries: {after:.1f} ms")


def _manifest_id(number: int) -> str:
    return f"urn:c2pa:{number:08x}-0000-4000-8000-000000000000"


def _batches(codebook, schema, first: int, count: int) -> Iterator:
    import pyarrow as pa
    from _rows import make_rows

    generator = np.random.default_rng(first)
    for start in range(first, first + count, _BLOCK):
        numbers = range(start, min(start + _BLOCK, first + count))
        vectors = generator.standard_normal((len(numbers), codebook.dimension), dtype=np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        batch = make_rows(codebook, schema, [f"{n:07}.jpg" for n in numbers], vectors)
        metadata = [json.dumps({"c2pa_manifest": _manifest_id(n)}) for n in numbers]
        place = schema.get_field_index("metadata")
        yield batch.set_column(place, schema.field("metadata"), pa.array(metadata, pa.string()))


if __name__ == "__main__":
    sys.exit(main())
