"""Limits of one picture, the reading of its bytes, and the errors of foreign decoders."""

import io
import os
import re
import stat
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from PIL import Image

from homing.errors import PictureError, UsageError
from homing.options import DEFAULT_LIMITS, Limits

Source: TypeAlias = str | os.PathLike[str] | os.PathLike[bytes] | bytes | bytearray | memoryview
"""A path (``str`` or path-like), or the encoded file's bytes (``bytes`` and the like)."""

# Encoders write parts of 4 KiB and more; files of many small ones have a few dozen.
_FEW_PARTS, _PART = 1000, 512

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")  # two letters: no Windows drive

UNLIMITED = Limits(max_pixels=2**48, max_bytes=2**48)
"""For files that were read within limits before, or that homing wrote."""

DECODER_ERRORS = (
    OSError,  # most errors of Pillow, UnidentifiedImageError among them
    SyntaxError,  # a Pillow plugin does not recognise the file
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    EOFError,
    RuntimeError,  # base class of imagecodecs' errors
    NotImplementedError,
    MemoryError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
"""Errors that Pillow and imagecodecs raise on damaged files."""


@contextmanager
def decoder_errors_as(message: str) -> Iterator[None]:
    """Turn what Pillow and imagecodecs raise on damaged files into ``PictureError(message: …)``."""
    try:
        yield
    except DECODER_ERRORS as error:
        raise PictureError(f"{message}: {error}") from error


def shown(path: str | bytes | os.PathLike[str] | os.PathLike[bytes]) -> str:
    r"""Return a path as text that UTF-8 can hold; its other bytes stand as ``\xNN``."""
    try:
        name = os.fsencode(path)
    except UnicodeEncodeError:  # a lone surrogate that stands for no byte
        name = str(path).encode("utf-8", "backslashreplace")
    return name.decode("utf-8", "backslashreplace")


def check_pixels(width: int, height: int, limits: Limits) -> None:
    """Refuse a picture whose header claims no pixels, or more than the limits allow."""
    if width < 1 or height < 1:
        raise PictureError(f"the file claims {width} x {height} pixels; it is damaged or empty")
    if width * height > limits.max_pixels:
        raise PictureError(
            f"the file claims {width} x {height} pixels, more than the limit of "
            f"{limits.max_pixels}; raise the limit (--max-pixels) if you trust the file, or scale "
            "the picture down"
        )


def check_parts(count: int, size: int, kind: str) -> None:
    """Refuse a file of more parts (segments, chunks) than a picture of `size` bytes needs.

    Each takes a decoder more time than its few bytes take to send.
    """
    if count > _FEW_PARTS + size // _PART:
        raise PictureError(f"the {kind} is cut into more than {count - 1} parts; export it again")


def read_bytes(source: Source, *, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """Return the encoded file whole, never blocking and never reading more than is allowed.

    A :class:`PictureError` says what is wrong with the file: missing, not a regular file (a
    folder, pipe or device is never opened for reading), unreadable, empty or too large.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        _check_bytes(len(source) if not isinstance(source, memoryview) else source.nbytes, limits)
        return bytes(source)
    if not isinstance(source, str | os.PathLike):
        raise UsageError(f"a picture is a path or bytes, not {type(source).__name__}")
    try:
        return _read_file(os.fspath(source), limits)
    except FileNotFoundError as error:
        raise PictureError(_missing(Path(os.fsdecode(source)))) from error
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise PictureError(f"the file cannot be read: {reason}") from error
    except ValueError as error:  # a zero byte in the name
        raise PictureError(f"not a path: {error}") from error


def is_address(path: str | os.PathLike[str]) -> bool:
    """Return whether a user's path is an address, of the web or another store."""
    return _ADDRESS.match(os.fspath(path)) is not None


def _missing(path: Path) -> str:
    if path.is_symlink():
        return "a link to a file that is not there"
    return (
        "an address, not a file: download the picture first" if is_address(path) else "no such file"
    )


def open_unblocked(path: str | bytes | Path) -> io.FileIO:
    """Open a file for reading, without waiting for a writer if it is a pipe."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    return open(os.open(path, flags), "rb", buffering=0)  # noqa: PTH123 (bytes paths)


def _read_file(path: str | bytes, limits: Limits) -> bytes:
    """Read a regular file; refuse anything else before it can block."""
    _check_regular(os.stat(path))  # noqa: PTH116 (bytes paths have no pathlib)
    with open_unblocked(path) as file:
        status = os.fstat(file.fileno())  # since the check it may have become a pipe
        _check_regular(status)
        _check_bytes(status.st_size, limits)
        parts, left = [], limits.max_bytes + 1
        while left > 0 and (part := file.read(min(left, max(status.st_size + 1, 65536)))):
            parts.append(part)
            left -= len(part)
    data = parts[0] if len(parts) == 1 else b"".join(parts)
    _check_bytes(len(data), limits)
    return data


def _check_regular(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise PictureError("a folder, not a picture (or a folder that cannot be listed)")
    if not stat.S_ISREG(status.st_mode):
        raise PictureError("not a regular file (a pipe, socket or device); copy it to a file first")


def _check_bytes(size: int, limits: Limits) -> None:
    if size == 0:
        raise PictureError("the file is empty")
    if size > limits.max_bytes:
        raise PictureError(
            f"the file has {size} bytes, more than the limit of {limits.max_bytes}; "
            "raise the limit if you trust the file"
        )
