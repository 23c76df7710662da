"""Make the codebooks that ship with homing, from a folder of photographs.

    python training/train_codebooks.py PHOTOS

describes the photographs and random edits of them with a bundled descriptor, trains one codebook
for each factory string, and writes them with their table into the package. Run it again whenever
the descriptor changes: a codebook belongs to one descriptor.
"""

import argparse
import hashlib
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

from homing.codebook_from_pictures import sampling_note, training_vectors
from homing.codebooks import BundledInfo, train_codebook
from homing.descriptors import Descriptor, load_descriptor
from homing.images import find_pictures
from homing.progress import Progress

_DATA = Path(__file__).parents[1] / "src" / "homing" / "codebooks" / "data"
_FACTORIES = (
    "IVF64,PQ8x8",
    "IVF256,PQ8x8",
    "IVF1024,PQ8x8",
    "IVF4096,PQ8x8",
    "OPQ16,IVF1024,PQ16x8",
)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("photos", type=Path, help="folder of photographs")
    parser.add_argument("--descriptor", default="homing-s")
    parser.add_argument("--per-picture", type=int, default=15, help="vectors for each photograph")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--factory", action="append", help=f"default: {' and '.join(_FACTORIES)}")
    parser.add_argument(
        "--out", type=Path, default=_DATA, help="folder for the codebooks and their table"
    )
    parser.add_argument(
        "--vectors", type=Path, help="file to store the vectors in (.npy); read if present"
    )
    return parser.parse_args()


def _training_vectors(
    options: argparse.Namespace, descriptor: Descriptor
) -> tuple[np.ndarray, int]:
    """Return the vectors and the number of their photographs."""
    if options.vectors and options.vectors.exists():
        stored = np.load(options.vectors, allow_pickle=False)
        return stored, len(stored) // options.per_picture
    paths = [found.path for found in find_pictures([options.photos])]
    start = time.monotonic()

    def report(step: Progress) -> None:
        left = (time.monotonic() - start) * (len(paths) / step.done - 1)
        print(f"{step.done} of {len(paths)} photographs, {left:.0f} s left", file=sys.stderr)

    vectors, failures = training_vectors(
        paths,
        descriptor,
        per_picture=options.per_picture,
        seed=options.seed,
        progress=report,
    )
    for failure in failures:
        print(f"skipped {failure.source}: {failure.reason}", file=sys.stderr)
    if options.vectors:
        np.save(options.vectors, vectors)
        readable = np.array([str(p) for p in paths if str(p) not in {f.source for f in failures}])
        names = np.repeat(readable, options.per_picture)
        np.save(options.vectors.with_name(f"{options.vectors.stem}_sources.npy"), names)
    return vectors, len(paths) - len(failures)


def main() -> None:
    """Train the codebooks and write them with the table of their checksums."""
    options = _options()
    descriptor = load_descriptor(options.descriptor)
    vectors, pictures = _training_vectors(options, descriptor)
    origin = sampling_note(pictures, options.per_picture)
    rows = []
    for factory in options.factory or _FACTORIES:
        start = time.monotonic()
        codebook = train_codebook(
            vectors,
            factory,
            seed=options.seed,
            descriptor=descriptor.fingerprint,
            descriptor_name=descriptor.name,
        )
        name = f"{descriptor.name}-{codebook.factory}".replace(",", "-")
        path = codebook.save(options.out / f"{name}.safetensors", overwrite=True)
        data = path.read_bytes()
        info = BundledInfo(
            name=name,
            factory=str(codebook.factory),
            dimension=codebook.dimension,
            cells=codebook.cell_count,
            descriptor=descriptor.fingerprint,
            descriptor_name=descriptor.name,
            fingerprint=codebook.fingerprint,
            size_bytes=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            origin=origin,
        )
        rows.append(asdict(info))
        rebuilt = codebook.decode(*codebook.encode_with_cells(vectors[:: options.per_picture]))
        error = float(np.square(rebuilt - vectors[:: options.per_picture]).sum(axis=1).mean())
        filled = np.bincount(codebook.cells(vectors), minlength=codebook.cell_count)
        print(
            f"{name}: {len(data)} bytes, {time.monotonic() - start:.0f} s, mean squared error "
            f"{error:.4f}, vectors a cell {filled.min()} to {filled.max()}"
        )
    table = json.dumps(rows, indent=2) + "\n"
    (options.out / "bundled.json").write_text(table, encoding="utf-8")


if __name__ == "__main__":
    main()
