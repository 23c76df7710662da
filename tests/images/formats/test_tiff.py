"""TIFF files read and written back. Covers tiff, tiff_pixels and tiff_tags."""

import contextlib
import io
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image, TiffImagePlugin

from homing.errors import PictureError
from homing.images import decode_pixels, encode, encodings, read_picture, read_rgb, read_squashed
from tests.helpers.picture_files import IPTC, PROFILE, XMP, noise, opened, saved, scene, tiff

LAYOUTS = [
    {},
    {"byteorder": ">"},
    {"compression": "zlib"},
    {"compression": "zlib", "predictor": True},
    {"compression": "lzw", "predictor": True, "byteorder": ">"},
    {"compression": "packbits"},
    {"tile": (16, 32)},
    {"tile": (16, 16), "compression": "adobe_deflate", "predictor": True, "byteorder": ">"},
    {"rowsperstrip": 4},
]


def rewritten(data: bytes, pixels: np.ndarray | None = None) -> bytes:
    picture = read_picture(data)
    (only,) = encodings(picture)
    assert (only.name, only.lossy) == ("TIFF", False)
    return encode(picture, picture.pixels if pixels is None else pixels, encoding=only)


def shape_of(samples: np.ndarray) -> dict[str, object]:
    channels = samples.shape[2]
    options: dict[str, object] = {"photometric": "rgb" if channels > 2 else "minisblack"}
    if channels % 2 == 0:
        options["extrasamples"] = ["unassalpha"]
    if channels > 1:
        options["planarconfig"] = "contig"
    return options


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["u1", "u2"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_samples_depth_and_alpha_are_unchanged(
    channels: int, dtype: str, layout: dict[str, object]
) -> None:
    samples = noise(37, 41, channels, dtype)
    squeezed = samples[..., 0] if channels == 1 else samples
    source = tiff(squeezed, **shape_of(samples), **layout)
    picture = read_picture(source)
    colours = channels - 1 + channels % 2
    assert np.array_equal(picture.pixels, samples[..., :colours])
    assert picture.depth == samples.itemsize * 8
    changed = picture.pixels ^ 1
    written = encode(picture, changed, encoding=encodings(picture)[0])
    assert written[:2] == source[:2]
    found = tifffile.imread(io.BytesIO(written)).reshape(samples.shape)
    assert found.dtype == samples.dtype
    assert np.array_equal(found[..., :colours], changed)
    assert np.array_equal(found[..., colours:], samples[..., colours:])
    assert np.array_equal(decode_pixels(written), changed)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_separate_planes_are_read(layout: dict[str, object]) -> None:
    samples = noise(37, 41, 3, "u2")
    planes = np.moveaxis(samples, 2, 0)
    source = tiff(planes, photometric="rgb", planarconfig="separate", **layout)
    assert np.array_equal(read_picture(source).pixels, samples)


def test_several_strips_are_written() -> None:
    samples = scene(500, 600, 3, "u2")
    written = rewritten(tiff(samples, photometric="rgb"))
    with tifffile.TiffFile(io.BytesIO(written)) as file:
        assert len(file.pages[0].dataoffsets) > 2
        assert np.array_equal(file.asarray(), samples)
    assert len(written) < samples.nbytes


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("order", ["<", ">"])
def test_orientation_is_carried(order: str, orientation: int) -> None:
    tag = (274, 3, 1, orientation, True)
    source = tiff(scene(20, 31), byteorder=order, photometric="rgb", extratags=[tag])
    assert read_picture(source).orientation == orientation
    assert read_picture(rewritten(source)).orientation == orientation


def test_tags_are_carried() -> None:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[270] = "a picture of dunes, with a description of some length"
    tags[274] = 5
    tags[282], tags[283], tags[296] = 300.0, 300.0, 2
    tags[315] = "Zoë".encode()
    tags[700] = XMP
    tags.tagtype[33723] = 7
    tags[33723] = IPTC
    tags.tagtype[34377] = 1
    tags[34377] = IPTC
    tags[34665] = {36867: "2025:01:02 03:04:05", 37510: b"a comment"}
    tags[34853] = {1: "N"}
    tags.tagtype[50000] = 3
    tags[50000] = (7, 8, 9)
    source = saved(scene(20, 31), "TIFF", tiffinfo=tags, icc_profile=PROFILE)
    before, after = (Image.open(io.BytesIO(data)) for data in (source, rewritten(source)))
    for tag in (270, 274, 282, 283, 296, 315, 700, 33723, 34377, 34675, 50000):
        assert after.tag_v2[tag] == before.tag_v2[tag]
    assert after.info["dpi"] == (300, 300)
    assert after.info["icc_profile"] == PROFILE
    assert after.getexif().get_ifd(34665)[36867] == "2025:01:02 03:04:05"
    assert after.getexif().get_ifd(34853)[1] == "N"
    assert np.array_equal(read_picture(rewritten(source)).pixels, scene(20, 31))


def test_palette_and_inverted_grey_are_expanded() -> None:
    image = Image.fromarray(scene(20, 31)).quantize(16)
    picture = read_picture(saved(image, "TIFF"))
    assert picture.notes == ("palette expanded to RGB",)
    assert np.array_equal(picture.pixels, np.asarray(image.convert("RGB")))
    grey = scene(20, 31, 1, "u2")
    picture = read_picture(tiff(grey[..., 0], photometric="miniswhite"))
    assert picture.notes == ("inverted grey written as ordinary grey",)
    assert np.array_equal(picture.pixels, 65535 - grey)


def test_premultiplied_alpha_is_written_only_where_it_does_nothing() -> None:
    samples = noise(20, 31, 4)
    options = {"photometric": "rgb", "extrasamples": ["assocalpha"]}
    with pytest.raises(PictureError, match="premultiplied"):
        read_picture(tiff(samples, **options))
    samples[..., 3] = 255
    assert read_picture(tiff(samples, **options)).alpha is not None


def with_picture_inside() -> bytes:
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as file:
        file.write(scene(20, 31), photometric="rgb", subifds=1)
        file.write(scene(10, 15), photometric="rgb")
    return stream.getvalue()


def test_what_cannot_be_preserved_is_refused() -> None:
    rgb = Image.fromarray(scene(20, 31))
    grey = scene(20, 31, 1)[..., 0]
    for data, reason in (
        (saved(rgb, "TIFF", save_all=True, append_images=[rgb]), "several pages"),
        (with_picture_inside(), "further pictures"),
        (saved(rgb.convert("CMYK"), "TIFF"), "CMYK"),
        (saved(rgb.convert("LAB"), "TIFF"), "CIELAB"),
        (saved(rgb.convert("1"), "TIFF"), "1 bits"),
        (tiff(grey.astype("f4")), "signed or real"),
        (tiff(grey.astype("f2")), "signed or real"),
        (tiff(grey.astype("i2")), "signed or real"),
        (tiff(grey.astype("u4")), "32 bits"),
        (tiff(grey, bigtiff=True), "BigTIFF"),
        (tiff(noise(20, 31, 5), photometric="rgb", planarconfig="contig"), "5 samples"),
        (saved(rgb, "TIFF", compression="jpeg"), "compression 7"),
        (b"II*\0", "truncated"),
        (b"II*\0\x08\0\0\0", "truncated"),
    ):
        with pytest.raises(PictureError, match=reason):
            read_picture(data)


def with_next_page(where: int, data: bytes = b"") -> bytes:
    """Return a TIFF whose only directory names a next one."""
    plain = tiff(scene(8, 8)) + data
    at = int.from_bytes(plain[4:8], "little")
    end = at + 2 + 12 * int.from_bytes(plain[at : at + 2], "little")
    return plain[:end] + (where % 2**32).to_bytes(4, "little") + plain[end + 4 :]


@pytest.mark.parametrize("where", [0xDEADBEEF, -1, 2])
def test_a_next_page_that_is_not_there_is_no_page(where: int) -> None:
    data = with_next_page(where, bytes(64))
    with pytest.raises(PictureError, match="next page is not where it should be"):
        read_picture(data)
    assert np.array_equal(read_squashed(data, 8), read_squashed(tiff(scene(8, 8)), 8))


def test_complex_samples_are_refused_for_that_reason() -> None:
    data = tiff(scene(8, 8)[..., :1].astype(np.complex64))
    for read in (read_picture, lambda data: read_squashed(data, 8)):
        with pytest.raises(PictureError, match=r"real-valued|mode F"):
            read(data)


@pytest.mark.parametrize("compression", [None, "zlib", "lzw", "packbits"])
def test_every_truncation_is_refused(compression: str | None) -> None:
    data = tiff(scene(20, 31), photometric="rgb", compression=compression, rowsperstrip=5)
    for end in range(0, len(data) - 1, 13):
        with pytest.raises(PictureError):
            read_picture(data[:end])


def test_a_strip_that_is_a_bomb_is_cut_short() -> None:
    # One strip of a picture of 20 x 31 that inflates to 300 MB: only what is needed is inflated.
    plain = tiff(np.zeros((20, 31), "u1"), compression="zlib", metadata=None)
    with tifffile.TiffFile(io.BytesIO(plain)) as file:
        page = file.pages[0]
        (count,) = page.databytecounts
        place, where = page.tags[273].valueoffset, page.tags[279].valueoffset
        kind = page.tags[279].dtype
    bomb = zlib.compress(bytes(300_000_000), 9)
    assert count < len(bomb)
    data = bytearray(plain + bomb)
    data[place : place + 4] = len(plain).to_bytes(4, "little")
    data[where : where + kind] = len(bomb).to_bytes(kind, "little")
    import tracemalloc

    tracemalloc.start()
    try:
        assert not read_picture(bytes(data)).pixels.any()
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_overlapping_tags_do_not_fill_the_memory() -> None:
    # A thousand tags that all claim the whole file as their value.
    rows = b"".join(
        tag.to_bytes(2, "little") + b"\1\0" + (100_000).to_bytes(4, "little") + bytes(4)
        for tag in range(40_000, 41_000)
    )
    data = b"II*\0\x08\0\0\0" + (1000).to_bytes(2, "little") + rows + bytes(100_000)
    with pytest.raises(PictureError, match="damaged"):
        read_picture(data)


@pytest.mark.parametrize("compression", ["jpeg", "group4", "tiff_lzw", "raw"])
def test_unusual_ones_are_still_read_as_squares(compression: str) -> None:
    image = Image.fromarray(scene(64, 96))
    if compression == "group4":
        image = image.convert("1")
    if compression == "tiff_lzw":
        image = image.convert("CMYK")
    data = saved(image, "TIFF", compression=compression if compression != "raw" else None)
    wanted = np.asarray(opened(data).convert("RGB").resize((16, 16), Image.Resampling.BILINEAR))
    assert np.abs(read_squashed(data, 16).astype(int) - wanted).max() <= 2


@pytest.mark.parametrize(
    ("samples", "wanted"),
    [
        (np.float32([[0, 0.5, 1, 0.25]]), [0, 128, 255, 64]),
        (np.float32([[0, 0.5, 9, np.nan]]), [0, 128, 255, 0]),  # a highlight above white
        (np.float32([[0, 100, 255, 50]]), [0, 100, 255, 50]),
        (np.float32([[-1000, 0, 3095, 23]]), [0, 62, 255, 64]),  # X-rays in Hounsfield units
        (np.uint32([[0, 2**31, 2**32 - 1, 2**30]]), [0, 128, 255, 64]),
        (np.int16([[-100, 0, 155, -36]]), [0, 100, 255, 64]),
    ],
)
def test_measured_samples_get_a_range(samples: np.ndarray, wanted: list[int]) -> None:
    data = tiff(samples, photometric="minisblack", metadata=None)
    found = np.asarray(read_rgb(data))[0, :, 0].astype(int)
    assert np.abs(found - wanted).max() <= 1


def test_numbers_of_64_bits_in_a_damaged_bigtiff_raise_no_other_error() -> None:
    data = bytearray(tiff(scene(8, 8), photometric="rgb", bigtiff=True))
    for at in range(8, len(data), 7):
        damaged = bytes(data[:at]) + b"\xff" * 8 + bytes(data[at + 8 :])
        with contextlib.suppress(PictureError):
            read_squashed(damaged, 8)
