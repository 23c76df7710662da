"""Files cut short or slightly damaged: read liberally with a note, refused strictly."""

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from homing.errors import PictureError
from homing.images.formats.png import chunk
from homing.images.mended import CUT, LATE, STRAY, mend
from homing.images.picture import read_picture
from homing.images.read_small import read_fitted, read_for_description, read_rgb
from homing.options import DEFAULT_LIMITS, Limits
from tests.helpers.picture_files import tiff
from tests.helpers.pictures import picture

SIZE = 64


@pytest.fixture(scope="module")
def image() -> Image.Image:
    return picture(3, (160, 120))


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def seen(data: bytes) -> tuple[np.ndarray, tuple[str, ...]]:
    read = read_for_description(data, SIZE, longer=100)
    return read.pixels.astype(int), read.notes


def late_height(data: bytes) -> bytes:
    """Write a baseline JPEG's height behind its only scan."""
    at = data.index(b"\xff\xc0") + 5
    segment = b"\xff\xdc\0\4" + data[at : at + 2]
    return data[:at] + b"\0\0" + data[at + 2 : -2] + segment + data[-2:]


JPEGS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "no end": (lambda data: data[:-2], CUT),
    "40 bytes less": (lambda data: data[:-40], CUT),
    "ends in a marker": (lambda data: data[:-1], CUT),
    "zeros between segments": (lambda data: data[:20] + bytes(9) + data[20:], STRAY),
    "a line in front": (lambda data: b"\r\n" + data, STRAY),
    "a byte order mark in front": (lambda data: b"\xef\xbb\xbf" + data, STRAY),
    "zeros in front": (lambda data: bytes(100) + data, STRAY),
    "its height late": (late_height, LATE),
    "late, and cut": (lambda data: late_height(data)[:-2], CUT),
}


@pytest.mark.parametrize("name", JPEGS)
def test_a_jpeg(image, name):
    spoil, note = JPEGS[name]
    whole = saved(image, "JPEG", quality=90)
    spoiled = spoil(whole)
    pixels, notes = seen(spoiled)
    assert note in notes
    wanted, none = seen(whole)
    assert none == ()
    assert np.abs(pixels - wanted).mean() < 2
    assert read_rgb(spoiled).size == image.size
    assert max(read_fitted(spoiled, 50).size) == 50
    with pytest.raises(PictureError):
        read_picture(spoiled)


@pytest.mark.parametrize("progressive", [False, True])
def test_the_first_half_of_a_jpeg(image, progressive):
    whole = saved(image, "JPEG", quality=90, progressive=progressive)
    pixels, notes = seen(whole[: len(whole) * 6 // 10])
    assert notes == (CUT,)
    assert np.abs(pixels - seen(whole)[0])[: SIZE // 3].mean() < 12


def with_text(data: bytes) -> bytes:
    text = chunk(b"tEXt", b"Title\0Sea")
    return data[:33] + text[:-1] + bytes((text[-1] ^ 1,)) + data[33:]


def wrong_sum(data: bytes) -> bytes:
    at = data.index(b"IDAT")
    end = at + 4 + int.from_bytes(data[at - 4 : at], "big")
    return data[:end] + bytes(4) + data[end + 4 :]


PNGS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "no end": (lambda data: data[:-12], CUT),
    "half an end": (lambda data: data[:-5], CUT),
    "a damaged text": (with_text, "the file is damaged (checksum of 'tEXt')"),
    "a wrong checksum": (wrong_sum, "the file is damaged (checksum of 'IDAT')"),
    "a line in front": (lambda data: b"\n" + data, STRAY),
    "both": (lambda data: b"\n" + with_text(data[:-12]), CUT),
}


@pytest.mark.parametrize("name", PNGS)
@pytest.mark.parametrize("mode", ["RGB", "P", "I;16", "LA", "1"])
def test_a_png(image, name, mode):
    spoil, note = PNGS[name]
    wide = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    whole = saved(wide if mode == "I;16" else image.convert(mode), "PNG")
    pixels, notes = seen(spoil(whole))
    assert note in notes
    assert np.array_equal(pixels, seen(whole)[0])
    with pytest.raises(PictureError):
        read_picture(spoil(whole))


def test_the_first_half_of_a_png(image):
    whole = saved(image, "PNG")
    pixels, notes = seen(whole[: len(whole) // 2])
    assert notes == (CUT,)
    assert np.array_equal(pixels[: SIZE // 4], seen(whole)[0][: SIZE // 4])
    assert (pixels[-4:] == 0).all()


def test_an_interlaced_png_that_is_cut(image):
    """Made by hand: Pillow writes none. Its seven passes are rows of a filter and of pixels."""
    grey = np.asarray(image.convert("L"))[:40, :40]
    steps = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2))
    rows = b""
    for left, top, across, down in (*steps, (0, 1, 1, 2)):
        rows += b"".join(b"\0" + row.tobytes() for row in grey[top::down, left::across])
    head = struct.pack(">IIBBBBB", 40, 40, 8, 0, 0, 0, 1)
    parts = chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")
    whole = b"\x89PNG\r\n\x1a\n" + b"".join(parts)
    pixels, notes = seen(whole[:-12])
    assert notes == (CUT,)
    assert np.array_equal(pixels, seen(whole)[0])


@pytest.mark.parametrize("kind", ["WEBP", "TIFF"])
@pytest.mark.parametrize("missing", [0.01, 0.3])
def test_the_end_of_other_kinds(image, kind, missing):
    whole = with_strips_last(image) if kind == "TIFF" else saved(image, kind)
    pixels, notes = seen(whole[: int(len(whole) * (1 - missing))])
    assert notes == (CUT,)
    assert np.abs(pixels - seen(whole)[0])[: SIZE // 2].mean() < 3
    with pytest.raises(PictureError):
        read_picture(whole[: int(len(whole) * (1 - missing))])
    for beyond in (whole[:30], whole[: len(whole) // 3]):
        with pytest.raises(PictureError):
            seen(beyond)


def with_strips_last(image: Image.Image) -> bytes:
    """Return a plain TIFF whose directory stands in front of its pixels."""
    pixels = image.tobytes()
    tags = {256: image.width, 257: image.height, 258: 8, 259: 1, 262: 2, 277: 3, 279: len(pixels)}
    tags[273] = 8 + 2 + 12 * 8 + 4
    rows = b"".join(struct.pack("<HHII", tag, 4, 1, tags[tag]) for tag in sorted(tags))
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + rows + bytes(4) + pixels


@pytest.mark.parametrize("kind", ["WEBP", "TIFF", "GIF"])
def test_blanks_in_front_of_other_kinds(image, kind):
    whole = saved(image, kind)
    pixels, notes = seen(b"\r\n" + whole)
    assert notes == (STRAY,)
    assert np.array_equal(pixels, seen(whole)[0])
    with pytest.raises(PictureError, match="behind 2 stray bytes"):
        read_picture(b"\r\n" + whole)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\r\nno picture", "not a picture of a kind"),
        (b"\xff\xd8\xff", "damaged in its header"),
        (b"\xff\xd8\xff\xe0\0\4ab", "damaged in its header"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "no header"),
    ],
)
def test_what_shows_nothing_keeps_its_own_reason(data, message):
    with pytest.raises(PictureError, match=message):
        seen(data)


def test_what_is_sound_or_beyond_the_limits_is_not_mended(image):
    for kind in ("JPEG", "PNG", "WEBP"):
        assert mend(saved(image, kind), DEFAULT_LIMITS) is None
    few = Limits(max_pixels=100)
    for kind in ("JPEG", "PNG"):
        with pytest.raises(PictureError, match="more than the limit"):
            read_for_description(saved(image, kind)[:-12], SIZE, limits=few)


def test_files_of_very_many_parts_are_left_alone(image):
    whole = saved(image, "JPEG")
    assert mend(whole[:2] + b"\xff\xe4\0\2" * 10_001 + whole[2:-2], DEFAULT_LIMITS) is None
    assert mend(whole[:2] + b"\xff\xe4\0\2" * 1000 + whole[2:-2], DEFAULT_LIMITS) is not None


def test_a_png_of_which_next_to_nothing_is_there_is_refused():
    whole = saved(picture(1, (1600, 900)), "PNG")
    assert mend(whole[:2000], DEFAULT_LIMITS) is None


def test_nothing_but_its_own_error_is_raised(image):
    """Every prefix, and bytes struck at random: a picture with a note, or a reason."""
    random = np.random.default_rng(1)
    small = image.resize((48, 40))
    read = refused = 0
    for whole in (
        saved(small, "JPEG"),
        saved(small, "JPEG", progressive=True),
        saved(small, "PNG"),
    ):
        spoiled = [whole[:end] for end in range(0, len(whole), 61)]
        for _ in range(150):
            data = bytearray(whole)
            for at in random.integers(0, len(whole), 3):
                data[at] = random.integers(256)
            spoiled.append(bytes(data))
        for data in spoiled:
            try:
                seen(data)
                read += 1
            except PictureError:
                refused += 1
    assert read > 100
    assert refused > 10


def tiled(pixels: np.ndarray, **options: object) -> bytes:
    return tiff(pixels, photometric="rgb", metadata=None, **options)


CODED: dict[str, Callable[[np.ndarray], bytes]] = {
    "GIF": lambda pixels: saved(Image.fromarray(pixels), "GIF", interlace=0),
    "WebP lossless": lambda pixels: saved(Image.fromarray(pixels), "WEBP", lossless=True),
    "LZW": lambda pixels: tiled(pixels, compression="lzw", rowsperstrip=16),
    "LZW, one strip": lambda pixels: tiled(pixels, compression="lzw"),
    "Deflate, differences": lambda pixels: tiled(pixels, compression="zlib", predictor=True),
    "PackBits": lambda pixels: tiled(pixels, compression="packbits", rowsperstrip=16),
    "tiles": lambda pixels: tiled(pixels, compression="zlib", tile=(16, 32)),
    "BigTIFF": lambda pixels: tiled(pixels, compression="lzw", bigtiff=True, rowsperstrip=16),
}


@pytest.mark.parametrize("share", [0.55, 0.8, 0.97])
@pytest.mark.parametrize("name", CODED)
def test_a_coded_picture_that_is_cut_is_read_as_far_as_it_goes(image, name, share):
    data = CODED[name](np.asarray(image.convert("RGB")))
    whole, cut = np.asarray(read_rgb(data)), data[: int(share * len(data))]
    found = np.asarray(read_rgb(cut))
    assert found.shape == whole.shape
    same = (found == whole).all((1, 2))
    rows = int(0.9 * (share - 0.1) * len(whole)) // 16 * 16
    assert same[:rows].all()
    assert not same.all()
    assert seen(cut)[1] == (CUT,)
    with pytest.raises(PictureError):
        read_picture(cut)


def test_the_claims_of_a_gif_are_checked_before_it_is_filled(image):
    data = bytearray(saved(image, "GIF"))
    at = data.index(b",\0\0\0\0")
    data[at + 5 : at + 9] = b"\xff\xff\xff\xff"
    with pytest.raises(PictureError, match="65535 x 65535"):
        read_rgb(bytes(data[: len(data) // 2]))
