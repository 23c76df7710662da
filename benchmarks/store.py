"""Requests and bytes of a search in an object store, by cells visited and places of an entry.

A server of the S3 protocol (moto, in this process) counts what searches of made-up entries ask for.
Each query visits cells that no query before it has, so that nothing comes from a cache; opening the
archive, its centroids and one query to warm up are not counted. By codes alone, and with the
vectors of the 64 nearest, which are read to be ranked.
"""

import os
import sys
import threading

import numpy as np
from _common import describe_setup, make_parser, prepare_process

QUERIES = 40


class CountingServer:
    """A server of the S3 protocol that counts requests and the bytes of its answers."""

    def __init__(self) -> None:
        from moto.server import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import make_server

        self._application = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True)
        self.requests = self.bytes = 0
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        """Return the address of the server."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def _answer(self, environ, start_response):
        def start(status, headers, *more):
            self.requests += 1
            named = {name.lower(): value for name, value in headers}
            self.bytes += int(named.get("content-length", 0))
            return start_response(status, headers, *more)

        return self._application(environ, start)


def main() -> int:
    """Print a table."""
    parser = make_parser(__doc__, photos=False)
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--codebook", default="homing-s-IVF1024-PQ8x8")
    parser.add_argument("--places", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--probes", type=int, nargs="+", default=[1, 2, 4, 16])
    options = parser.parse_args()
    prepare_process(options.threads)
    import logging

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = CountingServer()
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "homing",
        "AWS_SECRET_ACCESS_KEY": "homing",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT": server.address,
        "AWS_ALLOW_HTTP": "true",
    }
    _make_bucket(server.address)
    describe_setup(entries=options.entries, codebook=options.codebook)
    print("| places | cells | codes alone: requests, kB | re-ranked: requests, kB |")
    print("|---" * 4 + "|")
    for places in options.places:
        archive = make_archive(f"s3://bucket/places-{places}", options, places)
        for probes in options.probes:
            cells = []
            for rerank in (0, 64):
                cells.append(_count(server, archive, probes, rerank))
            shown = " | ".join(f"{asked:.1f}, {size / 1e3:.0f}" for asked, size in cells)
            print(f"| {places} | {probes} | {shown} |", flush=True)
    return 0


def _make_bucket(address: str) -> None:
    import urllib.request

    asked = urllib.request.Request(f"{address}/bucket", method="PUT")
    asked.add_header("Authorization", "AWS4-HMAC-SHA256 Credential=homing/x/us-east-1/s3/x")
    with urllib.request.urlopen(asked):
        pass


def make_archive(place: str, options, places: int):
    """Make an indexed archive of released entries, scattered around the codebook's own codes."""
    import lance
    import pyarrow as pa
    from _rows import make_rows
    from _synthetic import scattered

    import homing

    archive = homing.create(place, codebook=options.codebook, places=places)
    vectors = scattered(archive.codebook, options.entries, np.random.default_rng(0))
    table = f"{place}/entries.lance"
    schema = lance.dataset(table).schema
    ids = [f"{number:07}" for number in range(len(vectors))]
    rows = make_rows(archive.codebook, schema, ids, vectors, ["released"] * len(ids))
    reader = pa.RecordBatchReader.from_batches(schema, [rows])
    lance.write_dataset(reader, table, mode="append")
    archive = homing.open(place)
    archive.index()
    return archive


def _count(server: CountingServer, archive, probes: int, rerank: int) -> tuple[float, float]:
    """Return the mean requests and bytes of queries that visit cells for the first time."""
    from _synthetic import scattered

    import homing

    opened = homing.open(archive.path, engine="lance")  # without what others have cached
    queries = scattered(archive.codebook, 4000, np.random.default_rng(1))
    cells = archive.codebook.nearest_cells(queries, probes)
    seen: set[int] = set()
    chosen = []
    for query, visited in zip(queries, cells.tolist(), strict=True):
        if not seen & set(visited):
            seen |= set(visited)
            chosen.append(query)
    requests, size = [], []
    for query in chosen[: QUERIES + 1]:
        before = server.requests, server.bytes
        opened.search_vectors(query[None], k=1, probes=probes, rerank=rerank)
        requests.append(server.requests - before[0])
        size.append(server.bytes - before[1])
    return float(np.mean(requests[1:])), float(np.mean(size[1:]))


if __name__ == "__main__":
    sys.exit(main())
