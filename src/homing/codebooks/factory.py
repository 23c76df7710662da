"""Factory strings: a codebook's quantizer in the notation of Faiss."""

import re
from dataclasses import dataclass
from typing import Any, Literal

from homing.errors import CodebookError

ACCEPTED_FORMS = (
    "IVFn,Flat",
    "IVFn,PQmx8",
    "OPQm,IVFn,PQmx8",
    "PQm",
    "OPQm,PQm",
    "PCAk,LSH",
    "LSH",
    "IVFn,SQ8",
    "PQmx4fs",
    "IVFn,PQmx4fs",
    "IVFn,PQmx4fsr",
    "OPQm,IVFn,PQmx4fsr",
    "IVFn,RaBitQ",
    "RRd,IVFn,RaBitQ",
    "IVFn_HNSWl,…",
)
"""The forms of a factory string: n cells, m parts of a product quantizer, k components, l links.

4-bit codes for Faiss's fast scan are of vectors ("fs") or of residuals ("fsr").
"""

_RABITQ_FACTORS = 8  # bytes beside the signs
_LINKS = range(2, 513)  # of a graph
_MOST = 1 << 24  # more cells, bytes or components than this are typing mistakes
_PATTERN = re.compile(
    r"(?:OPQ(?P<rotation>\d{1,9}),|PCA(?P<components>\d{1,9}),|RR(?P<turned>\d{1,9}),)?"
    r"(?:IVF(?P<cells>\d{1,9})(?:_HNSW(?P<links>\d{1,9}))?,)?"
    r"(?:(?P<plain>Flat|SQ8|LSH|RaBitQ)|PQ(?P<sub_quantizers>\d{1,9})(?:x8|x4(?P<scan>fsr?))?)",
    re.ASCII | re.IGNORECASE,
)
_PLAIN = {"flat": "Flat", "sq8": "SQ8", "lsh": "LSH", "rabitq": "RaBitQ"}


@dataclass(frozen=True)
class Factory:
    """A parsed factory string; ``str(factory)`` is its canonical spelling.

    `fine` stands for a vector inside its cell: the vector itself, a product-quantizer code (Jégou,
    Douze, Schmid, "Product quantization for nearest neighbor search", 2011), one byte per
    component, or one sign bit per component, of the vector (LSH) or of its residual, with two
    factors that make distances unbiased (Gao, Long, "RaBitQ", 2024). A number is 0 if the quantizer
    has no such part.
    """

    fine: Literal["Flat", "PQ", "SQ8", "LSH", "RaBitQ"]
    cells: int = 0  # coarse cells (inverted lists)
    sub_quantizers: int = 0  # parts of a PQ code, each an index into 256 centroids, or 16
    rotation: int = 0  # sub-quantizers of an OPQ rotation in front (Ge et al., 2013)
    components: int = 0  # components that a PCA in front retains
    scan: Literal["", "fs", "fsr"] = ""  # 4-bit codes (André, Kermarrec, Le Scouarnec, 2015)
    turned: int = 0  # components of a random rotation in front: all
    links: int = 0  # of each centroid in a graph (Malkov, Yashunin, 2018) that searches walk

    def __str__(self) -> str:
        front = f"OPQ{self.rotation}," if self.rotation else ""
        front += f"PCA{self.components}," if self.components else ""
        front += f"RR{self.turned}," if self.turned else ""
        graph = f"_HNSW{self.links}" if self.links else ""
        coarse = f"IVF{self.cells}{graph}," if self.cells else ""
        fine = f"PQ{self.sub_quantizers}x{self.bits}{self.scan}"
        return front + coarse + (fine if self.fine == "PQ" else self.fine)

    @property
    def bits(self) -> int:
        """Bits of each part of a PQ code."""
        return 4 if self.scan else 8

    @property
    def is_residual(self) -> bool:
        """Whether codes are of residuals to the centroid, not of vectors."""
        return bool(self.cells) and self.fine in ("PQ", "SQ8", "RaBitQ") and self.scan != "fs"

    @property
    def has_rotation(self) -> bool:
        """Whether a rotation or reduction is in front."""
        return bool(self.rotation or self.components or self.turned)

    def inner_dimension(self, dimension: int) -> int:
        """Length of the vectors after a rotation or reduction in front."""
        return self.components or dimension

    def code_size(self, dimension: int) -> int:
        """Bytes of one code, without the cell's number."""
        inner = self.inner_dimension(dimension)
        return {
            "Flat": 4 * inner,
            "PQ": (self.sub_quantizers * self.bits + 7) // 8,
            "SQ8": inner,
            "LSH": (inner + 7) // 8,
            "RaBitQ": (inner + 7) // 8 + _RABITQ_FACTORS,
        }[self.fine]

    def array_shapes(self, dimension: int) -> dict[str, tuple[int, ...]]:
        """Names and shapes of the float32 arrays of such a codebook, sorted by name."""
        inner = self.inner_dimension(dimension)
        shapes: dict[str, tuple[int, ...]] = {}
        if self.cells:
            shapes["coarse"] = (self.cells, inner)
        if self.fine == "PQ":
            sub_dimension = inner // self.sub_quantizers
            shapes["pq"] = (self.sub_quantizers, 2**self.bits, sub_dimension)
        if self.has_rotation:
            shapes["rotation"] = (inner, dimension)
        if self.components:
            shapes["rotation_bias"] = (inner,)
        if self.fine == "SQ8":
            shapes["scalar"] = (2, inner)
        return shapes

    def least_vectors(self, dimension: int) -> int:
        """Fewest vectors that training is possible from."""
        inner = self.inner_dimension(dimension)
        products = 2**self.bits if self.fine == "PQ" else 1
        square = inner if self.rotation or self.components else 1
        return max(self.cells, products, square)

    def advised_vectors(self, dimension: int) -> int:
        """Fewest vectors that training is sound from: Faiss's rule of 39 per centroid."""
        centroids = max(self.cells, 2**self.bits if self.fine == "PQ" else 1)
        return max(39 * centroids, self.least_vectors(dimension))

    def check_dimension(self, dimension: int) -> None:
        """Refuse a vector length that this quantizer cannot be made for."""
        if not 1 <= dimension <= _MOST:
            raise CodebookError(f"A codebook for vectors of length {dimension} cannot be made.")
        if self.components > dimension:
            raise CodebookError(
                f"{self} keeps {self.components} components, and vectors of length {dimension} "
                f"have fewer: choose PCA{dimension} or less."
            )
        if self.turned not in (0, dimension):
            raise CodebookError(
                f"{self} turns vectors of length {self.turned}, and these have {dimension}: "
                f"write RR{dimension}."
            )
        if self.fine == "PQ" and dimension % self.sub_quantizers:
            raise CodebookError(
                f"{self} cuts vectors into {self.sub_quantizers} equal parts, which a length of "
                f"{dimension} does not allow: choose a divisor of {dimension}."
            )


def parse_factory(text: "str | Factory") -> Factory:
    """Parse a factory string of one of :data:`ACCEPTED_FORMS`; ``PQ8`` means ``PQ8x8``.

    Capitals and blanks do not matter. A `Factory` is returned as it is. `CodebookError` names the
    accepted forms.
    """
    if isinstance(text, Factory):
        return text
    factory = _parsed(text)
    if factory is None:
        raise CodebookError(
            f"{text!r} is not a codebook that homing can make. Accepted forms: "
            f"{'; '.join(ACCEPTED_FORMS)}, with n cells, m parts a code, k components, l links of "
            f"{_LINKS[0]} to {_LINKS[-1]}."
        )
    return factory


def is_factory(text: str) -> bool:
    """Return whether :func:`parse_factory` takes a string."""
    return _parsed(text) is not None


def _parsed(text: str) -> Factory | None:
    match = _PATTERN.fullmatch("".join(text.split()))
    if match is None:
        return None
    groups = match.groupdict()
    fine: Any = _PLAIN.get((groups.pop("plain") or "").lower(), "PQ")
    scan: Any = (groups.pop("scan") or "").lower()
    numbers = {name: int(value) for name, value in groups.items() if value}
    factory = Factory(fine, scan=scan, **numbers)
    return factory if _is_accepted(factory, numbers) else None


def _is_accepted(factory: Factory, numbers: dict[str, int]) -> bool:
    """Return whether a parsed combination is one of the forms; the pattern allows a few more."""
    if not all(0 < value <= _MOST for value in numbers.values()):
        return False
    if "links" in numbers and factory.links not in _LINKS:
        return False
    if factory.fine == "LSH":
        return not (factory.cells or factory.rotation or factory.turned)
    if factory.components or (factory.turned and factory.fine != "RaBitQ"):
        return False
    if factory.fine == "PQ":
        if factory.scan == "fsr" and not factory.cells:
            return False
        return factory.rotation in (0, factory.sub_quantizers)
    return bool(factory.cells) and not factory.rotation
