"""What samples mean: their range, their orientation, and what is seen of them. Covers told."""

import io

import imagecodecs
import numpy as np
import pytest
from PIL import Image, ImageCms

from homing.images import encode, encodings, read_picture, read_squashed, squash
from homing.images.samples import Samples, eight_bits
from tests.helpers.colour_spaces import SPACES, ink_profile, with_chunks
from tests.helpers.picture_files import PROFILE, exif, opened, saved, scene, tiff

SIZE = 32
XMP = '<x xmlns:tiff="http://ns.adobe.com/tiff/1.0/"{}>{}</x>'


def deep(bits: int, channels: int = 3, most: float = 1.0) -> np.ndarray:
    """Return samples of so many bits, in 16."""
    return (scene(40, 50, channels, "u2") * most).astype(np.uint16) >> (16 - bits)


def png(samples: np.ndarray, *chunks: tuple[bytes, bytes]) -> bytes:
    stored = samples[..., 0] if samples.shape[2] == 1 else samples
    return with_chunks(bytes(imagecodecs.png_encode(stored)), *chunks)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_fewer_bits_in_16_are_known_by_the_largest(kind: str, bits: int, channels: int) -> None:
    samples = deep(bits, channels)
    photometric = "rgb" if channels == 3 else "minisblack"
    data = png(samples) if kind == "PNG" else tiff(samples.squeeze(), photometric=photometric)
    picture = read_picture(data)
    assert picture.samples.white == (1 << bits) - 1
    assert picture.samples.largest == (samples.max() if bits < 16 else 65535)
    assert bool(picture.notes) == (bits < 16)
    full = scene(40, 50, channels)
    wanted = read_squashed(saved(full, "PNG"), SIZE).astype(int)
    assert np.abs(read_squashed(data, SIZE) - wanted).max() <= 2


@pytest.mark.parametrize("told", [(b"sRGB", b"\0"), (b"gAMA", b"\0\0\xb1\x8f")])
def test_a_picture_that_tells_its_colours_fills_its_range(told: tuple[bytes, bytes]) -> None:
    dark = deep(16, most=0.2)
    assert read_picture(png(dark, told)).samples.white == 65535
    assert read_picture(png(dark)).samples.white < 65535


def test_sbit_tells_the_range_unless_samples_are_scaled() -> None:
    dim = deep(12, 3, most=0.3)
    told = (b"sBIT", b"\x0c\x0c\x0c")
    found = read_picture(png(dim, told)).samples
    assert (found.white, found.range_by) == (4095, "sBIT")
    assert found.largest == dim.max()
    assert read_picture(png(deep(16), told)).samples.white == 65535


def test_a_tiffs_largest_sample_tells_the_range() -> None:
    dim = deep(12, 1, most=0.3)[..., 0]
    tag = (281, "H", 1, 4095, True)
    found = read_picture(tiff(dim, extratags=[tag], photometric="minisblack")).samples
    assert (found.white, found.range_by) == (4095, "MaxSampleValue")


def test_packed_samples_are_read_in_their_range() -> None:
    data = tiff(deep(12, 1)[..., 0], bitspersample=12, photometric="minisblack")
    wanted = read_squashed(saved(scene(40, 50, 1), "PNG"), SIZE).astype(int)
    assert np.abs(read_squashed(data, SIZE) - wanted).max() <= 2


def test_alpha_may_fill_its_range_beside_colours_that_do_not() -> None:
    samples = np.concatenate([deep(12), np.full((40, 50, 1), 65535, np.uint16)], axis=2)
    samples[:20, :, 3] = 0
    picture = read_picture(png(samples))
    assert (picture.samples.white, picture.samples.opaque) == (4095, 65535)
    assert picture.opacity is not None
    assert set(np.unique(picture.opacity)) == {0.0, 1.0}
    seen = read_squashed(png(samples), SIZE)
    assert seen[2].min() == 255
    assert seen[-2].max() < 255


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_written_file_tells_the_range(kind: str, channels: int) -> None:
    picture = read_picture(png(deep(12, channels)))
    darker = np.minimum(picture.pixels, 1000)  # which would tell of 10 bits
    for source in (png(deep(12, channels)), tiff_of(deep(12, channels))):
        picture = read_picture(source)
        data = encode(picture, darker, encoding=encodings(picture, kind)[0], kind=kind)
        again = read_picture(data)
        assert (again.samples.white, again.samples.opaque) == (4095, 4095)
        assert again.samples.range_by in ("sBIT", "MaxSampleValue")
        assert np.array_equal(again.pixels, darker)


def test_a_png_tells_its_range_once() -> None:
    picture = read_picture(png(deep(12), (b"sBIT", b"\x0c\x0c\x0c")))
    data = encode(picture, picture.pixels, encoding=encodings(picture)[0])
    assert data.count(b"sBIT\x0c\x0c\x0c") == data.count(b"sBIT") == 1


def test_a_png_cut_short_keeps_its_range() -> None:
    whole = png(deep(12, most=0.3), (b"sBIT", b"\x0c\x0c\x0c"))
    cut, seen = (read_squashed(data, SIZE).astype(int) for data in (whole[:-200], whole))
    assert np.abs(cut - seen)[: SIZE // 2].max() <= 2


def tiff_of(samples: np.ndarray) -> bytes:
    options = {"photometric": "rgb" if samples.shape[2] > 2 else "minisblack"}
    if samples.shape[2] % 2 == 0:
        options["extrasamples"] = ["unassalpha"]
    if samples.shape[2] == 1:
        return tiff(samples[..., 0], **options)
    return tiff(samples, planarconfig="contig", **options)


def test_black_stays_black() -> None:
    found = read_picture(png(np.full((9, 9, 1), 3, np.uint16))).samples
    assert found.white == 255


def test_a_picture_in_memory_means_the_same() -> None:
    samples = deep(12, 1)[..., 0]
    assert np.array_equal(
        squash(Image.fromarray(samples), SIZE), read_squashed(png(deep(12, 1)), SIZE)
    )
    stored = SPACES["Adobe RGB"].stored(scene(40, 50) / 255, 255)
    data = SPACES["Adobe RGB"].png(stored)
    assert np.array_equal(squash(opened(data), SIZE), read_squashed(data, SIZE))


def test_every_sample_is_rounded() -> None:
    every = np.arange(4096, dtype=np.uint16).reshape(64, 64, 1)
    assert np.array_equal(eight_bits(every, 4095), np.rint(every * (255 / 4095)).astype(np.uint8))


@pytest.mark.parametrize("name", SPACES)
def test_a_copy_saved_as_srgb_looks_the_same(name: str) -> None:
    srgb = scene(200, 260) / 255 * 0.6 + 0.2
    copy = saved(np.rint(srgb * 255).astype(np.uint8), "PNG")
    data = SPACES[name].png(SPACES[name].stored(srgb, 65535))
    wanted = read_squashed(copy, SIZE).astype(int)
    assert np.abs(read_squashed(data, SIZE) - wanted).max() <= 4
    without = bytes(imagecodecs.png_encode(SPACES[name].stored(srgb, 65535)))
    assert np.abs(read_squashed(without, SIZE) - wanted).max() > 5


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "TIFF"])
def test_profiles_count_in_every_kind(kind: str) -> None:
    srgb = scene(200, 260) / 255 * 0.6 + 0.2
    space = SPACES["Adobe RGB"]
    image = Image.fromarray(space.stored(srgb, 255))
    options = {} if kind == "TIFF" else {"quality": 98}
    found = read_squashed(saved(image, kind, icc_profile=space.icc, **options), SIZE)
    wanted = read_squashed(saved(np.rint(srgb * 255).astype(np.uint8), "PNG"), SIZE).astype(int)
    assert np.abs(found - wanted).max() <= 6
    plain = read_squashed(saved(image, kind, **options), SIZE)
    assert np.array_equal(
        read_squashed(saved(image, kind, icc_profile=PROFILE, **options), SIZE), plain
    )


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_inks_are_seen_by_their_profile(kind: str) -> None:
    inks = Image.fromarray(scene(90, 120, 4), "CMYK")
    options = {"quality": 98} if kind == "JPEG" else {}
    data = saved(inks, kind, icc_profile=ink_profile(), **options)
    transform = ImageCms.buildTransform(
        ImageCms.ImageCmsProfile(io.BytesIO(ink_profile())),
        ImageCms.createProfile("sRGB"),
        "CMYK",
        "RGB",
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    shown = ImageCms.applyTransform(opened(data), transform)
    away = read_squashed(data, SIZE).astype(int) - squash(Image.fromarray(np.asarray(shown)), SIZE)
    assert np.abs(away).max() <= 2
    plain = read_squashed(saved(inks, kind, **options), SIZE).astype(int)
    assert np.abs(read_squashed(data, SIZE) - plain).mean() > 10
    if kind == "JPEG":
        assert np.abs(read_picture(data).pixels.astype(int) - np.asarray(shown)).max() <= 2


def test_displayed_is_compared() -> None:
    space = SPACES["linear"]
    samples = read_picture(space.png(space.stored(scene(40, 50) / 255, 65535))).samples
    a = np.full((4, 4, 3), 100, np.uint16)
    dark, bright = samples.compared_with(a)(a + 500), samples.compared_with(a + 60000)(a + 60500)
    assert dark < bright - 20


@pytest.mark.parametrize("name", ["linear", "PQ", "linear ProPhoto"])
def test_steps_look_like_the_change(name: str) -> None:
    space = SPACES[name]
    levels = np.linspace(0.1, 0.8, 60)[:, None, None] * np.ones((1, 1, 3))
    stored = space.stored(levels, 65535)
    samples = read_picture(space.png(stored.repeat(9, 1))).samples
    change = np.full((60, 1, 1), 0.02, np.float32)
    after = stored + np.rint(samples.steps(stored, change, 1.5))
    before = space.shown(stored, 65535)
    assert np.abs(space.shown(after, 65535) - before - 0.03).max() < 0.003
    assert not samples.steps(stored, change, 0.0).any()


@pytest.mark.parametrize(
    "xmp",
    [
        XMP.format(' tiff:Orientation="6"', ""),
        XMP.format("", "<tiff:Orientation>6</tiff:Orientation>"),
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_xmp_tells_the_orientation_where_nothing_else_does(kind: str, xmp: str) -> None:
    image = Image.fromarray(scene(30, 46))
    data, told = with_xmp(image, kind, xmp), read_picture(with_xmp(image, kind, xmp)).samples
    assert (told.orientation, told.orientation_by) == (6, "XMP")
    plain = with_xmp(image, kind, "<x/>")
    assert read_picture(plain).samples.orientation_by == "nothing"
    assert np.array_equal(read_squashed(data, SIZE), np.rot90(read_squashed(plain, SIZE), -1))
    both = with_xmp(image, kind, xmp, exif=exif(3))
    assert read_picture(both).orientation == 3


def with_xmp(image: Image.Image, kind: str, xmp: str, **options: object) -> bytes:
    if kind == "WEBP":
        options["lossless"] = True
    if kind == "TIFF":
        tags = {700: xmp.encode()} | ({274: 3} if options else {})
        return saved(image, kind, tiffinfo=tags)
    if kind == "PNG":
        text = b"XML:com.adobe.xmp\0\0\0\0\0" + xmp.encode()
        return with_chunks(saved(image, kind, **options), (b"iTXt", text))
    return saved(image, kind, xmp=xmp.encode(), **options)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_a_mark_before_the_exif_block_does_no_harm(kind: str) -> None:
    image, block = Image.fromarray(scene(30, 46)), exif(6).tobytes()
    assert block.startswith(b"Exif\0\0")
    if kind == "PNG":
        data = with_chunks(saved(image, kind), (b"eXIf", block))
    else:
        data = saved(image, kind, exif=block, lossless=True)
    picture = read_picture(data)
    assert (picture.orientation, picture.samples.orientation_by) == (6, "EXIF")
    for each in encodings(picture, "TIFF"):
        assert read_picture(encode(picture, picture.pixels, encoding=each)).orientation == 6
    jpeg = encode(picture, picture.pixels, encoding=encodings(picture, "JPEG")[0])
    assert read_picture(jpeg).orientation == 6


def test_plain_samples_are_left_as_they_are() -> None:
    pixels = scene(4, 4)
    shown, white = Samples.plain(255).displayed(pixels)
    assert shown is pixels
    assert white == 255
