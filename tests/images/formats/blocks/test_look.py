"""Copies of a picture found among other bytes, whatever their kind, turned or bordered."""

import time

import numpy as np
import pytest
from PIL import Image, ImageOps

from homing.images.formats.blocks.look import Look, blanked, pictures_within
from tests.helpers.picture_files import chunk, saved, scene

PIXELS = scene(400, 600)
PICTURE = Image.fromarray(PIXELS)
LOOK = Look.of_pixels(PIXELS)


def hidden(content: bytes) -> bytes:
    return b"head" * 9 + content + b"tail" * 9


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("order", [1, 2, 6, 8])
def test_copies_are_found_in_every_kind_and_position(kind: str, order: int) -> None:
    turned = {1: PICTURE, 2: ImageOps.mirror(PICTURE), 6: PICTURE.rotate(90, expand=True)}
    copy = saved(turned.get(order, ImageOps.flip(PICTURE)), kind)
    ((first, last),) = LOOK.unreleased(hidden(copy))
    assert hidden(copy)[first:].startswith(copy[:20])
    assert last - first >= len(copy)
    assert not LOOK.unreleased(hidden(copy), len(hidden(copy)) - 20)


def test_borders_grey_and_cut_data_hide_no_copy() -> None:
    bordered = ImageOps.pad(PICTURE, (640, 480))
    for image in (bordered, bordered.rotate(90, expand=True)):
        assert LOOK.unreleased(hidden(saved(image, "JPEG")))
    cut = saved(PICTURE, "JPEG")[:4000]
    assert LOOK.unreleased(hidden(cut)) == ((36, len(hidden(cut))),)
    for box in (b"\0\0\0\x18ftypheic", b"\0\0\0\x0cJXL \r\n\x87\n", b"\0\0\0\x0cjP  \r\n\x87\n"):
        assert LOOK.unreleased(hidden(box + bytes(40)))[0][0] == 36


@pytest.mark.parametrize("kind", ["GIF", "JPEG2000", "PSD"])
def test_kinds_that_are_not_decoded_count_as_copies(kind: str) -> None:
    for image, gone in ((PICTURE, True), (PICTURE.resize((90, 60)), False)):
        size = image.height.to_bytes(4, "big") + image.width.to_bytes(4, "big")
        data = b"8BPS\0\1" + bytes(6) + b"\0\3" + size + b"\0\x08\0\3" + bytes(500)
        if kind != "PSD":
            data = saved(image, kind, **({"no_jp2": True} if kind == "JPEG2000" else {}))
        assert bool(LOOK.unreleased(hidden(data))) is gone


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "JPEG", "PNG"])
def test_a_copy_behind_a_thumbnail_is_found(kind: str) -> None:
    first, copy = saved(PICTURE.resize((90, 60)), kind), saved(PICTURE, "JPEG")
    assert LOOK.unreleased(first + copy) == ((len(first), len(first + copy)),)


def test_other_pictures_and_thumbnails_stay() -> None:
    other = Image.fromarray(np.roll(PIXELS[:, ::-1] // 2, 30, 1))
    for image in (other, PICTURE.resize((320, 213)), PICTURE.convert("1").resize((90, 60))):
        for kind in ("JPEG", "PNG"):
            assert not LOOK.unreleased(hidden(saved(image.convert("RGB"), kind)))
    assert not LOOK.unreleased(hidden(b"\xff\xd8\xff RIFF II*\0 MM\0* \x89PNG\r\n\x1a\n"))


@pytest.mark.parametrize("side", [7_000, 60_000])
def test_a_picture_too_large_to_decode_counts_as_a_copy(side: int) -> None:
    size = side.to_bytes(4, "big") * 2
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size + b"\x08\2\0\0\0") + chunk(b"IDAT", b"")
    assert LOOK.unreleased(hidden(data + chunk(b"IEND", b""))) == ((36, 36 + len(data) + 12),)


def test_copies_of_other_depth_light_and_colours_are_found() -> None:
    copy = saved(PICTURE, "JPEG")
    linear = ((PIXELS / 255) ** 2.2 * 65535).astype(np.uint16)
    for own in (PIXELS.astype(np.uint16) * 257, PIXELS.astype(np.uint16) << 4, linear):
        assert Look.of_pixels(own).unreleased(copy)
    grey = Look.of_pixels(PIXELS[..., :1])
    assert grey.unreleased(saved(Image.fromarray(PIXELS[..., 0]), "PNG"))


def test_a_map_of_highlights_is_another_picture() -> None:
    grey = PIXELS.mean(2)
    gain = np.clip((grey - 150) * 3, 0, 255).astype(np.uint8)
    assert not LOOK.unreleased(saved(Image.fromarray(gain), "JPEG"))
    white = Look.of_pixels(np.full((400, 600, 3), 250, np.uint8))
    page = np.full((400, 600), 250, np.uint8)
    page[40:300, 100:500] = 0
    assert not white.unreleased(saved(Image.fromarray(page), "PNG"))


def test_blanking_moves_nothing() -> None:
    assert blanked(b"abcdef", ((1, 3), (5, 6))) == b"a\0\0de\0"
    assert blanked(b"abc", ()) == b"abc"


def test_hostile_blocks_take_no_time() -> None:
    small = saved(PICTURE.resize((8, 8)), "JPEG")
    for block in (b"\xff\xd8\xff" * 300_000, b"II*\0\x08\0\0\0" * 100_000, small * 3000):
        began = time.perf_counter()
        assert len(list(pictures_within(block))) <= 64
        assert time.perf_counter() - began < 2
