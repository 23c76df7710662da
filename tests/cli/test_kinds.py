"""The table of kinds: what it says is what happens."""

import io
import json
import sys
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from homing.cli.kinds import as_markdown, rows
from homing.errors import PictureError
from homing.images import read_picture, read_squashed, squash
from homing.images.formats.boxed.heif_items import Item, Property, parse_heif, write_heif
from homing.images.kinds import KINDS, OTHER_SUFFIXES, UNREAD, sniff, title
from homing.options import Limits
from tests.helpers.picture_files import saved, scene, tiff

PIXELS = scene(24, 32)
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "kinds.md"


def file_of(kind: str) -> bytes:
    if kind == "JPEG XL":
        return bytes(imagecodecs.jpegxl_encode(PIXELS, lossless=True))
    return saved(PIXELS, kind.upper().replace(" ", ""))


def test_the_table_of_the_page_is_that_of_the_code() -> None:
    assert as_markdown() in PAGE.read_text(encoding="utf-8")


def test_every_kind_and_suffix_has_its_row() -> None:
    table = rows()
    assert {row.kind for row in table} == {
        *map(title, {**KINDS, **OTHER_SUFFIXES}.values()),
        *(each.name for each in UNREAD),
    }
    suffixes = [suffix for row in table for suffix in row.suffixes]
    assert sorted(suffixes) == sorted({*suffixes})
    assert {*KINDS, *OTHER_SUFFIXES} <= {*suffixes}


@pytest.mark.parametrize(
    "row", [row for row in rows() if row.read != "no" and row.kind != "HEIC"], ids=lambda r: r.kind
)
def test_what_the_table_says_is_read_and_released(row) -> None:
    data = file_of(row.kind)
    assert title(sniff(data)) == row.kind
    assert read_squashed(data, 16).shape == (16, 16, 3)
    if row.released:
        assert title(read_picture(data).kind) == row.kind
    else:
        with pytest.raises(PictureError, match="convert"):
            read_picture(data)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "AVIF"])
def test_of_animations_the_first_frame_is_read_and_none_released(kind) -> None:
    frames = [Image.fromarray(PIXELS), Image.fromarray(PIXELS ^ 255)]
    data = saved(frames[0], kind, save_all=True, append_images=frames[1:])
    first = read_squashed(saved(frames[0], kind), 16).astype(int)
    assert np.abs(read_squashed(data, 16) - first).mean() < 8
    with pytest.raises(PictureError, match="animated"):
        read_picture(data)


@pytest.mark.parametrize(
    "options",
    [
        {"bigtiff": True},
        {"bigtiff": True, "byteorder": ">", "tile": (16, 16), "compression": "zlib"},
        {"sort": "f2"},
        {"sort": "f4", "compression": "zlib", "predictor": 3},
        {"sort": "f4", "planarconfig": "separate"},
        {"sort": "f8", "byteorder": ">"},
        {"sort": "u4"},
        {"sort": "i2"},
    ],
    ids=str,
)
def test_rare_tiffs_are_read_and_not_released(options) -> None:
    options = dict(options)
    sort = options.pop("sort", "u1")
    pixels = PIXELS.astype(sort) / 255 if sort[0] == "f" else PIXELS.astype(sort)
    pixels = pixels.astype(sort)
    if options.get("planarconfig"):
        pixels = np.moveaxis(pixels, 2, 0)
    data = tiff(pixels, photometric="rgb", **options)
    wanted = read_squashed(tiff(PIXELS, photometric="rgb"), 16).astype(int)
    assert np.abs(read_squashed(data, 16) - wanted).max() <= 1
    with pytest.raises(PictureError, match=r"BigTIFF|signed|32 bits"):
        read_picture(data)


def test_heic_is_read_by_its_extra_alone(monkeypatch) -> None:
    size = Property(b"ispe", bytes(4) + (24).to_bytes(4, "big") * 2)
    data = write_heif(b"heicmif1", [Item(b"hvc1", b"coded", (size,))])
    assert sniff(data) == "HEIC"
    with pytest.raises(PictureError, match="a HEIC picture cannot be written back"):
        read_picture(data)
    with pytest.raises(PictureError, match="more than the limit"):
        read_squashed(data, 16, limits=Limits(max_pixels=500))
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(PictureError, match=r"pip install '\.\[heic\]'"):
        read_squashed(data, 16)


@pytest.mark.parametrize("turns", [0, 1])
def test_heic_is_read_with_its_extra(turns: int) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    image = Image.fromarray(scene(64, 128))
    stream = io.BytesIO()
    pillow_heif.from_pillow(image).save(stream, quality=90)
    item = parse_heif(stream.getvalue()).picture
    turned = Property(b"irot", bytes((turns,)), essential=True)
    data = write_heif(b"heicmif1", [Item(item.kind, item.content, (*item.properties, turned))])
    found = read_squashed(data, 16).astype(int)
    assert np.abs(found - squash(image.rotate(90 * turns, expand=True), 16)).mean() < 4


def test_the_command_prints_each_kind(homing_cli) -> None:
    ended = homing_cli("kinds")
    assert ended.status == 0
    for row in rows():
        assert f"{row.kind}  (" in ended.out
    lines = homing_cli("kinds", "--json").out.splitlines()
    assert [json.loads(line)["kind"] for line in lines] == [row.kind for row in rows()]
