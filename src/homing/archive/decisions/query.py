"""Queries as decisions keep them."""

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from homing.archive.query.queries import describe_query
from homing.errors import PictureError
from homing.images import SHOWS_NOTHING, read_bytes, shown
from homing.images.preview import preview_of, read_as_preview
from homing.options import PREVIEW_SIDE, UPRIGHT, Limits, PathLike, SearchOptions

if TYPE_CHECKING:
    from homing.descriptors import Descriptor

Buffer: TypeAlias = bytes | bytearray | memoryview


@dataclass(frozen=True, eq=False)
class DecidedQuery:
    """A query as a decision keeps it."""

    name: str
    sha256: bytes | None  # of the file; None for a picture in memory
    vector: NDArray[np.float32]  # (D,), of the upright picture
    preview: bytes


def decided_query(
    descriptor: "Descriptor", picture: PathLike | Buffer | Image.Image, limits: Limits
) -> DecidedQuery:
    """Read and describe a query; PictureError if it cannot be read, or shows nothing."""
    if not isinstance(picture, str | os.PathLike):
        return _read(descriptor, picture, "the picture", limits)
    try:
        return _read(descriptor, read_bytes(picture, limits=limits), shown(picture), limits)
    except PictureError as error:
        raise PictureError(f"{shown(picture)}: {error}") from error


def _read(
    descriptor: "Descriptor", picture: Buffer | Image.Image, name: str, limits: Limits
) -> DecidedQuery:
    query = describe_query(descriptor, picture, SearchOptions(views=UPRIGHT, limits=limits))
    if not query.views:
        raise PictureError(SHOWS_NOTHING)
    if isinstance(picture, Image.Image):
        return DecidedQuery(name, None, query.vectors[0], preview_of(picture, PREVIEW_SIDE))
    sha256 = hashlib.sha256(picture).digest()
    preview = read_as_preview(picture, PREVIEW_SIDE, limits=limits)
    return DecidedQuery(name, sha256, query.vectors[0], preview)
