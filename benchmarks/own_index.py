"""Indexes of others: cells as Faiss's at real sizes, copies that stay in them, probes in Postgres.

cells: vectors against Faiss's own answers, with 1,024 cells of 256 components. copies: how many
copies of pictures, edited as in the paper, are in their picture's cell, untouched and activated for
that index. postgres: one probe among synthetic entries (needs pgserver). codes: what Lance's index
finds and takes for each kind of codes (with --photos their vectors, otherwise synthetic ones).
"""

import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _common import describe_setup, make_parser, picture_paths, prepare_process

BUNDLED = "homing-s-IVF1024-PQ8x8"
FORMS = (
    ("IVF1024,SQ8", "L2"),
    ("IVF1024,SQ8", "IP"),
    ("IVF1024_HNSW32,SQ4", "L2"),
    ("IVF1024_HNSW32,SQ4", "IP"),
    ("L2norm,RR128,IVF1024,SQ8", "L2"),
    ("PCA128,IVF1024,SQ8", "IP"),
    ("PCAW64,IVF1024,SQ8", "L2"),
    ("IVF1024(RQ2x5),SQ4", "L2"),
)
_NEAREST, _PROBES = 10, 16
_DISTINCT = 4096  # synthetic vectors in Postgres


def main() -> int:
    """Measure a part, and print it."""
    parser = make_parser(__doc__ or "", photos=False)
    parser.add_argument("part", choices=("cells", "copies", "postgres", "codes"))
    parser.add_argument("--photos", type=Path, help="folder, for copies")
    parser.add_argument("--count", type=int, help="vectors, pictures or entries")
    parser.add_argument("--forms", nargs="*", type=int, help="numbers of forms; all by default")
    options = parser.parse_args()
    prepare_process(options.threads)
    forms = [FORMS[n] for n in options.forms or range(len(FORMS))]
    if options.part == "cells":
        _cells(forms, options.count or 100_000)
    elif options.part == "copies":
        _copies(forms, picture_paths([options.photos], options.count or 24))
    elif options.part == "postgres":
        _postgres(options.count or 1_000_000)
    else:
        _codes(options.photos, options.count or 20_000)
    return 0


def _vectors(count: int, seed: int) -> np.ndarray:
    """Return unit vectors around the centroids of the bundled codebook."""
    import homing

    centroids = homing.load_codebook(BUNDLED).partition.centroids
    assert centroids is not None
    generator = np.random.default_rng(seed)
    found = centroids[generator.integers(len(centroids), size=count)]
    found = found + generator.standard_normal(found.shape).astype(np.float32) * 0.04
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def _index(form: str, metric: str) -> Any:
    import faiss

    kinds = {"L2": faiss.METRIC_L2, "IP": faiss.METRIC_INNER_PRODUCT}
    index = faiss.index_factory(256, form, kinds[metric])
    faiss.extract_index_ivf(index).cp.niter = 5
    index.train(_vectors(20_000, 0))
    return index


def _cells(forms: Sequence[tuple[str, str]], count: int) -> None:
    import homing

    describe_setup(vectors=count)
    vectors = _vectors(count, 1)
    for form, metric in forms:
        index = _index(form, metric)
        began = time.perf_counter()
        ours = homing.codebook_from_faiss(index).cells(vectors)
        seconds = time.perf_counter() - began
        together, alone = (_by_faiss(index, vectors, step) for step in (count, 1))
        print(
            f"{form:26} {metric}  homing from Faiss, all at once: {np.sum(ours != together)}, one "
            f"by one: {np.sum(ours != alone)}; Faiss from itself: {np.sum(alone != together)} "
            f"({seconds:.1f} s)",
            flush=True,
        )


def _by_faiss(index: Any, vectors: np.ndarray, step: int) -> np.ndarray:
    """Return the cells that Faiss assigns, so many vectors at a time."""
    import faiss

    chain = []
    if isinstance(index, faiss.IndexPreTransform):
        numbers = range(index.chain.size())
        chain = [faiss.downcast_VectorTransform(index.chain.at(number)) for number in numbers]
    quantizer = faiss.extract_index_ivf(index).quantizer
    found = []
    for first in range(0, len(vectors), step):
        part = vectors[first : first + step]
        for each in chain:
            part = each.apply(part)
        found.append(quantizer.search(part, 1)[1][:, 0])
    return np.concatenate(found)


def _copies(forms: Sequence[tuple[str, str]], paths: Sequence[Path]) -> None:
    from PIL import Image

    import homing
    from homing.edits import paper_edits

    describe_setup(pictures=len(paths))
    descriptor = homing.load_descriptor("homing-s")
    edits = paper_edits(with_random=False)
    pictures = []
    for path in paths:
        with Image.open(path) as image:
            pictures.append(image.convert("RGB"))
        pictures[-1].thumbnail((320, 320))

    def kept(codebook: Any, images: Sequence[Image.Image]) -> float:
        shares = []
        for image in images:
            copies = [edit.apply(image, np.random.default_rng(0)) for edit in edits]
            cells = codebook.cells(descriptor.describe([image, *copies]))
            shares.append(np.mean(cells[1:] == cells[0]))
        return float(np.mean(shares))

    books = [(f"bundled {BUNDLED}", homing.load_codebook(BUNDLED))]
    for form, metric in forms:
        books.append((f"{form} {metric}", homing.codebook_from_faiss(_index(form, metric))))
    for name, codebook in books:
        before = kept(codebook, pictures)
        after = kept(codebook, homing.activate(pictures, descriptor, codebook))
        print(f"{name:32} copies in the picture's cell: {before:.3f} -> {after:.3f}", flush=True)


def _codes(photos: Path | None, count: int) -> None:
    import homing

    vectors, queries = _described(photos, count)
    describe_setup(entries=len(vectors), queries=len(queries), k=_NEAREST, probes=_PROBES)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "archive"
        archive = homing.create(path, codebook=BUNDLED)
        archive.add_vectors([f"{number:08}" for number in range(len(vectors))], vectors)
        every: dict[str, Any] = {"k": _NEAREST, "probes": _PROBES}
        exact = archive.search_vectors(queries, rerank=len(vectors), **every).ids
        for codes in ("codebook", "rq", "sq"):
            archive.index(codes=codes)
            size = sum(file.stat().st_size for file in _newest_index(path))
            opened = homing.open(path, engine="lance")
            opened.warm()
            shares = []
            for rerank in (0, 64):
                began = time.process_time()
                found = opened.search_vectors(queries, rerank=rerank, **every).ids
                spent = 1000 * (time.process_time() - began) / len(queries)
                there = [
                    len(set(ours) & set(theirs)) / len(set(theirs))
                    for ours, theirs in zip(found.tolist(), exact.tolist(), strict=True)
                ]
                first = np.mean(found[:, 0] == exact[:, 0])
                shares.append(
                    f"rerank {rerank}: {np.mean(there):.3f} of {_NEAREST}, first {first:.3f}, "
                    f"{spent:.2f} ms"
                )
            print(f"{codes:9} {size / len(vectors):6.1f} bytes an entry; {'; '.join(shares)}")


def _newest_index(archive: Path) -> list[Path]:
    """Return the files of the index in use, without what is the same whatever the entries."""
    import lance

    dataset = lance.dataset(str(archive / "entries.lance"))
    uuids = {segment.uuid for index in dataset.describe_indices() for segment in index.segments}
    folder = archive / "entries.lance" / "_indices"
    return [folder / str(uuid) / "auxiliary.idx" for uuid in uuids]


def _described(photos: Path | None, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return vectors of entries, and of queries that are edited copies of some."""
    if photos is None:
        return _vectors(count, 1), _vectors(500, 2)
    from PIL import Image

    import homing
    from homing.edits import paper_edits

    paths = picture_paths([photos], count)
    descriptor = homing.load_descriptor("homing-s")
    edits, copies = paper_edits(with_random=False), []
    for number, path in enumerate(paths[:: max(1, len(paths) // 250)]):
        with Image.open(path) as image:
            edit = edits[number % len(edits)]
            copies.append(edit.apply(image.convert("RGB"), np.random.default_rng(number)))
    return descriptor.describe(paths), descriptor.describe(copies)


def _postgres(count: int) -> None:
    import pgserver
    import psycopg

    import homing
    from homing.archive.exports.postgres import TABLES

    describe_setup(entries=count)
    codebook = homing.load_codebook(BUNDLED)
    vectors = _vectors(_DISTINCT, 2)
    cells = codebook.cells(vectors).tolist()
    texts = [str(vector.astype(float).round(4).tolist()) for vector in vectors]
    with tempfile.TemporaryDirectory() as folder:
        server = pgserver.get_server(folder)
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            for statement in TABLES:
                connection.execute(statement)
            columns = "id, generation, cell, state, file_sha256, vector"
            with connection.cursor().copy(f"COPY homing_entries ({columns}) FROM STDIN") as copy:
                for number in range(count):
                    kind = number % _DISTINCT
                    copy.write_row((str(number), 1, cells[kind], "added", b"", texts[kind]))
            print(f"{count:,} entries in {len(set(cells)):,} cells", flush=True)
            for how, statement in (
                ("as written", "ANALYZE homing_entries"),
                ("in the order of cells", "CLUSTER homing_entries USING homing_entries_by_cell"),
            ):
                connection.execute(statement)
                seconds = [_probe(connection, codebook, vector) for vector in _vectors(300, 3)]
                low, middle, high = (1e3 * q for q in np.quantile(seconds[50:], (0.05, 0.5, 0.95)))
                print(f"{how}: p5 {low:.1f} ms, p50 {middle:.1f} ms, p95 {high:.1f} ms", flush=True)
        server.cleanup()


def _probe(connection: Any, codebook: Any, vector: np.ndarray) -> float:
    query = (
        "SELECT id, vector <=> %s::vector AS distance FROM homing_entries "
        "WHERE generation = 1 AND cell = %s ORDER BY distance LIMIT 10"
    )
    began = time.perf_counter()
    cell = int(codebook.cells(vector[None])[0])
    connection.execute(query, (str(vector.tolist()), cell)).fetchall()
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
