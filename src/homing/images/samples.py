"""Meaning of the samples of a picture: range, colour, orientation; and what is seen of them.

Whatever looks at a picture (descriptors, masking, budgets, previews, evidence) looks at what
:meth:`Samples.displayed` makes of its samples.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from homing.images.colour import SRGB, Colour, colour_of
from homing.images.formats.tiff_tags import orientation_of
from homing.images.metrics import psnr
from homing.images.pixels import Pixels
from homing.images.told import Told

_WHOLE = 65535
_LEAST_WHITE = 255  # a picture that is all but black stays that
_XMP_ORIENTATION = re.compile(rb"tiff:Orientation\s*(?:=\s*[\"']|>)\s*([1-8])")


@dataclass(frozen=True, eq=False)
class Samples:
    """Meaning of the samples of a picture, and what tells it."""

    white: int  # sample of the largest value that the range has
    largest: int  # value that no written sample exceeds
    opaque: int  # alpha that hides what is beneath
    range_by: str = "storage"
    colour: Colour = field(default=SRGB)
    orientation: int = 1  # 1..8, as in EXIF
    orientation_by: str = "nothing"

    @classmethod
    def plain(cls, white: int) -> "Samples":
        """Return upright sRGB samples of a white."""
        return cls(white, white, white)

    def displayed(self, pixels: Pixels) -> tuple[Pixels, int]:
        """Return stored colours, (h, w, 1 or 3), as an sRGB screen shows them, and their white.

        They keep their type. What is sRGB already is returned as it is.
        """
        if self.colour.convert is None:
            return pixels, self.white
        whole = int(np.iinfo(pixels.dtype).max)
        if self.white != whole:
            pixels = _scaled(pixels, self.white, np.uint16)
        return self.colour.convert(pixels), whole

    def steps(
        self, pixels: Pixels, change: NDArray[np.floating], scale: float = 1.0
    ) -> NDArray[np.float32]:
        """Return the steps of stored samples that look like a change at a scale.

        `change`, (h, w, 1 or c), is in units of the range as displayed. Where tones are like those
        of sRGB the steps are the change; elsewhere they are those of a grey of each sample.
        """
        if self.colour.even:
            steps = change.astype(np.float32)
            steps *= np.float32(scale * self.white)
            return steps
        places = np.minimum(pixels, self.white) * np.float32(_WHOLE / self.white)
        shown = self.colour.tones[np.rint(places).astype(np.uint16)]
        after = (shown + change * np.float32(scale)).clip(0, 1) * np.float32(_WHOLE)
        levels = self.colour.levels
        steps = levels[np.rint(after).astype(np.uint16)]
        steps -= levels[np.rint(shown * np.float32(_WHOLE)).astype(np.uint16)]
        steps *= np.float32(self.white)
        return steps

    def compared_with(self, original: Pixels) -> Callable[[Pixels], float]:
        """Return a function: the PSNR of pixels against the original, both as displayed, dB."""
        before, white = self.displayed(original)
        return lambda pixels: psnr(before, self.displayed(pixels)[0], peak=white)

    @property
    def note(self) -> tuple[str, ...]:
        """Note on a range that is not that of the storage."""
        bits = self.white.bit_length()
        if self.range_by == "storage":
            return ()
        return (f"{bits} bits in 16: white is {self.white}, told by {self.range_by}",)


def samples_of(
    told: Told,
    colours: Pixels | None = None,
    alpha: Pixels | None = None,
    *,
    channels: int = 3,
) -> Samples:
    """Return what samples mean by what their file tells of them.

    Without `colours`, (h, w, c), and `alpha`, (h, w), they are 8 bits of so many channels.
    """
    orientation, orientation_by = _orientation(told)
    if colours is None or colours.dtype.itemsize == 1:
        found = Samples.plain(255)
    else:
        found = _range(told, colours)
        if alpha is not None:
            whole = int(alpha.max()) > found.white
            found = replace(found, opaque=int(np.iinfo(alpha.dtype).max) if whole else found.white)
    brightest = 1.0
    if told.bright and colours is not None:  # brighter ones would change how the others are shown
        found = replace(found, largest=int(colours.max()))
        brightest = found.largest / found.white
    return replace(
        found,
        colour=colour_of(told, channels if colours is None else colours.shape[2], brightest),
        orientation=orientation,
        orientation_by=orientation_by,
    )


def _range(told: Told, colours: Pixels) -> Samples:
    """Return the range of 16-bit samples.

    Many instruments and converters store 10 to 14 bits as they are. One that does so and does not
    tell is known by its largest value; a picture that tells how it is shown fills its range.
    """
    whole, largest = int(np.iinfo(colours.dtype).max), int(colours.max())
    white, told_by = whole, "storage"
    if told.bits is not None:
        white, told_by = (1 << told.bits) - 1, told.bits_by
    elif not told.colour:
        white, told_by = max((1 << largest.bit_length()) - 1, _LEAST_WHITE), "the largest sample"
    if white >= whole or largest > white:  # sBIT by its standard: scaled up to what is stored
        return Samples.plain(whole)
    return Samples(white, largest, white, told_by)


def _orientation(told: Told) -> tuple[int, str]:
    """Return the orientation, and what tells it: XMP where EXIF does not."""
    if told.orientation is not None:
        return (told.orientation if 1 <= told.orientation <= 8 else 1), told.orientation_by
    found = orientation_of(told.exif)
    if found is not None:
        return found, "EXIF"
    mark = _XMP_ORIENTATION.search(told.xmp) if told.xmp else None
    return (int(mark[1]), "XMP") if mark else (1, "nothing")


def eight_bits(pixels: Pixels, white: int) -> Pixels:
    """Return samples of a white as 8 bits, rounded."""
    return pixels if pixels.dtype == np.uint8 else _scaled(pixels, white, np.uint8)


def _scaled(pixels: Pixels, white: int, dtype: type[np.uint8 | np.uint16]) -> Pixels:
    """Return 16-bit samples of a white as those of all of a type, a few rows at a time."""
    scaled = np.empty(pixels.shape, dtype)
    whole = int(np.iinfo(dtype).max)
    rows = max(1, (1 << 20) // max(1, pixels[0].size))
    for top in range(0, pixels.shape[0], rows):
        block = np.minimum(pixels[top : top + rows], white).astype(np.uint32)
        scaled[top : top + rows] = (block * whole + white // 2) // white
    return scaled
