"""Pictures in and out: read strictly or liberally, written again in their kind, compared, found.

Nothing here knows of descriptors, codebooks or archives, and nothing imports torch. All functions
may be called from several threads at once. Whatever the bytes of a file, only
:class:`homing.errors.PictureError` is raised for it.
"""

from homing.images.encode import Encoding, encode, encodings, round_trip
from homing.images.find import FoundPicture, find_pictures
from homing.images.kinds import KINDS, MAGIC_LENGTH, SUFFIXES, Kind, sniff
from homing.images.limits import Source, read_bytes, shown
from homing.images.metadata.metadata import manifest_store, same_but_for_credentials
from homing.images.metrics import psnr, ssim
from homing.images.picture import CREDENTIALS_LEFT_OUT, Picture, decode_pixels, read_picture
from homing.images.pixels import LUMA, as_stored, upright
from homing.images.read_small import (
    SHOWS_NOTHING,
    Squashed,
    as_rgb,
    read_for_description,
    read_rgb,
    read_squashed,
    shows_nothing,
    squash,
)

__all__ = [
    "CREDENTIALS_LEFT_OUT",
    "KINDS",
    "LUMA",
    "MAGIC_LENGTH",
    "SHOWS_NOTHING",
    "SUFFIXES",
    "Encoding",
    "FoundPicture",
    "Kind",
    "Picture",
    "Source",
    "Squashed",
    "as_rgb",
    "as_stored",
    "decode_pixels",
    "encode",
    "encodings",
    "find_pictures",
    "manifest_store",
    "psnr",
    "read_bytes",
    "read_for_description",
    "read_picture",
    "read_rgb",
    "read_squashed",
    "round_trip",
    "same_but_for_credentials",
    "shown",
    "shows_nothing",
    "sniff",
    "squash",
    "ssim",
    "upright",
]
