"""JPEG XL read and written. Covers jxl and jxl_header."""

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from homing.errors import PictureError
from homing.images import encode, encodings, read_picture, read_squashed, squash
from homing.images.formats.boxed.jxl import parse_jxl
from homing.images.formats.boxed.jxl_header import parse_codestream
from homing.images.limits import UNLIMITED
from homing.images.metadata.carried import notes_coded
from homing.options import DEFAULT_LIMITS, Limits
from tests.helpers.boxed import Bits, box, boxed_jxl, jxl_header
from tests.helpers.picture_files import XMP, exif, scene

EXIF = exif(6).tobytes().removeprefix(b"Exif\0\0")


def coded(pixels: np.ndarray, *, depth: int | None = None, distance: float | None = None) -> bytes:
    stored = pixels[..., 0] if pixels.shape[2] == 1 else pixels
    return bytes(
        imagecodecs.jpegxl_encode(
            stored, lossless=distance is None, distance=distance, effort=3, bitspersample=depth
        )
    )


PLAIN = coded(scene(48, 60))


def with_colours(codestream: bytes, bits: Bits) -> bytes:
    """Put other colours into the header of a codestream coded without loss."""
    header = parse_codestream(codestream)
    spans = {name: (start, end) for name, start, end in header.spans}
    old = int.from_bytes(codestream[2 : header.end], "little")
    start, end = spans["colours"]
    count = spans["transform"][1]
    new = Bits().put(old & (1 << start) - 1, start).put(bits.value, bits.count)
    new.put(old >> end & (1 << count - end) - 1, count - end)
    return codestream[:2] + new.bytes() + codestream[header.end :]


@pytest.mark.parametrize("depth", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_samples_of_every_sort_are_read_and_written(depth, channels):
    pixels = scene(40, 56, channels, "u1" if depth == 8 else "u2")
    pixels = pixels if depth == 8 else pixels >> 16 - depth
    picture = read_picture(coded(pixels, depth=depth))
    assert picture.kind == "JXL"
    whole = picture.pixels
    if picture.alpha is not None:
        whole = np.dstack([whole, picture.alpha])
    assert np.array_equal(whole, pixels)
    assert picture.samples.white == 2**depth - 1
    (best,) = encodings(picture)
    written = encode(picture, picture.pixels ^ 1, encoding=best)
    after = read_picture(written)
    assert np.array_equal(after.pixels, picture.pixels ^ 1)
    assert picture.alpha is None or np.array_equal(after.alpha, picture.alpha)
    assert after.samples.white == picture.samples.white
    assert (
        parse_jxl(written, UNLIMITED).header.colours
        == parse_jxl(picture.encoded, UNLIMITED).header.colours
    )


def test_a_lossy_one_is_written_with_loss_or_without():
    picture = read_picture(coded(scene(48, 60), distance=1))
    assert [each.name for each in encodings(picture)] == [
        "JPEG XL 96",
        "JPEG XL 99",
        "JPEG XL lossless",
    ]
    for encoding in encodings(picture):
        after = read_picture(encode(picture, picture.pixels, encoding=encoding))
        assert np.abs(after.pixels.astype(int) - picture.pixels).mean() < 2
        assert after.lossless != encoding.lossy


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_of_the_header_counts_and_is_kept(orientation):
    header = parse_codestream(PLAIN)
    size = next(end for name, _, end in header.spans if name == "size")
    samples = next((start, end) for name, start, end in header.spans if name == "samples")
    old = int.from_bytes(PLAIN[2 : header.end], "little")
    new = Bits().put(old & (1 << size) - 1, size).put(0, 1).put(1, 1).put(orientation - 1, 3)
    new.put(0, 3).put(old >> samples[0] & 127, samples[1] - samples[0])
    new.put(1, 1).put(1, 1).put(0, 2).put(1, 1)
    turned = PLAIN[:2] + new.bytes() + PLAIN[header.end :]
    picture = read_picture(boxed_jxl(turned, (b"Exif", bytes(4) + EXIF)))
    assert picture.orientation == orientation
    assert np.array_equal(picture.pixels, scene(48, 60))
    upright = imagecodecs.jpegxl_decode(turned)
    assert (
        np.abs(read_squashed(turned, 32).astype(int) - squash(Image.fromarray(upright), 32)).max()
        <= 1
    )
    written = encode(picture, picture.pixels, encoding=encodings(picture)[0])
    assert read_picture(written).orientation == orientation
    assert np.array_equal(imagecodecs.jpegxl_decode(written), upright)
    png = encode(picture, picture.pixels, encoding=encodings(picture, "PNG")[0])
    assert read_picture(png).orientation == orientation


def test_metadata_are_kept_byte_for_byte():
    squeezed = box(b"brob", b"xml " + imagecodecs.brotli_encode(XMP))[8:]
    for about in (
        ((b"Exif", bytes(4) + EXIF), (b"xml ", XMP)),
        ((b"Exif", bytes(4) + EXIF), (b"brob", squeezed)),
    ):
        picture = read_picture(boxed_jxl(PLAIN, *about))
        found = parse_jxl(
            encode(picture, picture.pixels, encoding=encodings(picture)[0]), UNLIMITED
        )
        assert (found.exif, found.xmp) == (EXIF, XMP)
        assert notes_coded(picture, "JXL") == ()
    parts = PLAIN[:50], PLAIN[50:]
    split = [(b"jxlp", n.to_bytes(4, "big") + part) for n, part in enumerate(parts)]
    whole = boxed_jxl(b"", *split)[:-8]
    assert np.array_equal(read_picture(whole).pixels, scene(48, 60))


def test_spaces_of_the_header_are_shown_and_kept():
    p3 = Bits().put(0, 1).put(0, 1).put(0, 2).put(1, 2).put(2, 2).put(9, 4).put(0, 1)
    p3.put(2, 2).put(11, 4).put(0, 2)
    adobe = Bits().put(0, 1).put(0, 1).put(0, 2).put(1, 2).put(2, 2).put(0, 4)
    for x, y in ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)):
        for value in (x, y):
            number = round(value * 1e6) * 2
            choice, base = (1, 524288) if number < 1048576 else (2, 1048576)
            adobe.put(choice, 2).put(number - base, 18 + choice) if number >= base else adobe.put(
                0, 2
            ).put(number, 19)
    adobe.put(1, 1).put(4547070, 24).put(0, 2)
    for colours, told_by in ((p3, "cICP"), (adobe, "gAMA")):
        picture = read_picture(with_colours(PLAIN, colours))
        assert picture.samples.colour.told_by == told_by
        assert picture.samples.colour.convert is not None
        assert np.array_equal(picture.pixels, scene(48, 60))
        written = encode(picture, picture.pixels, encoding=encodings(picture)[0])
        before, after = (parse_jxl(each, UNLIMITED).told for each in (picture.encoded, written))
        assert before == after
    with pytest.raises(PictureError, match="told by gAMA are written back as PNG alone"):
        encodings(picture, "PNG")


@pytest.mark.parametrize(
    ("rare", "reason"),
    [
        ({"animated": True}, "animated"),
        ({"preview": True}, "preview"),
        ({"profiled": True}, "ICC profile"),
        ({"depth": 24}, "other than 8"),
        ({"channels": (1,)}, "further channels"),
        ({"channels": (0, 4)}, "further channels"),
    ],
)
def test_what_cannot_be_written_back_is_refused(rare, reason):
    with pytest.raises(PictureError, match=reason):
        read_picture(jxl_header(**rare))


def test_claims_are_checked_before_decoding():
    for read in (read_picture, lambda data, limits: read_squashed(data, 16, limits=limits)):
        with pytest.raises(PictureError, match="60 x 48 pixels, more than the limit"):
            read(PLAIN, limits=Limits(max_pixels=2000))
        with pytest.raises(PictureError, match="40000 x 30000 pixels"):
            read(jxl_header(width=40000, height=30000), limits=DEFAULT_LIMITS)
    with pytest.raises(PictureError, match="9 channels"):
        read_picture(jxl_header(channels=(2,) * 9))


def test_sizes_are_read_in_all_their_forms():
    for height, width in ((8, 8), (256, 256), (100, 133), (48, 60), (513, 700), (64, 128)):
        pixels = np.zeros((height, width), np.uint8)
        header = parse_codestream(bytes(imagecodecs.jpegxl_encode(pixels, lossless=True, effort=1)))
        assert (header.height, header.width) == (height, width)
