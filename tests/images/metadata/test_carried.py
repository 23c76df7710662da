"""Metadata of written files as exiftool reads them, where it is installed. Covers carried."""

import json
import shutil
import subprocess
from pathlib import Path

import imagecodecs
import numpy as np
import pytest

from homing.images import encode, encodings, read_picture
from homing.images.formats.jpeg import parse_jpeg
from homing.images.formats.jpeg_coefficients import read_coefficients, write_coefficients
from homing.images.kinds import SUFFIXES
from homing.images.limits import UNLIMITED
from tests.helpers.boxed import boxed_jxl
from tests.helpers.picture_files import (
    PHOTOSHOP,
    PROFILE,
    XMP,
    exif,
    saved,
    scene,
    tiff,
    with_segments,
)

EXIFTOOL = shutil.which("exiftool")
PIXELS = scene(48, 64)
ABOUT = {"exif": exif(6), "xmp": XMP, "icc_profile": PROFILE}
BLOCK = exif(6).tobytes().removeprefix(b"Exif\0\0")
FILES = {
    "JPEG": with_segments(
        saved(PIXELS, "JPEG", comment=b"hello", **ABOUT),
        [(0xED, PHOTOSHOP), (0xEC, b"Ducky\0\1\0\4\0\0\0\x3c\0\0")],
    ),
    "PNG": saved(PIXELS, "PNG", exif=exif(6), icc_profile=PROFILE, dpi=(300, 300)),
    "WEBP": saved(PIXELS, "WEBP", **ABOUT),
    "WEBP lossless": saved(PIXELS, "WEBP", lossless=True, **ABOUT),
    "TIFF": tiff(
        PIXELS,
        photometric="rgb",
        metadata=None,
        description="a harbour",
        resolution=(300, 300),
        extratags=[(700, 1, len(XMP), XMP, True), (34675, 7, len(PROFILE), PROFILE, True)],
    ),
    "AVIF": saved(PIXELS, "AVIF", **ABOUT),
    "JXL": boxed_jxl(
        bytes(imagecodecs.jpegxl_encode(PIXELS, lossless=True)),
        (b"Exif", bytes(4) + BLOCK),
        (b"xml ", XMP),
    ),
}
#: Groups that tell of a file's layout, and tags that do.
LAYOUT = ("ExifTool", "System", "Composite", "File:File")
STRUCTURE = {
    "IFD0:Compression",
    "IFD0:Predictor",
    "IFD0:StripOffsets",
    "IFD0:StripByteCounts",
    "IFD0:RowsPerStrip",
    "IFD0:PlanarConfiguration",
    "IFD0:SampleFormat",
    "IFD0:Software",
    "File:CurrentIPTCDigest",
    "RIFF:VP8Version",
    "RIFF:HorizontalScale",
    "RIFF:VerticalScale",
    "RIFF:AlphaIsUsed",
    "PNG:Compression",
    "PNG:Filter",
    "PNG:Interlace",
}


def tags(path: Path) -> dict[str, str]:
    assert EXIFTOOL is not None
    done = subprocess.run(
        [EXIFTOOL, "-j", "-G1", "-a", "-n", path], capture_output=True, text=True, check=True
    )
    (found,) = json.loads(done.stdout)
    return {
        name: value
        for name, value in found.items()
        if ":" in name
        and not name.startswith((*LAYOUT, "Meta", "QuickTime", "Jpeg2000", "ICC-header:Profile"))
        and name not in STRUCTURE
    }


@pytest.mark.skipif(EXIFTOOL is None, reason="exiftool is not installed")
@pytest.mark.parametrize("name", FILES)
def test_exiftool_reads_the_same_of_a_written_file(name: str, tmp_path: Path) -> None:
    data = FILES[name]
    picture = read_picture(data)
    if picture.kind == "JPEG":
        changed = read_coefficients(data, parse_jpeg(data, UNLIMITED)).copy()
        changed.flat[:, 1:9] += 3
        written = write_coefficients(data, changed)
    else:
        written = encode(picture, picture.pixels ^ 1, encoding=encodings(picture)[-1])
    suffix = SUFFIXES[picture.kind]
    before, after = tmp_path / f"before{suffix}", tmp_path / f"after{suffix}"
    before.write_bytes(data)
    after.write_bytes(written)
    assert len(tags(before)) > 5
    assert tags(after) == tags(before)
    assert not np.array_equal(read_picture(written).pixels, picture.pixels)
