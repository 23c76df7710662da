"""PNG files read and written back: depths, palettes, colour keys, interlacing."""

import zlib

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from homing.errors import PictureError
from homing.images import decode_pixels, encode, encodings, read_picture
from homing.images.metadata.carried import notes_coded
from tests.helpers.picture_files import (
    chunk,
    chunks,
    interlaced_png,
    noise,
    opened,
    rich_png,
    saved,
    scene,
)


def rewritten(data: bytes, pixels: np.ndarray | None = None) -> bytes:
    picture = read_picture(data)
    (only,) = encodings(picture)
    assert (only.name, only.lossy) == ("PNG", False)
    return encode(picture, picture.pixels if pixels is None else pixels, encoding=only)


@pytest.mark.parametrize("dtype", ["u1", "u2"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_samples_depth_and_alpha_are_unchanged(channels: int, dtype: str) -> None:
    samples = noise(9, 13, channels, dtype)
    squeezed = samples[..., 0] if channels == 1 else samples
    picture = read_picture(bytes(imagecodecs.png_encode(squeezed)))
    colours = channels - 1 + channels % 2
    assert (picture.kind, picture.width, picture.height) == ("PNG", 13, 9)
    assert (picture.depth, picture.samples.white) == ((8, 255) if dtype == "u1" else (16, 65535))
    assert np.array_equal(picture.pixels, samples[..., :colours])
    assert (picture.alpha is None) == bool(channels % 2)
    changed = picture.pixels ^ 1
    written = encode(picture, changed, encoding=encodings(picture)[0])
    found = imagecodecs.png_decode(written).reshape(9, 13, channels)
    assert found.dtype == samples.dtype
    assert np.array_equal(found[..., :colours], changed)
    assert np.array_equal(found[..., colours:], samples[..., colours:])
    assert np.array_equal(decode_pixels(written), changed)


def test_chunks_are_carried_byte_for_byte() -> None:
    data = rich_png()
    written = rewritten(data)
    coded = (b"IHDR", b"IDAT", b"IEND")
    carried = [each for each in chunks(data) if each[0] not in coded]
    assert [each for each in chunks(written) if each[0] not in coded] == carried
    assert {b"iCCP", b"pHYs", b"eXIf", b"tEXt", b"zTXt", b"iTXt", b"tIME"} <= {
        k for k, _ in carried
    }
    assert read_picture(written).orientation == 3
    assert opened(written).info["dpi"] == opened(data).info["dpi"]


def test_the_colours_of_a_palette_are_unchanged() -> None:
    image = Image.fromarray(scene(20, 30)).quantize(16)
    picture = read_picture(saved(image, "PNG"))
    assert picture.notes == ("palette expanded to RGB",)
    assert picture.alpha is None
    assert np.array_equal(picture.pixels, np.asarray(image.convert("RGB")))
    clear = read_picture(saved(image, "PNG", transparency=3))
    assert "transparent colours expanded to alpha" in clear.notes
    assert np.array_equal(clear.alpha == 0, np.asarray(image) == 3)
    written = rewritten(saved(image, "PNG", transparency=3))
    assert opened(written).mode == "RGBA"
    assert np.array_equal(read_picture(written).alpha, clear.alpha)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_colour_key_becomes_alpha(channels: int) -> None:
    pixels = noise(9, 13, channels) | 1
    pixels[2, 3] = 0
    key = 0 if channels == 1 else (0, 0, 0)
    picture = read_picture(saved(pixels, "PNG", transparency=key))
    assert picture.alpha is not None
    assert np.argwhere(picture.alpha == 0).tolist() == [[2, 3]]
    assert np.array_equal(picture.pixels, pixels)
    assert picture.notes == ("transparent colours expanded to alpha",)


def grey_png(depth: int) -> bytes:
    row = b"\0" + bytes(range(0, 250, 50))
    header = (
        (5 * 8 // depth).to_bytes(4, "big") + (1).to_bytes(4, "big") + bytes((depth, 0, 0, 0, 0))
    )
    idat = chunk(b"IDAT", zlib.compress(row))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + idat + chunk(b"IEND", b"")


@pytest.mark.parametrize("depth", [2, 4])
def test_low_depths_are_expanded(depth: int) -> None:
    picture = read_picture(grey_png(depth))
    assert picture.notes == (f"{depth} bits a sample expanded to 8",)
    levels = np.array(
        [b >> s & 2**depth - 1 for b in range(0, 250, 50) for s in range(8 - depth, -1, -depth)]
    )
    assert np.array_equal(picture.pixels.ravel(), levels * 255 // (2**depth - 1))


@pytest.mark.parametrize(("height", "width"), [(9, 13), (1, 1), (3, 2), (8, 8), (1, 20), (20, 1)])
@pytest.mark.parametrize(
    ("dtype", "channels", "colour"),
    [("u1", 1, 0), ("u1", 3, 2), ("u2", 3, 2), ("u2", 4, 6), ("u1", 2, 4)],
)
def test_interlaced_is_read(
    height: int,
    width: int,
    dtype: str,
    channels: int,
    colour: int,
    capfd: pytest.CaptureFixture[str],
) -> None:
    samples = noise(height, width, channels, dtype)
    data = interlaced_png(samples, depth=samples.itemsize * 8, colour=colour)
    picture = read_picture(data)
    colours = channels - 1 + channels % 2
    assert np.array_equal(picture.pixels, samples[..., :colours])
    if channels > colours:
        assert np.array_equal(picture.alpha, samples[..., -1])
    assert picture.notes == ("written without interlacing",)
    assert np.array_equal(decode_pixels(rewritten(data)), picture.pixels)
    assert capfd.readouterr().err == ""
    with pytest.raises(PictureError):
        read_picture(data.replace(chunk(b"IEND", b""), b""))


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_interlaced_palette_is_read(depth: int) -> None:
    indices = noise(9, 13, 1) & (2**depth - 1)
    palette = noise(1, 2**depth)[0]
    table = chunk(b"PLTE", palette.tobytes())
    clear = chunk(b"tRNS", b"\0")
    data = interlaced_png(indices, table, clear, depth=depth, colour=3)
    picture = read_picture(data)
    assert np.array_equal(picture.pixels, palette[indices[..., 0]])
    assert np.array_equal(picture.alpha == 0, indices[..., 0] == 0)


def test_interlaced_pixels_may_be_too_few() -> None:
    data = interlaced_png(noise(9, 13), depth=8, colour=2)
    claimed = chunk(b"IHDR", (13).to_bytes(4, "big") + (10).to_bytes(4, "big") + data[24:29])
    with pytest.raises(PictureError, match="too few"):
        read_picture(data[:8] + claimed + data[33:])


@pytest.mark.parametrize("channels", [1, 3])
def test_a_colour_key_with_bits_too_many_gives_no_warning(
    channels: int, capfd: pytest.CaptureFixture[str]
) -> None:
    data = saved(scene(9, 13, channels), "PNG")
    key = chunk(b"tRNS", b"\xff\x07" * channels)
    assert read_picture(data[:33] + key + data[33:]).alpha is not None
    for content in (b"", b"\0" * 5):
        with pytest.raises(PictureError, match="colour key"):
            read_picture(data[:33] + chunk(b"tRNS", content) + data[33:])
    for misplaced in (data[:33] + key + key + data[33:], data[:-12] + key + data[-12:]):
        with pytest.raises(PictureError, match="out of place"):
            read_picture(misplaced)
    suggested = chunk(b"PLTE", bytes(9))
    assert read_picture(data[:33] + suggested + data[33:]).alpha is None
    assert capfd.readouterr().err == ""


def test_what_cannot_be_preserved_is_refused() -> None:
    second = Image.fromarray(scene(9, 13) ^ 255)
    for data, reason in (
        (saved(scene(9, 13), "PNG", save_all=True, append_images=[second]), "animated"),
        (grey_png(1), "1-bit"),
        (b"This is text, not a picture.", r"not a picture of a kind .*\(it is text\)"),
        (b"\n<!DOCTYPE html><title>a.png</title>", "a web page, and not a picture"),
        (b"\x89PNG\r\n\x1a\n", "no header"),
        (saved(scene(9, 13), "GIF"), "GIF .* cannot be written back"),
        (saved(scene(9, 13), "BMP"), "BMP .* cannot be written back"),
    ):
        with pytest.raises(PictureError, match=reason):
            read_picture(data)


def test_every_truncation_and_flipped_bit_is_refused() -> None:
    data = rich_png()
    for end in range(1, len(data) - 1, 7):
        with pytest.raises(PictureError):
            read_picture(data[:end])
    for at in range(8, len(data) - 4, 5):
        damaged = bytearray(data)
        damaged[at] ^= 16
        with pytest.raises(PictureError):
            read_picture(bytes(damaged))


def test_a_text_bomb_is_left_out() -> None:
    bomb = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(200_000_000), 9))
    data = saved(scene(9, 13), "PNG")
    data = data[:33] + bomb + data[33:]
    assert read_picture(data).pixels.shape == (9, 13, 3)
    assert bomb not in rewritten(data)
    assert "text 'Comment'" in notes_coded(read_picture(data), "PNG")[0]
