"""AVIF read and written. Covers avif, heif_items, av1 and boxes."""

import io

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from homing.errors import PictureError
from homing.images import encode, encodings, read_picture, read_squashed, squash
from homing.images.formats.boxed.av1 import parse_av1
from homing.images.formats.boxed.boxes import Bits, boxes
from homing.images.formats.boxed.heif_items import Item, Property, Reference, parse_heif, write_heif
from homing.images.metadata.carried import notes_coded
from homing.options import Limits
from tests.helpers.boxed import with_item
from tests.helpers.picture_files import PROFILE, XMP, exif, opened, saved, scene, squashed_by_pillow

PLAIN = saved(scene(48, 60), "AVIF", quality=80)


def coded(pixels: np.ndarray, depth: int = 8, level: int = 100) -> bytes:
    stored = pixels[..., 0] if pixels.shape[2] == 1 else pixels
    return bytes(imagecodecs.avif_encode(stored, level=level, speed=9, bitspersample=depth))


def with_property(data: bytes, *added: Property) -> bytes:
    """Give the picture of an AVIF further properties."""
    heif = parse_heif(data)
    items = [
        Item(each.kind, each.content, each.properties + added * (n == heif.primary), each.media)
        for n, each in heif.items.items()
    ]
    return write_heif(b"avifmif1miaf", items, heif.references)


@pytest.mark.parametrize("depth", [8, 10, 12])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_samples_of_every_sort_are_read_and_written(depth, channels):
    pixels = scene(40, 56, channels, "u1" if depth == 8 else "u2")
    pixels = pixels if depth == 8 else pixels >> 16 - depth
    picture = read_picture(coded(pixels, depth))
    assert picture.kind == "AVIF"
    assert picture.lossless
    whole = picture.pixels
    if picture.alpha is not None:
        whole = np.dstack([whole, picture.alpha])
    assert np.array_equal(whole, pixels)
    assert picture.samples.white == 2**depth - 1
    changed = picture.pixels ^ 1
    (best,) = encodings(picture)
    after = read_picture(encode(picture, changed, encoding=best))
    assert np.array_equal(after.pixels, changed)
    assert picture.alpha is None or np.array_equal(after.alpha, picture.alpha)
    assert after.samples.white == picture.samples.white


@pytest.mark.parametrize("orientation", range(1, 9))
def test_metadata_and_orientation_are_kept(orientation):
    data = saved(
        scene(48, 60), "AVIF", exif=exif(orientation), xmp=XMP, icc_profile=PROFILE, quality=80
    )
    picture = read_picture(data)
    assert picture.orientation == orientation
    assert np.abs(read_squashed(data, 32).astype(int) - squashed_by_pillow(opened(data))).max() <= 2
    for encoding in encodings(picture):
        written = encode(picture, picture.pixels, encoding=encoding)
        before, after = opened(data), opened(written)
        for name in ("exif", "xmp", "icc_profile"):  # a mark before the block is no part of it
            found, wanted = (each.info[name].removeprefix(b"Exif\0\0") for each in (after, before))
            assert found == wanted
        assert np.abs(read_squashed(written, 32).astype(int) - read_squashed(data, 32)).max() <= 4
    assert notes_coded(picture, "AVIF") == ()
    for kind in ("PNG", "JPEG", "WEBP", "TIFF"):
        other = encode(picture, picture.pixels, encoding=encodings(picture, kind)[0])
        assert read_picture(other).orientation == orientation
        assert opened(other).info["icc_profile"] == PROFILE


def test_orientation_of_exif_alone_does_not_count():
    block = b"MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"
    data = with_item(PLAIN, b"Exif", bytes(4) + block, b"cdsc")
    picture = read_picture(data)
    assert picture.orientation == 1
    png = encode(picture, picture.pixels, encoding=encodings(picture, "PNG")[0])
    assert read_picture(png).orientation == 1  # the block is mended: there it would count


def test_a_picture_in_tiles_is_read():
    pixels = scene(64, 160)
    left, right = (parse_heif(coded(part)).picture for part in (pixels[:, :80], pixels[:, 80:]))
    size = Property(b"ispe", bytes(4) + (160).to_bytes(4, "big") + (64).to_bytes(4, "big"))
    grid = Item(b"grid", bytes((0, 0, 0, 1, 0, 160, 0, 64)), (size, left.properties[1]))
    data = write_heif(b"avifmif1miaf", [grid, left, right], [Reference(b"dimg", 1, (2, 3))])
    assert np.array_equal(np.asarray(opened(data)), pixels)
    assert np.array_equal(read_picture(data).pixels, pixels)


def test_colours_by_number_go_on_and_into_a_png():
    heif = parse_heif(PLAIN)
    kept = tuple(each for each in heif.picture.properties if each.name != b"colr")
    p3 = Property(b"colr", b"nclx\0\x0c\0\x0d\0\6\x80")
    item = Item(b"av01", heif.picture.content, (*kept, p3))
    picture = read_picture(write_heif(b"avifmif1miaf", [item]))
    assert picture.samples.colour.told_by == "cICP"
    for kind in ("AVIF", "PNG"):
        written = encode(picture, picture.pixels, encoding=encodings(picture, kind)[-1])
        after = read_picture(written)
        assert after.samples.colour.told_by == "cICP"
        assert np.array_equal(
            after.samples.displayed(after.pixels)[0], picture.samples.displayed(picture.pixels)[0]
        )
    with pytest.raises(PictureError, match="told by cICP are written back as PNG alone"):
        encodings(picture, "JPEG")


def test_other_kinds_are_not_written_as_avif():
    with pytest.raises(PictureError, match="AVIF is written of"):
        encodings(read_picture(saved(scene(8, 8), "PNG")), "AVIF")


def test_what_cannot_be_written_back_is_read():
    cut = with_property(PLAIN, Property(b"clap", bytes(32)))
    rgba = coded(scene(48, 60, 4))
    heif = parse_heif(rgba)
    mixed = write_heif(
        b"avifmif1miaf",
        list(heif.items.values()),
        [*heif.references, Reference(b"prem", 1, (2,))],
    )
    frames = [Image.fromarray(scene(48, 60)), Image.fromarray(scene(48, 60) ^ 255)]
    moving = saved(frames[0], "AVIF", save_all=True, append_images=frames[1:])
    for data, reason in (
        (cut, "shows a part"),
        (mixed, "premultiplied"),
        (moving, "an animated AVIF cannot be written back"),
    ):
        with pytest.raises(PictureError, match=reason):
            read_picture(data)
    assert np.abs(read_squashed(moving, 32).astype(int) - squash(frames[0], 32)).mean() < 8


def test_claims_are_checked_before_decoding():
    limits = Limits(max_pixels=2000)
    with pytest.raises(PictureError, match="60 x 48 pixels, more than the limit"):
        read_picture(PLAIN, limits=limits)
    # The header says 20 x 20, the coded picture more.
    heif = parse_heif(PLAIN)
    size = Property(b"ispe", bytes(4) + (20).to_bytes(4, "big") * 2)
    others = tuple(each for each in heif.picture.properties if each.name != b"ispe")
    lying = write_heif(b"avif", [Item(b"av01", heif.picture.content, (size, *others))])
    for read in (read_picture, lambda data, limits: read_squashed(data, 16, limits=limits)):
        with pytest.raises(PictureError, match="60 x 48 pixels, more than the limit"):
            read(lying, limits=limits)
    with pytest.raises(PictureError, match="contradicts itself"):
        read_picture(lying)


def test_many_frames_and_tiles_are_refused():
    content = parse_heif(PLAIN).picture.content
    with pytest.raises(PictureError, match="more than 8 frames"):
        parse_av1(content * 9)
    grid = Item(b"grid", bytes(8), (parse_heif(PLAIN).picture.properties[0],))
    many = write_heif(
        b"avif",
        [grid, *[parse_heif(PLAIN).picture] * 40],
        [Reference(b"dimg", 1, tuple(range(2, 42)))],
    )
    with pytest.raises(PictureError, match="more than the limit"):
        read_picture(many, limits=Limits(max_pixels=100_000))


def test_av1_headers_are_those_of_the_picture():
    for depth, channels in ((8, 3), (10, 3), (12, 3), (8, 1), (10, 1), (12, 1)):
        pixels = scene(30, 44, channels, "u2") >> 16 - depth
        pixels = pixels.astype(np.uint8) if depth == 8 else pixels
        found = parse_av1(parse_heif(coded(pixels, depth, level=90)).picture.content)
        assert (found.width, found.height) == (44, 30)
        assert (found.depth, found.grey) == (depth, channels == 1)


def test_notes_name_what_is_left_out():
    data = with_item(PLAIN, b"av01", b"coded" * 9, b"thmb")
    data = with_item(data, b"mime", b"text", b"cdsc", b"text/plain")
    (note,) = notes_coded(read_picture(data), "AVIF")
    assert note.endswith("not released: a thumbnail, item text/plain")
    (note,) = notes_coded(read_picture(data), "PNG")
    assert note.endswith("no place for it: a thumbnail, item text/plain")


def test_boxes_and_bits_end_where_the_data_end():
    whole = b"\0\0\0\x0cabcd1234" + b"\0\0\0\1efgh\0\0\0\0\0\0\0\x12" + b"xy" + b"\0\0\0\0ijkl567"
    assert [(each.name, whole[each.start : each.end]) for each in boxes(whole)] == [
        (b"abcd", b"1234"),
        (b"efgh", b"xy"),
        (b"ijkl", b"567"),
    ]
    with pytest.raises(PictureError, match="truncated"):
        list(boxes(whole[:11]))
    bits = Bits(b"\xb1\x01", lowest_first=True)
    assert [bits.take(n) for n in (1, 3, 4, 8)] == [1, 0, 11, 1]
    bits = Bits(b"\xb1\x01", lowest_first=False)
    assert [bits.take(n) for n in (1, 3, 4, 8)] == [1, 3, 1, 1]
    with pytest.raises(PictureError, match="cut short"):
        bits.take(1)


def test_pillow_reads_what_is_written():
    picture = read_picture(PLAIN)
    for encoding in encodings(picture):
        data = encode(picture, picture.pixels, encoding=encoding)
        after = np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)
        assert np.abs(after - picture.pixels).mean() < 1.5
