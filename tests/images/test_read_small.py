"""Pictures of any kind squashed to upright RGB squares, and blank squares."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import imagecodecs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from homing.errors import PictureError, UsageError
from homing.images import read_picture, read_squashed, shows_nothing, squash
from homing.images.metadata.carried import notes_in_place
from homing.options import Limits
from tests.helpers.picture_files import (
    exif,
    noise,
    opened,
    saved,
    scene,
    squashed_by_pillow,
    tiff,
)

SIZE = 32


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_is_upright(kind: str, orientation: int) -> None:
    image = Image.fromarray(scene(30, 46))
    tags = Image.Exif()
    tags[0x0112] = orientation
    lossless = {"lossless": True} if kind == "WEBP" else {}
    data = saved(image, kind, exif=tags, **lossless)
    wanted = squashed_by_pillow(opened(data))
    assert np.abs(read_squashed(data, SIZE) - wanted).max() <= 1
    assert np.abs(squash(opened(data), SIZE) - wanted).max() <= 1
    assert read_picture(data).orientation == orientation
    stored = np.abs(squashed_by_pillow(image) - wanted).max()
    assert (stored > 20) == (orientation > 1)


def test_orientation_put_on_a_picture_in_memory_counts() -> None:
    image = Image.fromarray(scene(30, 46))
    plain = squash(image, SIZE)
    image.getexif()[0x0112] = 3
    assert np.array_equal(squash(image, SIZE), plain[::-1, ::-1])


@given(st.integers(1, 700), st.integers(1, 700))
def test_a_shrunk_jpeg_is_much_like_the_whole(height: int, width: int) -> None:
    y, x = np.mgrid[0:height, 0:width]
    ramp = np.stack([255 * y / height, 255 * x / width, 128 + 0 * x], axis=2).astype(np.uint8)
    data = saved(ramp, "JPEG", quality=95, subsampling=0)
    assert np.abs(read_squashed(data, 16) - by_16(opened(data))).max() <= 4


def by_16(image: Image.Image) -> np.ndarray:
    return np.asarray(image.resize((16, 16), Image.Resampling.BILINEAR)).astype(int)


def test_a_large_jpeg_is_not_decoded_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    resize = Image.Image.resize

    def spied(self: Image.Image, *args: object, **options: object) -> Image.Image:
        sizes.append(self.size)
        return resize(self, *args, **options)

    monkeypatch.setattr(Image.Image, "resize", spied)
    for height, width in ((640, 480), (400, 4000), (200, 200), (199, 4000)):
        read_squashed(saved(Image.new("RGB", (width, height)), "JPEG"), 160)
    assert sizes == [(240, 320), (2000, 200), (200, 200), (4000, 199)]


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    eight = scene(30, 46)
    for channels in (1, 3):
        wide = eight[..., :channels].astype(np.uint16) * 257
        squeezed = wide[..., 0] if channels == 1 else wide
        wanted = read_squashed(saved(eight[..., :channels], "PNG"), SIZE)
        png = bytes(imagecodecs.png_encode(squeezed))
        assert np.array_equal(read_squashed(png, SIZE), wanted)
        assert np.array_equal(
            read_squashed(tiff(squeezed, photometric="rgb" if channels > 1 else None), SIZE), wanted
        )
        if channels == 1:
            assert np.array_equal(squash(opened(png), SIZE), wanted)


def test_every_level_of_sixteen_bits_is_rounded() -> None:
    wide = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    small = read_squashed(bytes(imagecodecs.png_encode(wide)), 256)
    assert np.array_equal(small[..., 0], np.floor(wide / 257 + 0.5))


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "La", "RGBa", "RGBX"]
)
def test_every_mode_is_read(mode: str) -> None:
    image = Image.fromarray(scene(30, 46))
    if mode in ("La", "RGBa"):
        image = image.convert(mode[:-1] + "A")
    if mode == "PA":
        image = image.convert("P")
    image = image.convert(mode)
    assert np.abs(squash(image, SIZE) - squashed_by_pillow(image)).max() <= 1


def test_transparent_is_white() -> None:
    samples = scene(30, 46, 4)
    samples[..., 3] = 0
    for data in (saved(samples, "PNG"), saved(samples, "WEBP"), saved(samples, "TIFF")):
        assert (read_squashed(data, SIZE) == 255).all()
    samples[..., 3] = 128
    blended = (samples[..., :3].astype(float) * 128 + 255 * 127) / 255
    found = read_squashed(saved(samples, "PNG"), SIZE)
    assert (
        np.abs(found - squashed_by_pillow(Image.fromarray(blended.round().astype("u1")))).max() <= 1
    )
    image = Image.fromarray(scene(30, 46)).quantize(4)
    keyed = read_squashed(saved(image, "PNG", transparency=bytes(4)), SIZE)
    assert (keyed == 255).all()
    assert (read_squashed(saved(image, "GIF", transparency=0), SIZE) == 255).any()


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF", "MPO", "AVIF"])
def test_of_several_pictures_the_first_counts(kind: str) -> None:
    first, second = Image.new("RGB", (46, 30), "red"), Image.new("RGB", (46, 30), "blue")
    data = saved(first, kind, save_all=True, append_images=[second])
    assert np.abs(read_squashed(data, SIZE).astype(int) - (255, 0, 0)).max() <= 3
    if kind == "MPO":
        assert notes_in_place(read_picture(data))
        return
    with pytest.raises(PictureError):
        read_picture(data)


def test_cmyk_is_read() -> None:
    data = saved(Image.fromarray(scene(30, 46)).convert("CMYK"), "JPEG", quality=95)
    assert np.abs(read_squashed(data, SIZE) - squashed_by_pillow(opened(data))).max() <= 1


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 5000), (5000, 1), (3, 2)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_odd_shapes(kind: str, height: int, width: int) -> None:
    data = saved(noise(height, width), kind)
    assert read_squashed(data, 160).shape == (160, 160, 3)
    assert read_picture(data).pixels.shape == (height, width, 3)


def test_pictures_without_range_or_pixels_are_refused() -> None:
    for image in (
        Image.new("F", (4, 4)),
        Image.new("RGB", (4, 4)).convert("LAB"),
        Image.new("RGB", (0, 4)),
        Image.new("I", (4, 4), 70_000),
        Image.new("I", (4, 4), -1),
    ):
        with pytest.raises(PictureError):
            squash(image, 16)
    heic = b"\0\0\0\x18ftypheic" + bytes(16)
    with pytest.raises(PictureError, match="no still picture"):
        read_squashed(heic, 16)


def test_wrong_arguments_are_wrong_use() -> None:
    data = saved(noise(4, 4), "PNG")
    for size in (0, -1, 8193, 2.5, True):
        with pytest.raises(UsageError, match=r"1\.\.8192"):
            read_squashed(data, size)
    for source in (None, 3, [data]):
        with pytest.raises(UsageError, match="path or bytes"):
            read_squashed(source, 16)
    with pytest.raises(UsageError, match="PIL image"):
        squash(noise(4, 4), 16)
    with pytest.raises(UsageError, match="limits"):
        Limits(max_pixels=0)


def test_other_libraries_switch_makes_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import ImageFile

    def liberally(data: bytes) -> bytes | None:
        try:
            return read_squashed(data, 16).tobytes()
        except PictureError:
            return None

    cut = []
    for kind in ("JPEG", "PNG", "WEBP", "TIFF"):
        whole = saved(noise(64, 64), kind)
        cut.append(whole[: len(whole) // 2])
    before = [liberally(data) for data in cut]
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    for data in cut:
        with pytest.raises(PictureError):
            read_picture(data)
    assert [liberally(data) for data in cut] == before


def test_from_several_threads_at_once() -> None:
    files = [
        saved(scene(60, 80 + n), kind, exif=exif(n % 8 + 1))
        for n in range(8)
        for kind in ("JPEG", "PNG", "WEBP", "TIFF")
    ]
    alone = [(read_squashed(data, 16), read_picture(data).pixels) for data in files]
    gate = threading.Barrier(4)

    def all_of_them(_: int) -> bool:
        gate.wait()
        return all(
            np.array_equal(read_squashed(data, 16), small)
            and np.array_equal(read_picture(data).pixels, whole)
            for data, (small, whole) in zip(files, alone, strict=True)
        )

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(all_of_them, range(4))) == [True] * 4


def test_heavy_packages_are_not_imported() -> None:
    heavy = ("torch", "faiss", "skimage", "scipy", "tifffile", "imagecodecs")
    code = f"import sys, homing.images; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def grain(spread, level=128, size=96):
    values = np.random.default_rng(0).normal(level, spread, (size, size, 3))
    return np.rint(values).clip(0, 255).astype(np.uint8)


@given(st.tuples(*[st.integers(0, 255)] * 3), st.integers(1, 64))
def test_one_colour_is_blank(colour, size):
    assert shows_nothing(np.full((size, size, 3), colour, np.uint8))


@pytest.mark.parametrize(("spread", "blank"), [(0.3, True), (0.8, True), (1.5, False), (20, False)])
def test_the_least_contrast_that_is_not_blank(spread, blank):
    assert shows_nothing(grain(spread)) == blank


def test_one_channel_is_enough():
    square = np.zeros((96, 96, 3), np.uint8)
    square[:, 48:, 2] = 4
    assert not shows_nothing(square)


@pytest.mark.parametrize("ground", [0, 255, 128])
def test_a_spot_of_a_few_pixels_shows_nothing_and_a_small_thing_does(ground):
    for side, nothing in ((4, True), (10, True), (16, False)):
        square = np.full((160, 160, 3), ground, np.uint8)
        square[80 : 80 + side, 80 : 80 + side] = 255 - ground if ground != 128 else 200
        assert shows_nothing(square) == nothing


def test_a_page_with_one_line_shows_nothing_and_one_of_print_does():
    for lines, nothing in ((1, True), (12, False)):
        page = Image.new("RGB", (620, 877), "white")
        for line in range(lines):
            ImageDraw.Draw(page).text((60, 120 + 40 * line), "market valley copper", "black")
        assert shows_nothing(squash(page, 160)) == nothing


@pytest.mark.parametrize("factor", [0.05, 0.1, 1.0])
def test_dark_and_bright_photographs_show_something(factor):
    picture = scene(160, 160).astype(np.float32)
    for seen in (picture * factor, 255 - (255 - picture) * factor):
        assert not shows_nothing(np.round(seen).astype(np.uint8))


@pytest.mark.slow
@pytest.mark.photos
def test_no_photograph_shows_nothing(photos):
    for path in sorted((photos / "dev").iterdir()):
        assert not shows_nothing(read_squashed(path, 160)), path


def test_many_at_once():
    squares = np.stack([grain(0.1), grain(9), np.zeros_like(grain(1))])
    assert shows_nothing(squares).tolist() == [True, False, True]
