"""Table rows of synthetic entries: vectors without pictures."""

import datetime
import hashlib
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from homing.archive.table.commit import quantize
from homing.archive.table.places import PLACES, most_places, places_of
from homing.codebooks import Codebook


def make_rows(
    codebook: Codebook,
    schema: pa.Schema,
    ids: Sequence[str],
    vectors: NDArray[np.float32],
    states: Sequence[str] | None = None,
) -> pa.RecordBatch:
    """Make the table rows of `vectors` (n, D); checksums are those of the ids.

    Without `states` all rows are "added". Released ones have the places that the schema asks for.
    """
    count = len(vectors)
    stored, cells, codes = quantize(codebook, vectors)
    digests = pa.array([hashlib.sha256(name.encode()).digest() for name in ids], pa.binary(32))
    released = [state == "released" for state in states or ["added"] * count]
    places = places_of(codebook, stored.astype(np.float32), released, most_places(schema))
    now = datetime.datetime.now(datetime.UTC)
    columns = {
        "id": pa.array(ids, pa.string()),
        "state": pa.array(states or ["added"] * count),
        "source_sha256": digests,
        "file_sha256": digests,
        "file": pa.nulls(count, pa.string()),
        "width": pa.array(np.full(count, 640, np.int32)),
        "height": pa.array(np.full(count, 480, np.int32)),
        "psnr": pa.nulls(count, pa.float32()),
        "created_at": pa.array([now] * count, pa.timestamp("us", tz="UTC")),
        "vector": pa.FixedSizeListArray.from_arrays(
            pa.array(stored.ravel(), pa.float16()), codebook.dimension
        ),
        "cell": pa.array(cells),
        "code": pa.array([code.tobytes() for code in codes], pa.binary(codebook.code_size)),
        "metadata": pa.nulls(count, pa.string()),
        "preview": pa.nulls(count, pa.string()),
        PLACES: pa.array(places, pa.binary()),
    }
    return pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)
