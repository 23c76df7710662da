"""What foreign decoders and encoders raise; the border where it becomes a PictureError."""

import struct
import zlib

from PIL import Image

DECODER_ERRORS = (
    OSError,  # Pillow's usual word, UnidentifiedImageError among them
    SyntaxError,  # Pillow's plugins for "not mine"
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    EOFError,
    RuntimeError,  # imagecodecs' errors derive from it
    NotImplementedError,
    MemoryError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
"""Exceptions with which Pillow and imagecodecs answer damaged files."""
