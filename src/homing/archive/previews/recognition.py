"""Recognition of an entry's picture in a file whose bytes have changed: a caption was added."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from homing.archive.previews.store import PreviewStore
from homing.archive.table.rows import PREVIEW
from homing.errors import PictureError
from homing.images.limits import Source, read_bytes
from homing.images.preview import encode_preview, read_as_preview
from homing.images.read_small import read_for_description
from homing.options import DEFAULT_LIMITS, Limits

CHANGED = "changed since without changing the picture (a caption, say)"


@dataclass(frozen=True)
class Recognition:
    """Recognition of the pictures of an archive's entries by their previews.

    The preview of a file with the very pixels is the same, byte by byte. That of the source of a
    released file is another.
    """

    store: PreviewStore
    size: int  # of the descriptor's input: previews are made while it is read for that
    limits: Limits = DEFAULT_LIMITS

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that a row must have for its picture to be recognised."""
        return ("width", "height", PREVIEW.name)

    def recognises(self, source: Source, row: Mapping[str, Any]) -> bool:
        """Return whether a file holds the picture of a row; False where there is no preview."""
        (preview,) = self.store.find([row.get(PREVIEW.name)])
        if isinstance(preview, str) or not self.store.side:
            return False
        try:
            data = read_bytes(source, limits=self.limits)
            side = self.store.side
            read = read_for_description(data, self.size, limits=self.limits, longer=side)
            if (read.width, read.height) != (row["width"], row["height"]):
                return False
            made = None if read.fitted is None else encode_preview(read.fitted)
            # Those made afterwards are read from a file alone, which may be shrunk otherwise.
            return preview in (made, read_as_preview(data, side, limits=self.limits))
        except PictureError:
            return False
