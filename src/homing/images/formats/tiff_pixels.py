"""TIFF pixels: strips and tiles decoded, each bounded by the size its directory claims.

Not left to a general reader, because a strip may be a deflate bomb: the decoders called here never
return more than the directory says a strip holds.
"""

import zlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from homing.errors import PictureError
from homing.images.formats.tiff import COMPRESSIONS, PALETTE, WHITE_IS_ZERO, TiffHeader
from homing.images.limits import check_pixels, decoder_errors_as
from homing.images.pixels import Pixels
from homing.options import Limits

_MOST_BLOCKS = 100_000  # of a plane; the tallest pictures have as many rows
_REAL_DIFFERENCES = 3  # predictor
_HIGHLIGHTS = 16.0  # light up to which real numbers have their white at 1
_ROWS = 256  # shown together
_SHARED = 4  # times that each byte may be used: writers let equal tiles share theirs


def decode_tiff(
    data: bytes, header: TiffHeader, limits: Limits, *, known: int | None = None
) -> Pixels:
    """Decode a TIFF without a refusal to (h, w, c), uint8 or uint16.

    c is 1 grey, 2 grey and alpha, 3 RGB, or 4 RGB and alpha; palettes are expanded and inverted
    grey is turned. One tile may have at most ``limits.max_pixels``. Where only the first `known`
    bytes of a file are there, strips are decoded as far as they go.
    """
    with decoder_errors_as("the TIFF is truncated or damaged"):
        samples = _assemble(data, header, limits, known)
    if header.photometric == WHITE_IS_ZERO:
        samples[..., 0] = ~samples[..., 0]
    if header.photometric == PALETTE:
        return _expand(samples, header)
    return samples


def _expand(samples: Pixels, header: TiffHeader) -> npt.NDArray[np.uint8]:
    """Look palette indices up; a sample beyond the index is alpha."""
    table = header.directory.numbers(320)
    if len(table) != 768:
        raise PictureError("the TIFF's palette is damaged; export it again")
    # 16-bit entries by the standard; some writers put 8-bit ones.
    scale = 8 if max(table) > 255 else 0
    colours = (np.array(table, np.uint32).reshape(3, 256).T >> scale).astype(np.uint8)
    expanded = colours[samples[..., 0]]
    if samples.shape[2] == 1:
        return expanded
    return np.concatenate([expanded, samples[..., 1:].astype(np.uint8)], axis=2)


def decode_measured(data: bytes, header: TiffHeader, limits: Limits) -> npt.NDArray[np.uint16]:
    """Decode a TIFF whose samples are real, signed or of 32 bits to (h, w, c) of 16 bits.

    They count from zero, or from the least if it is below. 1 is white unless there is much that is
    brighter; then it is 255, 65535, or the next power of two of the largest, less one.
    """
    wide = 2 if (header.sort == "f" and header.depth > 16) or header.depth == 32 else 1
    check_pixels(header.width, wide * header.height, limits)
    with decoder_errors_as("the TIFF is truncated or damaged"):
        samples = _assemble(data, header, limits)
    shown = np.empty(samples.shape, np.uint16)
    if samples.dtype.kind == "f":
        np.nan_to_num(samples, copy=False, nan=0, posinf=0, neginf=0)
    least, largest = min(float(samples.min()), 0.0), float(samples.max())
    white = 1.0
    if samples.dtype.kind != "f" or largest - least > _HIGHLIGHTS:
        white = float(max(1 << int(largest - least).bit_length(), 256) - 1)
    for top in range(0, header.height, _ROWS):
        light = (samples[top : top + _ROWS].astype(np.float64) - least) / white
        if header.photometric == WHITE_IS_ZERO:
            light[..., 0] = 1 - light[..., 0]
        shown[top : top + _ROWS] = np.rint(light.clip(0, 1) * 65535)
    return shown


def _assemble(data: bytes, header: TiffHeader, limits: Limits, known: int | None = None) -> Pixels:
    """Decode each strip or tile into its place."""
    import imagecodecs

    directory = header.directory
    stored = np.dtype(f"{directory.order}{header.sort}{header.depth // 8}")
    separate = directory.number(284, 1) == 2
    planes = header.samples if separate else 1
    channels = 1 if separate else header.samples
    kept = np.dtype(np.float32) if stored.kind == "f" else stored.newbyteorder("=")
    out = np.empty((header.height, header.width, header.samples), kept)
    codec = COMPRESSIONS[directory.number(259, 1)]
    predictor = directory.number(317, 1)
    blocks = _blocks(header, planes, *check_blocks(data, header, limits))
    parts = _parts(data, header, len(data) if known is None else known)
    for (plane, top, left, rows, columns), part in zip(blocks, parts, strict=True):
        expected = rows * columns * channels * stored.itemsize
        flat = _decode_part(part, expected, codec, whole=known is None)
        block = np.frombuffer(flat, stored).reshape(rows, columns, channels)
        if predictor == 2:
            block = np.cumsum(block, axis=1, dtype=out.dtype)
        elif predictor == _REAL_DIFFERENCES:
            block = imagecodecs.floatpred_decode(block, axis=-2)
        height, width = min(rows, header.height - top), min(columns, header.width - left)
        channel = slice(plane, plane + 1) if separate else slice(None)
        out[top : top + height, left : left + width, channel] = block[:height, :width]
    return out


def check_blocks(data: bytes, header: TiffHeader, limits: Limits) -> tuple[int, int]:
    """Refuse strips or tiles that decode to far more than the picture; return their size.

    Their size is in columns and rows.
    """
    directory = header.directory
    columns, rows = directory.number(322, 0), directory.number(323, 0)
    tiled = 324 in directory.entries
    if not tiled:
        columns = header.width
        rows = min(directory.number(278, header.height), header.height)
    check_pixels(columns, rows, limits)
    across, down = -(-header.width // columns), -(-header.height // rows)
    check_pixels(across * columns, (down * rows if tiled else header.height), limits)
    if across * down > _MOST_BLOCKS:
        raise PictureError(f"the TIFF is cut into {across * down} parts; save it in larger ones")
    if sum(directory.numbers(325 if tiled else 279)) > _SHARED * len(data):
        raise PictureError("the TIFF's parts lie over each other; export it again")
    return columns, rows


def _blocks(
    header: TiffHeader, planes: int, columns: int, rows: int
) -> Iterator[tuple[int, int, int, int, int]]:
    """Yield plane, top, left, rows and columns of each strip or tile."""
    tiled = 324 in header.directory.entries
    for plane in range(planes):
        for top in range(0, header.height, rows):
            for left in range(0, header.width, columns):
                # Tiles are whole beyond the border, the last strip is not.
                yield plane, top, left, rows if tiled else min(rows, header.height - top), columns


def _parts(data: bytes, header: TiffHeader, known: int) -> Iterator[memoryview]:
    """Yield the coded bytes of each strip or tile, as far as the file is known."""
    directory = header.directory
    tiled = 324 in directory.entries
    offsets = directory.numbers(324 if tiled else 273)
    counts = directory.numbers(325 if tiled else 279)
    if not counts and len(offsets) == 1:  # old writers of one strip left the count out
        counts = (len(data) - offsets[0],)
    if not offsets or len(offsets) != len(counts):
        raise PictureError("the TIFF does not say where its pixels are; export it again")
    view = memoryview(data)
    for offset, count in zip(offsets, counts, strict=True):
        if offset + count > len(data):
            raise PictureError("the TIFF is truncated; export or download it again")
        yield view[offset : min(offset + count, known)]


def _decode_part(
    part: memoryview, expected: int, codec: str, *, whole: bool = True
) -> bytes | bytearray | memoryview:
    """Return exactly `expected` decoded bytes; zeros for what is missing, unless `whole`."""
    if not whole:
        try:
            there = bytes(_decode_bytes(part, expected, codec))
        except (RuntimeError, ValueError, zlib.error):
            there = b""
        return there[:expected].ljust(expected, b"\0")
    found = _decode_bytes(part, expected, codec)
    if len(found) < expected:
        raise PictureError("the TIFF is truncated or damaged; export it again")
    return found[:expected]


def _decode_bytes(part: memoryview, expected: int, codec: str) -> bytes | bytearray | memoryview:
    """Return at most `expected` decoded bytes."""
    import imagecodecs

    found: bytes | bytearray | memoryview
    if codec == "none":
        found = part[:expected]
    elif codec == "deflate":
        found = zlib.decompressobj().decompress(part, expected)
    elif codec == "lzw":
        found = imagecodecs.lzw_decode(bytes(part), out=expected)
    else:
        found = imagecodecs.packbits_decode(bytes(part), out=expected)
    return found
