"""Forms of a table's index in Lance: whose codes it holds, and of which column.

"codebook": the stored codes of the codebook, as the memory engine has them. "rq" and "sq": codes
that Lance makes of the stored vectors, by RaBitQ (Gao, Long, "RaBitQ", 2024; one bit a component)
or of one byte a component. The cells are the stored ones in all forms, and the centroids the
codebook's; of the last two forms in half precision, as the vectors are.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from homing.archive.table.generations import CODE
from homing.archive.table.lance_internals import rabitq_model
from homing.archive.table.table import Table
from homing.codebooks.codebook import Codebook
from homing.search.engines.lance import INDEX_CODES

VECTOR = "vector"

_PREFIXES = {"codebook": "codes", "rq": "rq", "sq": "sq"}  # of the index's name
_RQ_BITS = 1


@dataclass(frozen=True)
class IndexForm:
    """An index for a codebook, and the codes that it holds: one of `INDEX_CODES`."""

    codebook: Codebook
    codes: str = "codebook"

    @property
    def name(self) -> str:
        """Name of the index, which tells codebook and codes."""
        return f"{_PREFIXES[self.codes]}-{self.codebook.fingerprint[:16]}"

    @property
    def value(self) -> str:
        """Column of the table from which the codes come."""
        return CODE if self.codes == "codebook" else VECTOR

    def column(self, table: Table) -> str:
        """Column that the index is bound to: an empty one if Lance is to take codes as they are."""
        return table.indexed_column if self.codes == "codebook" else VECTOR

    @property
    def value_type(self) -> pa.DataType:
        """Type of the values that Lance's builder is given."""
        if self.codes != "codebook":
            return pa.list_(pa.float16(), self.codebook.dimension)
        if self.codebook.factory.fine == "Flat":
            return pa.list_(pa.float32(), self.codebook.dimension)
        return pa.list_(pa.uint8(), self.codebook.code_size)

    @property
    def value_name(self) -> str:
        """Name of the values there."""
        if self.codes != "codebook":
            return VECTOR
        return "flat" if self.codebook.factory.fine == "Flat" else "__pq_code"

    @property
    def value_bytes(self) -> int:
        """Bytes of one value."""
        kind = self.value_type
        return int(kind.list_size * kind.value_type.bit_width // 8)

    @cached_property
    def centroids(self) -> NDArray[np.float32] | NDArray[np.float16]:
        """Centroids of the cells; without cells one, at the origin."""
        if not self.codebook.factory.cells:
            found = np.zeros((1, self.codebook.dimension), np.float32)
        elif self.codes == "codebook":
            return np.array(self.codebook.arrays["coarse"])
        else:
            found = self.codebook.partition.undo(self.codebook.arrays["coarse"])
        return found if self.codes == "codebook" else found.astype(np.float16)

    @property
    def model(self) -> str | None:
        """Frozen rotation of RaBitQ codes, as Lance takes it; None of other codes."""
        if self.codes != "rq":
            return None
        seed = hashlib.sha256(self.codebook.fingerprint.encode()).digest()
        return rabitq_model(self.codebook.dimension, _RQ_BITS, seed)

    @property
    def arguments(self) -> dict[str, Any]:
        """Arguments of Lance's builder."""
        options: dict[str, Any] = {
            "num_partitions": len(self.centroids),
            "ivf_centroids": self.centroids,
        }
        if self.codes == "rq":
            given = {"rabitq_model": self.model, "num_bits": _RQ_BITS}
            return options | {"index_type": "IVF_RQ"} | given
        if self.codes == "sq":
            return options | {"index_type": "IVF_SQ"}
        if self.codebook.factory.fine == "Flat":
            return options | {"index_type": "IVF_FLAT"}
        return options | {
            "index_type": "IVF_PQ",
            "pq_codebook": np.array(self.codebook.arrays["pq"]),
            "num_sub_vectors": self.codebook.factory.sub_quantizers,
        }

    def queries(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map descriptors (n, D) to what is compared with the index's values."""
        return self.codebook.inner(vectors) if self.codes == "codebook" else vectors


def forms_of(codebook: Codebook) -> list[IndexForm]:
    """Return all forms of an index for a codebook."""
    return [IndexForm(codebook, codes) for codes in INDEX_CODES]


def stored_form(table: Table, codebook: Codebook) -> IndexForm:
    """Return the form of the index in place, or the one that it gets by default."""
    names = {index.name for index in table.dataset.describe_indices()}
    forms = forms_of(codebook)
    return next((form for form in forms if form.name in names), forms[0])
