"""Loops compiled by numba."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import numba

_Function = TypeVar("_Function", bound=Callable[..., Any])

# A sum's terms may be taken in another order, so that several are added at once: always the same
# order for as many terms.
_REORDER = {"reassoc", "contract", "nsz"}


def compiled(function: _Function) -> _Function:
    """Compile at the first call, without the GIL, and keep the machine code where one can."""
    kept: _Function = _kept(numba.njit(nogil=True)(function))
    return kept


def compiled_sums(function: _Function) -> _Function:
    """Compile like :func:`compiled`, with sums that vector instructions compute."""
    kept: _Function = _kept(numba.njit(nogil=True, fastmath=_REORDER)(function))
    return kept


def _kept(compiled: Any) -> Any:
    with suppress(RuntimeError):  # no folder can be written
        compiled.enable_caching()
    return compiled
