"""One of each carrier of pixels, in files that are then written as a release writes them."""

import base64
import io
import struct
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from homing.errors import PictureError
from homing.images import Picture, encode, encodings, read_picture
from homing.images.formats.blocks.carriers import CARRIERS, Carrier, Fate
from homing.images.formats.jpeg import parse_jpeg
from homing.images.formats.jpeg_coefficients import read_coefficients, write_coefficients
from homing.images.limits import UNLIMITED
from homing.images.metadata.carried import notes_coded, notes_in_place
from tests.helpers.boxed import C2PA, box, boxed_jxl, jxl_header, with_item
from tests.helpers.jpegs import segment
from tests.helpers.picture_files import chunk, saved, scene, tiff, with_segments
from tests.images.formats.test_jpeg_behind import PREVIEW, several

Built = tuple[bytes, bytes]  # the file, and what of it carries the pixels
SOURCE = Image.fromarray(scene(360, 480))


def copy(side: int) -> bytes:
    return saved(SOURCE.resize((side, side * 3 // 4)), "JPEG", quality=60)


SMALL, LARGE = copy(160), copy(360)
grid = np.random.default_rng(3).integers(0, 256, (6, 8, 3), dtype=np.uint8)
OTHER = saved(Image.fromarray(grid).resize((400, 300)), "JPEG")
LONG = np.random.default_rng(4).bytes(70_000)
JPEG = saved(SOURCE, "JPEG", quality=80)
PNG = saved(SOURCE, "PNG")
AVIF = saved(SOURCE, "AVIF", quality=90)
JXL = bytes(imagecodecs.jpegxl_encode(np.asarray(SOURCE), lossless=True, effort=3))
WEBP = saved(SOURCE, "WEBP", lossless=True, exif=b"MM\0*\0\0\0\x08\0\0\0\0\0\0")


def exif_of(picture: bytes, *, note: bool = False) -> bytes:
    """Return a block with a picture as its thumbnail, or in a maker note."""
    if note:
        head = b"II*\0\x08\0\0\0\1\0" + struct.pack("<HHII", 34665, 4, 1, 26) + bytes(4)
        value = struct.pack("<HHHII", 1, 37500, 7, len(picture) + 8, 44) + bytes(4)
        return head + value + b"MakerXY\0" + picture
    first = b"II*\0\x08\0\0\0\1\0" + struct.pack("<HHII", 274, 3, 1, 1) + struct.pack("<I", 26)
    second = struct.pack("<HHHII", 2, 513, 4, 1, 56) + struct.pack("<HHII", 514, 4, 1, len(picture))
    return first + second + bytes(4) + picture


def resource(picture: bytes) -> bytes:
    width, height = Image.open(io.BytesIO(picture)).size
    content = struct.pack(">IIIIIIHH", 1, width, height, 0, 0, len(picture), 24, 1) + picture
    return (
        b"8BIM\x04\x0c\0\0" + len(content).to_bytes(4, "big") + content + b"\0" * (len(content) % 2)
    )


def packet(picture: bytes) -> Built:
    text = base64.b64encode(picture)
    rdf = b'<rdf:RDF><rdf:Description GImage:Mime="image/jpeg" GImage:Data="%s"/></rdf:RDF>' % text
    return b"<x:xmpmeta>" + rdf + b"</x:xmpmeta>", text


def in_segment(marker: int, head: bytes) -> Callable[[bytes], Built]:
    return lambda picture: (with_segments(JPEG, [(marker, head + picture)]), picture)


def extended_xmp(picture: bytes) -> Built:
    content, text = packet(picture)
    guid, name = b"0123456789ABCDEF0123456789ABCDEF", b"http://ns.adobe.com/xmp/extension/\0"
    half = len(content) // 2
    parts = [
        (0xE1, name + guid + struct.pack(">II", len(content), at) + part)
        for at, part in ((0, content[:half]), (half, content[half:]))
    ]
    head = b'http://ns.adobe.com/xap/1.0/\0<x xmpNote:HasExtendedXMP="%s"/>' % guid
    # The parts are apart in the file: what counts is that neither is there.
    start = content.index(text)
    return with_segments(JPEG, [(0xE1, head), *parts]), content[start:half]


def jpeg_xmp(picture: bytes) -> Built:
    content, text = packet(picture)
    return with_segments(JPEG, [(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + content)]), text


def jfif_thumbnail(picture: bytes) -> Built:
    pixels = bytes(range(192))
    return b"\xff\xd8" + segment(0xE0, JPEG[6:18] + b"\x08\x08" + pixels) + JPEG[20:], pixels


def png_with(name: bytes, picture: bytes, head: bytes = b"", tail: bytes = b"") -> Built:
    return PNG[:33] + chunk(name, head + picture + tail) + PNG[33:], picture


def png_xmp(picture: bytes) -> Built:
    content, text = packet(picture)
    return png_with(b"iTXt", content, b"XML:com.adobe.xmp\0\0\0\0\0")[0], text


def png_text(picture: bytes) -> Built:
    text = picture.hex().encode()
    return png_with(b"tEXt", text, b"Raw profile type x\0\nx\n%d\n" % len(picture))


def webp_with(name: bytes, content: bytes, needle: bytes | None = None) -> Built:
    body = WEBP[12:] + name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body, needle or content


def webp_exif(picture: bytes) -> Built:
    return saved(SOURCE, "WEBP", lossless=True, exif=exif_of(picture)), picture


def webp_second(picture: bytes) -> Built:
    at = WEBP.index(b"VP8L")
    length = struct.unpack("<I", WEBP[at + 4 : at + 8])[0]
    return webp_with(b"VP8L", WEBP[at + 8 : at + 8 + length])


def tiff_with(tag: int, content: bytes, needle: bytes | None = None, kind: int = 7) -> Built:
    extra = (tag, kind, len(content), content, True)
    return tiff(np.asarray(SOURCE), photometric="rgb", metadata=None, extratags=[extra]), (
        needle or content
    )


def tiff_maker_note(picture: bytes) -> Built:
    data, _ = tiff_with(34667, b"\0\0\0\0", kind=4)
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        place = file.pages[0].tags[34667].offset + 4
    data = data[: place - 4] + struct.pack("<H", 34665) + data[place - 2 :]
    at = len(data) + len(data) % 2
    values = struct.pack("<HHHII", 1, 37500, 7, len(picture), at + 18) + bytes(4)
    pointer = struct.pack("<II", 1, at)
    whole = data[:place] + pointer + data[place + 8 :]
    return whole.ljust(at, b"\0") + values + picture, picture


def tiff_preview(picture: bytes) -> Built:
    data = tiff(np.asarray(SOURCE), photometric="rgb", metadata=None)
    extra = [(513, 4, 1, len(data) + 24, True), (514, 4, 1, len(picture), True)]
    data = tiff(np.asarray(SOURCE), photometric="rgb", metadata=None, extratags=extra)
    return data[: len(data) + 24].ljust(len(data) + 24, b"\0") + picture, picture


def pages(picture: bytes) -> Built:
    return saved(SOURCE, "TIFF", save_all=True, append_images=[SOURCE]), b""


def stack(picture: bytes) -> Built:
    grey = np.stack([np.asarray(SOURCE.convert("L"))] * 3)
    return tiff(grey, imagej=True), b""


def inside(picture: bytes) -> Built:
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as file:
        file.write(np.asarray(SOURCE), photometric="rgb", subifds=1)
        file.write(scene(10, 15), photometric="rgb")
    return stream.getvalue(), b""


def animation(kind: str) -> Callable[[bytes], Built]:
    frames = [SOURCE.resize((16, 16)), SOURCE.resize((16, 16)).rotate(90)]
    return lambda picture: (
        saved(frames[0], kind, save_all=True, append_images=frames[1:], duration=100),
        b"",
    )


def store(picture: bytes) -> bytes:
    """Return a C2PA manifest store with a picture in it."""
    description = b"jumd" + b"c2pa" + bytes(12) + b"\3c2pa\0"
    head = (4 + len(description)).to_bytes(4, "big") + description
    return (8 + len(head) + len(picture)).to_bytes(4, "big") + b"jumb" + head + picture


BUILDERS: dict[tuple[str, str], Callable[[bytes], Built]] = {
    ("JPEG", "scans"): lambda p: (JPEG, JPEG[-600:-300]),
    ("JPEG", "JFIF thumbnail"): jfif_thumbnail,
    ("JPEG", "EXIF thumbnail"): lambda p: in_segment(0xE1, b"Exif\0\0" + exif_of(p)[: -len(p)])(p),
    ("JPEG", "maker note"): lambda p: (
        with_segments(JPEG, [(0xE1, b"Exif\0\0" + exif_of(p, note=True))]),
        p,
    ),
    ("JPEG", "Photoshop thumbnail"): lambda p: (
        with_segments(JPEG, [(0xED, b"Photoshop 3.0\0" + resource(p))]),
        p,
    ),
    ("JPEG", "XMP"): jpeg_xmp,
    ("JPEG", "extended XMP"): extended_xmp,
    ("JPEG", "FlashPix segments"): in_segment(0xE2, b"FPXR\0\0\2\0\0\0\0\0\0"),
    ("JPEG", "other segments"): in_segment(0xE7, b"preview:"),
    ("JPEG", "previews in the index (MPF)"): lambda p: (several(JPEG, [(PREVIEW, p)]), p),
    ("JPEG", "pictures behind the end"): lambda p: (JPEG + b"MOV" + p, p),
    ("JPEG", "data behind the end"): lambda p: (JPEG + p, p),
    ("JPEG", "C2PA manifest store"): lambda p: (
        with_segments(JPEG, [(0xEB, b"JP\0\1\0\0\0\1" + store(p))]),
        p,
    ),
    ("PNG", "IDAT"): lambda p: (PNG, PNG[-600:-300]),
    ("PNG", "animation"): animation("PNG"),
    ("PNG", "eXIf thumbnail"): lambda p: (png_with(b"eXIf", exif_of(p))[0], p),
    ("PNG", "XMP"): png_xmp,
    ("PNG", "text"): png_text,
    ("PNG", "private chunk, safe to copy"): lambda p: png_with(b"viEw", p),
    ("PNG", "private chunk, not safe to copy"): lambda p: png_with(b"prVW", p),
    ("PNG", "data behind the end"): lambda p: (PNG + p, p),
    ("PNG", "C2PA manifest store"): lambda p: (png_with(b"caBX", store(p))[0], p),
    ("WEBP", "VP8 or VP8L"): lambda p: (WEBP, WEBP[600:900]),
    ("WEBP", "animation"): animation("WEBP"),
    ("WEBP", "second picture"): webp_second,
    ("WEBP", "EXIF thumbnail"): webp_exif,
    ("WEBP", "XMP"): lambda p: webp_with(b"XMP ", *packet(p)),
    ("WEBP", "unknown chunk"): lambda p: webp_with(b"MINE", p),
    ("WEBP", "data behind the end"): lambda p: (WEBP + p, p),
    ("WEBP", "C2PA manifest store"): lambda p: webp_with(b"C2PA", store(p), p),
    ("TIFF", "strips or tiles"): lambda p: (
        tiff(np.asarray(SOURCE), photometric="rgb"),
        np.asarray(SOURCE).tobytes()[:300],
    ),
    ("TIFF", "further pages"): pages,
    ("TIFF", "pages without a directory"): stack,
    ("TIFF", "pictures inside (SubIFDs)"): inside,
    ("TIFF", "layers"): lambda p: tiff_with(37724, b"Adobe Photoshop Document Data Block\0" + p, p),
    ("TIFF", "raw file inside"): lambda p: tiff_with(50828, p),
    ("TIFF", "JPEG preview"): tiff_preview,
    ("TIFF", "Photoshop thumbnail"): lambda p: tiff_with(34377, resource(p), p),
    ("TIFF", "XMP"): lambda p: tiff_with(700, *packet(p), kind=1),
    ("TIFF", "maker note"): tiff_maker_note,
    ("TIFF", "private tag"): lambda p: tiff_with(50001, p),
    ("TIFF", "pointer to other data"): lambda p: (tiff_with(50002, b"\x40\0\0\0", kind=13)[0], b""),
    ("TIFF", "data that no tag names"): lambda p: (
        tiff(np.asarray(SOURCE), photometric="rgb", metadata=None) + p,
        p,
    ),
    ("TIFF", "C2PA manifest store"): lambda p: tiff_with(52545, store(p), p),
    ("AVIF", "AV1 picture"): lambda p: (AVIF, AVIF[-600:-300]),
    ("AVIF", "animation"): animation("AVIF"),
    ("AVIF", "thumbnail"): lambda p: (with_item(AVIF, b"av01", p, b"thmb"), p),
    ("AVIF", "gain map, depth map"): lambda p: (with_item(AVIF, b"tmap", p, b"auxl"), p),
    ("AVIF", "EXIF thumbnail"): lambda p: (
        with_item(AVIF, b"Exif", bytes(4) + exif_of(p), b"cdsc"),
        p,
    ),
    ("AVIF", "XMP"): lambda p: (
        with_item(AVIF, b"mime", packet(p)[0], b"cdsc", b"application/rdf+xml"),
        packet(p)[1],
    ),
    ("AVIF", "other item"): lambda p: (with_item(AVIF, b"mime", p, b"cdsc", b"image/jpeg"), p),
    ("AVIF", "other box"): lambda p: (AVIF + box(b"mine", p), p),
    ("AVIF", "data that no item names"): lambda p: (AVIF + box(b"mdat", p), p),
    ("AVIF", "C2PA manifest store"): lambda p: (
        AVIF + box(b"uuid", C2PA, bytes(4), b"manifest\0", bytes(8), store(p)),
        p,
    ),
    ("JXL", "codestream"): lambda p: (JXL, JXL[600:900]),
    ("JXL", "animation"): lambda p: (jxl_header(animated=True), b""),
    ("JXL", "preview"): lambda p: (jxl_header(preview=True), b""),
    ("JXL", "EXIF thumbnail"): lambda p: (boxed_jxl(JXL, (b"Exif", bytes(4) + exif_of(p))), p),
    ("JXL", "XMP"): lambda p: (boxed_jxl(JXL, (b"xml ", packet(p)[0])), packet(p)[1]),
    ("JXL", "what restores a JPEG"): lambda p: (boxed_jxl(JXL, (b"jbrd", p)), p),
    ("JXL", "other box"): lambda p: (boxed_jxl(JXL, (b"mine", p)), p),
    ("JXL", "C2PA manifest store"): lambda p: (boxed_jxl(JXL, (b"jumb", store(p)[8:])), p),
}


def released(data: bytes) -> tuple[Picture, bytes, tuple[str, ...]]:
    """Return a file as a release in its own kind writes it, and its notes."""
    picture = read_picture(data)
    if picture.kind == "JPEG":
        changed = read_coefficients(data, parse_jpeg(data, UNLIMITED)).copy()
        changed.flat[:, 1:9] += 3
        return picture, write_coefficients(data, changed), notes_in_place(picture)
    best = encodings(picture)[-1]
    written = encode(picture, picture.pixels ^ 1, encoding=best)
    return picture, written, notes_coded(picture, picture.kind)


def of(*fates: Fate) -> list[Carrier]:
    return [each for each in CARRIERS if each.fate in fates]


def build(carrier: Carrier, picture: bytes) -> Built:
    data, needle = BUILDERS[carrier.kind, carrier.place](picture)
    assert needle in data
    return data, needle


def name_of(carrier: Carrier) -> str:
    return f"{carrier.kind} {carrier.place}"


def test_every_carrier_is_tested_and_documented() -> None:
    assert {(each.kind, each.place) for each in CARRIERS} == set(BUILDERS)
    page = (Path(__file__).parents[4] / "docs" / "reference" / "metadata.md").read_text(
        encoding="utf-8"
    )
    rows = "\n".join(f"| {c.kind} | {c.place} | {c.fate.value} |" for c in CARRIERS)
    assert rows in page


@pytest.mark.parametrize("carrier", of(Fate.CHANGED), ids=name_of)
def test_the_picture_itself_changes(carrier: Carrier) -> None:
    data, needle = build(carrier, b"")
    picture, written, notes = released(data)
    assert needle not in written
    assert not np.array_equal(read_picture(written).pixels, picture.pixels)
    assert notes == ()


@pytest.mark.parametrize("carrier", of(Fate.REFUSED), ids=name_of)
def test_what_is_refused(carrier: Carrier) -> None:
    with pytest.raises(PictureError, match=r"cannot be written back|damaged"):
        read_picture(build(carrier, LARGE)[0])


@pytest.mark.parametrize("carrier", of(Fate.LEFT_OUT), ids=name_of)
def test_what_does_not_leave_whatever_it_is(carrier: Carrier) -> None:
    data, needle = build(carrier, OTHER)
    _, written, notes = released(data)
    assert len(notes) == 1
    assert "left out" in notes[0]
    assert not needle or needle not in written
    assert len(needle) < 300 or needle[200:300] not in written


@pytest.mark.parametrize(
    "carrier", of(Fate.THUMBNAIL, Fate.UNLESS_IT_SHOWS, Fate.UNLESS_LONG), ids=name_of
)
def test_thumbnails_leave_and_larger_copies_do_not(carrier: Carrier) -> None:
    data, needle = build(carrier, SMALL)
    _, written, notes = released(data)
    assert needle in written
    assert not [note for note in notes if "left out" in note]
    if carrier.place == "JFIF thumbnail":  # of at most 255 pixels
        return
    data, needle = build(carrier, LARGE)
    _, written, notes = released(data)
    assert needle[:200] not in written
    assert needle[200:300] not in written
    assert needle[-300:-200] not in written
    assert [note for note in notes if "left out" in note]


@pytest.mark.parametrize("carrier", of(Fate.UNLESS_IT_SHOWS, Fate.UNLESS_LONG), ids=name_of)
def test_other_pictures_stay(carrier: Carrier) -> None:
    data, needle = build(carrier, OTHER)
    _, written, notes = released(data)
    assert needle in written
    assert not [note for note in notes if "left out" in note]


@pytest.mark.parametrize("carrier", of(Fate.UNLESS_LONG), ids=name_of)
def test_long_private_data_do_not_leave(carrier: Carrier) -> None:
    data, needle = build(carrier, LONG)
    _, written, notes = released(data)
    assert needle[:300] not in written
    assert "70,000 bytes" in notes[0]
