"""Statements of a file on its samples, in its own words: bytes of its metadata, nothing decoded."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Told:
    """Statements of a file on its samples; None where it makes none."""

    exif: bytes | None = None  # block, beginning with its TIFF header
    orientation: int | None = None  # told apart from the block, as a TIFF does
    orientation_by: str = "TIFF"
    xmp: bytes | None = None
    icc: bytes | None = None
    cicp: bytes | None = None  # primaries, transfer, matrix, full range (ITU-T H.273)
    srgb: bool = False
    gamma: int | None = None  # encoding exponent of all samples, in 100,000ths
    chromaticities: tuple[float, ...] | None = None  # x, y of white, red, green, blue
    bits: int | None = None  # a sample, if fewer than it is stored in
    bits_by: str = ""  # what tells them: "sBIT"

    @property
    def bright(self) -> bool:
        """Whether samples may be brighter than the white of a page: PQ and HLG."""
        return self.cicp is not None and self.cicp[1:2] in (b"\x10", b"\x12")

    @property
    def colour(self) -> bool:
        """Whether anything tells how samples are shown: those have the range they are stored in."""
        return bool(self.icc or self.cicp or self.srgb or self.gamma or self.chromaticities)
