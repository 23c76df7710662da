"""PNG's Adam7 interlacing taken apart: seven small pictures that make a large one.

libpng would do it, but as called here it warns on the terminal of every interlaced picture.
"""

import zlib
from collections.abc import Callable

import numpy as np

from homing.errors import PictureError
from homing.images.pixels import Pixels

# Column and row of the first pixel, and the steps to the next ones.
_PASSES = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)


def join_passes(
    coded: bytes,
    shape: tuple[int, int],
    pixel_bits: int,
    decode: Callable[[int, int, bytes], Pixels],
) -> Pixels:
    """Decode the seven passes and put their pixels in place.

    Parameters
    ----------
    coded : bytes
        Content of all IDAT chunks.
    shape : tuple of int
        Height and width of the whole picture.
    pixel_bits : int
        Bits of one pixel as stored.
    decode : callable
        Makes (height, width, c) pixels of a pass: its width, height and filtered rows.

    Returns
    -------
    numpy.ndarray
        (height, width, c).

    Raises
    ------
    PictureError
        If there are fewer rows than the size asks for.
    """
    height, width = shape
    sizes = [
        (max(0, -(-(width - left) // across)), max(0, -(-(height - top) // down)))
        for left, top, across, down in _PASSES
    ]
    lengths = [
        rows * (1 + -(-columns * pixel_bits // 8)) * bool(columns) for columns, rows in sizes
    ]
    raw = zlib.decompressobj().decompress(coded, sum(lengths))
    if len(raw) < sum(lengths):
        raise PictureError("the PNG is truncated or damaged: too few rows")
    out: Pixels | None = None
    at = 0
    for (left, top, across, down), (columns, rows), length in zip(
        _PASSES, sizes, lengths, strict=True
    ):
        if length:
            part = decode(columns, rows, raw[at : at + length])
            if out is None:  # the first pass has a pixel of every picture
                out = np.empty((height, width, part.shape[2]), part.dtype)
            out[top::down, left::across] = part
            at += length
    if out is None:
        raise PictureError("the PNG holds no pixels; export it again")
    return out
