"""Checks of the vectors, cells and codes that callers pass; `CodebookError` if they fail."""

import numpy as np
import numpy.typing as npt

from homing.codebooks.exact import LARGEST
from homing.codebooks.factory import Factory
from homing.errors import CodebookError


def check_vectors(
    vectors: npt.ArrayLike, dimension: int | None, purpose: str
) -> npt.NDArray[np.float32]:
    """Return vectors as contiguous float32, (n, dimension); `dimension` None takes any length.

    Refuses values that are not numbers, not finite, or beyond 1e15. `purpose` is for messages.
    """
    given = np.asarray(vectors)
    if given.dtype.kind not in "fiu" or given.ndim != 2 or dimension not in (None, given.shape[1]):
        wanted = "(n, dimension)" if dimension is None else f"(n, {dimension})"
        raise CodebookError(
            f"{purpose} takes vectors of shape {wanted}; got shape {given.shape} and type "
            f"{given.dtype}. Were they made by another descriptor?"
        )
    with np.errstate(over="ignore"):
        taken = np.ascontiguousarray(given, np.float32)
    usable = np.abs(taken).max(axis=1, initial=0) <= LARGEST  # false for NaN too
    if not usable.all():
        first = int(np.flatnonzero(~usable)[0])
        raise CodebookError(
            f"{int((~usable).sum())} of {len(taken)} vectors for {purpose} hold NaN, infinite or "
            f"absurdly large values (the first is row {first}): leave these out."
        )
    return taken


def check_cells(cells: npt.ArrayLike, count: int, factory: Factory) -> npt.NDArray[np.int32]:
    """Return `count` cell numbers of `factory` as int32."""
    given = np.asarray(cells)
    whole = np.issubdtype(given.dtype, np.integer) or not given.size
    if given.shape != (count,) or not whole:
        raise CodebookError(
            f"{count} cell numbers are needed, one a vector or code; got an array of shape "
            f"{given.shape} and type {given.dtype}."
        )
    cell_count = factory.cells or 1
    if count and not 0 <= int(given.min()) <= int(given.max()) < cell_count:
        raise CodebookError(
            f"Cells from {given.min()} to {given.max()} do not belong to {factory}, "
            f"which has the cells 0 to {cell_count - 1}."
        )
    return np.ascontiguousarray(given, np.int32)


def check_codes(codes: npt.ArrayLike, code_size: int, factory: Factory) -> npt.NDArray[np.uint8]:
    """Return codes, (n, code_size) uint8, contiguous."""
    given = np.asarray(codes)
    if given.dtype != np.uint8 or given.ndim != 2 or given.shape[1] != code_size:
        raise CodebookError(
            f"Codes of {factory} have the shape (n, {code_size}) and type uint8; "
            f"got {given.shape} and {given.dtype}."
        )
    return np.ascontiguousarray(given)


def check_count(count: int, most: int) -> int:
    """Return a number of cells to visit, at most all of them; refuse less than one."""
    if count < 1:
        raise CodebookError(f"{count} cells cannot be visited: give at least 1.")
    return min(count, most)
