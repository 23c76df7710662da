"""The type of pixels of either depth."""

from typing import Any, TypeAlias

import numpy.typing as npt

Pixels: TypeAlias = npt.NDArray[Any]
"""Samples of a picture, uint8 or uint16: (h, w, c)."""
