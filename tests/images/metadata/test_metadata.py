"""Metadata carried into another kind.

Manifest stores are tested in tests/c2pa, metadata within one kind in tests/images/formats.
"""

import io

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from homing.images import encode, encodings, read_picture
from homing.images.metadata.carried import notes_coded
from homing.images.metadata.metadata import read_metadata
from tests.helpers.picture_files import (
    IPTC,
    PROFILE,
    XMP,
    chunk,
    exif,
    opened,
    rich_jpeg,
    rich_png,
    saved,
    scene,
    segments,
    with_segments,
)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_other_kinds_carry_exif_profile_and_xmp(kind: str) -> None:
    picture = read_picture(rich_jpeg(orientation=8))
    written = encode(picture, picture.pixels, encoding=encodings(picture, kind)[-1])
    after = read_picture(written)
    assert after.kind == kind
    assert np.array_equal(after.pixels, picture.pixels)
    assert after.orientation == 8
    image = opened(written)
    assert image.info["icc_profile"] == PROFILE[:128] + bytes(140_000)
    assert image.info["xmp"] == XMP
    tags = Image.open(io.BytesIO(written)).getexif()
    assert tags[0x010F] == "Camera maker of some length"
    assert tags.get_ifd(0x8769)[0x829A] == (1, 125)
    assert tags.get_ifd(0x8825)[1] == "N"


def test_jpeg_of_a_png_carries_its_metadata() -> None:
    picture = read_picture(rich_png())
    image = Image.open(
        io.BytesIO(encode(picture, picture.pixels, encoding=encodings(picture, "jpg")[0]))
    )
    assert image.info["icc_profile"] == PROFILE
    assert image.info["xmp"] == XMP
    assert image.getexif()[0x0112] == 3
    assert [layer[1:3] for layer in image.layer] == [(1, 1)] * 3


def test_jpeg_of_a_tiff_carries_its_metadata() -> None:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[271] = "Camera"
    tags[274] = 6
    tags[700] = XMP
    tags[34377] = IPTC
    tags[34665] = {36867: "2025:01:02 03:04:05"}
    picture = read_picture(saved(scene(20, 31), "TIFF", tiffinfo=tags, icc_profile=PROFILE))
    image = Image.open(
        io.BytesIO(encode(picture, picture.pixels, encoding=encodings(picture, "JPEG")[0]))
    )
    assert image.info["icc_profile"] == PROFILE
    assert image.info["xmp"] == XMP
    assert image.info["photoshop"][0x0404] == b"\x1c\x02\x05\0\x04Dune"
    assert image.getexif()[271] == "Camera"
    assert image.getexif()[274] == 6
    assert image.getexif().get_ifd(34665)[36867] == "2025:01:02 03:04:05"


def converted(data: bytes, kind: str) -> tuple[bytes, str]:
    """Return a picture written in a kind, and its notes."""
    picture = read_picture(data)
    best = encodings(picture, kind)[-1]
    return encode(picture, picture.pixels, encoding=best), "; ".join(notes_coded(picture, kind))


def long_exif() -> bytes:
    """Return a JPEG whose EXIF block, with a comment of 90,000 bytes, takes two segments."""
    block = Image.Exif()
    block[0x010E] = "caption"
    block.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0" + b"k" * 90_000
    content = block.tobytes()
    parts = [(0xE1, content[:65_000]), (0xE1, b"Exif\0\0" + content[65_000:])]
    return with_segments(saved(scene(16, 24), "JPEG"), parts)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_exif_of_several_segments_is_joined(kind: str) -> None:
    written, notes = converted(long_exif(), kind)
    tags = Image.open(io.BytesIO(written)).getexif()
    assert tags[0x010E] == "caption"
    assert tags.get_ifd(0x8769)[0x9286] == b"ASCII\0\0\0" + b"k" * 90_000
    assert notes == ""
    back, _ = converted(written, "JPEG")  # and parted again
    again = read_metadata("JPEG", back).exif
    assert again is not None
    assert b"k" * 90_000 in again


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_extended_xmp_is_joined(kind: str) -> None:
    rdf = b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">%s</rdf:RDF>'
    text = b"t" * 99_000
    long = rdf % (b'<rdf:Description xmlns:q="urn:q"><q:t>%s</q:t></rdf:Description>' % text)
    png = saved(scene(16, 24), "PNG")
    png = png[:33] + chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + long) + png[33:]
    jpeg, notes = converted(png, "JPEG")
    assert notes == ""
    assert jpeg.count(b"http://ns.adobe.com/xmp/extension/\0") == 2
    written, notes = converted(jpeg, kind)
    assert notes == ""
    packet = read_metadata(kind, written).xmp
    assert packet is not None
    assert b"t" * 99_000 in packet
    assert b"HasExtendedXMP" not in packet
    broken, notes = converted(jpeg.replace(b"<rdf:RDF", b"<rdf:rdf"), kind)
    assert "the extended XMP" in notes
    assert b"HasExtendedXMP" not in broken


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_iptc_becomes_xmp(kind: str) -> None:
    iptc = b"\x1c\2\x50\0\3Zoe\x1c\2\x74\0\5(c) Z\x1c\2\x1e\0\x0820240101"
    block = b"8BIM\x04\x04\0\0" + len(iptc).to_bytes(4, "big") + iptc + b"\0" * (len(iptc) % 2)
    block += b"8BIM\x04\x0b\0\0\0\0\0\4http"
    data = with_segments(saved(scene(16, 24), "JPEG"), [(0xED, b"Photoshop 3.0\0" + block)])
    written, notes = converted(data, kind)
    packet = read_metadata(kind, written).xmp
    assert packet is not None
    assert b"<rdf:li>Zoe</rdf:li>" in packet
    assert b"(c) Z" in packet
    assert "IPTC dataset 2:30" in notes
    assert "Photoshop's resource 1035" in notes
    kept, notes = converted(data, "TIFF")
    assert notes == ""
    assert Image.open(io.BytesIO(kept)).tag_v2[34377] == block


def test_what_another_kind_has_no_place_for_is_named() -> None:
    data = with_segments(
        saved(scene(16, 24), "JPEG", comment=b"said aside", dpi=(72, 72)),
        [(0xE3, b"thermal"), (0xEC, b"PictureInfo"), (0xE2, b"FPXR\0" + bytes(9))],
    )
    for kind in ("PNG", "WEBP", "TIFF"):
        _, notes = converted(data + b"behind", kind)
        for name in (
            "the comment",
            "the resolution",
            "APP3",
            "APP12",
            "APP2",
            "behind the picture",
        ):
            assert name in notes
    _, notes = converted(rich_png(), "TIFF")
    for name in ("gAMA", "cICP", "tEXt", "zTXt", "iTXt", "pHYs", "tIME"):
        assert f"chunk {name}" in notes
    webp = saved(scene(16, 24), "WEBP", lossless=True, exif=exif(3))
    size = len(webp) + 4
    webp = b"RIFF" + size.to_bytes(4, "little") + webp[8:] + b"MINE\4\0\0\0abcd"
    written, notes = converted(webp, "WEBP")
    assert written.endswith(b"MINE\4\0\0\0abcd")
    assert notes == ""
    assert "chunk MINE" in converted(webp, "PNG")[1]


def test_a_video_left_out_is_no_longer_named() -> None:
    packet = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="r"><rdf:Description '
        b'GCamera:MicroVideo="1" GCamera:MicroVideoOffset="44" dc:x="kept"/></rdf:RDF></x:xmpmeta>'
    )
    video = b"\0\0\0\x18ftypmp42" + bytes(16) + b"\0\0\0\x14mdat" + b"videovideo12"
    data = with_segments(
        saved(scene(16, 24), "JPEG"), [(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet)]
    )
    written, notes = converted(data + video, "PNG")
    assert b"MicroVideo" not in written
    assert b'dc:x="kept"' in written
    assert "a video" in notes
    written, notes = converted(data, "PNG")  # without one, nothing is touched
    assert b"MicroVideoOffset" in written


def test_a_jpeg_coded_anew_keeps_all_its_segments() -> None:
    added = [(0xE3, b"thermal"), (0xE2, b"FPXR\0data"), (0xEC, b"Ducky"), (0xE1, b"FLIR\0\1\0\0x")]
    written, notes = converted(with_segments(saved(scene(16, 24), "JPEG"), added), "JPEG")
    assert [each for each in segments(written) if each in added] == added
    assert notes == ""


@pytest.mark.parametrize("at", [200, 3000, 90_000])
@pytest.mark.parametrize("order", ["II", "MM"])
def test_a_maker_note_stays_where_it_stood(order: str, at: int) -> None:
    pixels, note = scene(160, 200), b"offsets count from the file's beginning"
    end = "little" if order == "II" else "big"

    def row(tag: int, kind: int, count: int, value: int) -> bytes:
        short = kind == 3 and count == 1
        packed = value.to_bytes(2 if short else 4, end).ljust(4, b"\0")
        return tag.to_bytes(2, end) + kind.to_bytes(2, end) + count.to_bytes(4, end) + packed

    strip = 100_000
    rows = [
        row(256, 4, 1, 200), row(257, 4, 1, 160), row(258, 3, 3, 150), row(262, 3, 1, 2),
        row(273, 4, 1, strip), row(277, 3, 1, 3), row(279, 4, 1, pixels.nbytes),
        row(34665, 4, 1, 160),
    ]  # fmt: skip
    head = order.encode() + (42).to_bytes(2, end) + (8).to_bytes(4, end)
    data = bytearray(strip)
    directory = head + len(rows).to_bytes(2, end) + b"".join(rows) + bytes(4)
    data[: len(directory)] = directory
    data[150:156] = (8).to_bytes(2, end) * 3
    inner = (1).to_bytes(2, end) + row(37500, 7, len(note), at) + bytes(4)
    data[160 : 160 + len(inner)] = inner
    data[at : at + len(note)] = note
    source = bytes(data) + pixels.tobytes()
    written, notes = converted(source, "TIFF")
    assert written[at : at + len(note)] == note
    found = read_metadata("TIFF", written).exif
    assert found is not None
    assert note in found
    assert np.array_equal(read_picture(written).pixels, pixels)
    assert "maker" not in notes
    assert "the place of the maker note" in converted(source, "PNG")[1]
