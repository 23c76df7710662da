"""Releases and adds of a folder of nasty files: each bad file costs itself and nothing else."""

import io
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms, ImageOps

from homing.images import SHOWS_NOTHING
from tests.helpers.command_line import run_apart
from tests.helpers.pictures import picture

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
RIGHT_TURNED = 6  # EXIF: turn by 90 degrees to show


@dataclass(frozen=True)
class Nasty:
    """A folder, and the expected outcomes of its files by their names as bytes."""

    folder: Path
    good: tuple[bytes, ...]
    refused: tuple[bytes, ...]  # cannot be written, but can be described
    bad: tuple[bytes, ...]


def smooth(shape: tuple[int, ...], peak: int) -> np.ndarray:
    height, width = shape[:2]
    rows, columns = np.mgrid[0:height, 0:width]
    waves = [np.sin(columns / (9 + c) + c) + np.cos(rows / (7 + c)) for c in range(3)]
    values = np.stack(waves, axis=-1)[..., : shape[2]] if len(shape) == 3 else waves[0]
    dtype = np.uint16 if peak > 255 else np.uint8
    return np.clip((values + 2) / 4 * peak, 0, peak).astype(dtype)


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    sink = io.BytesIO()
    image.save(sink, kind, **options)
    return sink.getvalue()


HUGE = 60_000


def claims_to_be_huge() -> bytes:
    """Return a PNG of 60,000 × 60,000 pixels by its header, and of a few bytes of data."""

    def chunk(name: bytes, data: bytes) -> bytes:
        checked = name + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", HUGE, HUGE, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def huge_jpeg(jpeg: bytes) -> bytes:
    start = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:start] + struct.pack(">HH", HUGE, HUGE) + jpeg[start + 4 :]


def huge_webp() -> bytes:
    canvas = bytes(4) + 2 * (HUGE - 1).to_bytes(3, "little")
    body = (
        b"WEBPVP8X" + struct.pack("<I", 10) + canvas + b"VP8 " + struct.pack("<I", 10) + bytes(10)
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def huge_tiff() -> bytes:
    tags = {256: HUGE, 257: HUGE, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: HUGE, 279: 2**31}
    listed = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + listed + bytes(4)


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[274] = orientation
    return exif


def good_files() -> dict[bytes, bytes]:
    rgb = picture(1, (120, 90))
    exif = Image.Exif()
    exif[274] = RIGHT_TURNED
    exif[315] = "Somebody"
    alpha = rgb.convert("RGBA")
    alpha.putalpha(Image.fromarray(smooth((90, 120), 255)))
    tiff16 = io.BytesIO()
    tifffile.imwrite(tiff16, smooth((60, 80, 3), 65535), photometric="rgb")
    return {
        b"plain.jpg": encoded(rgb, "JPEG", quality=90),
        b"progressive.jpeg": encoded(rgb, "JPEG", quality=90, progressive=True),
        b"grey.jpg": encoded(rgb.convert("L"), "JPEG", quality=92),
        b"cmyk.jpg": encoded(rgb.convert("CMYK"), "JPEG"),
        b"grey.png": encoded(rgb.convert("L"), "PNG"),
        b"turned.jpg": encoded(rgb, "JPEG", exif=exif, quality=92),
        b"turned.png": encoded(rgb, "PNG", exif=exif),
        b"palette.png": encoded(rgb.quantize(64), "PNG"),
        b"alpha.png": encoded(alpha, "PNG"),
        b"alpha.webp": encoded(alpha, "WEBP", lossless=True),
        b"lossy.webp": encoded(rgb, "WEBP", quality=90),
        b"sixteen.png": imagecodecs.png_encode(smooth((60, 80, 3), 65535)),
        b"sixteen-grey.png": imagecodecs.png_encode(smooth((60, 80), 65535)),
        b"sixteen.tif": tiff16.getvalue(),
        b"plain.tiff": encoded(rgb, "TIFF"),
        b"one.png": encoded(rgb.resize((1, 1)), "PNG"),
        b"one.jpg": encoded(rgb.resize((1, 1)), "JPEG", quality=95),
        b"thin.png": encoded(picture(2, (1, 5000)), "PNG"),
        b"flat.png": encoded(picture(3, (5000, 1)), "PNG"),
        b" with spaces .jpg": encoded(picture(4), "JPEG", quality=90),
        b"new\nline.jpg": encoded(picture(5), "JPEG", quality=90),
        b"not-\xff\xfe-utf8.jpg": encoded(picture(6), "JPEG", quality=90),
        b"-leading-dash.jpg": encoded(picture(7), "JPEG", quality=90),
        b"no suffix": encoded(picture(8), "JPEG", quality=90),
        "größe 图.jpg".encode(): encoded(picture(9), "JPEG", quality=90),
        b"\x1b[31mred \\ \"'.jpg": encoded(picture(11), "JPEG", quality=90),
        b"long" * 62 + b".jpg": encoded(picture(12), "JPEG", quality=90),
        b"PNG that is a JPEG.png": encoded(picture(10), "JPEG", quality=90),
        b"profile.jpg": encoded(picture(13), "JPEG", quality=90, icc_profile=PROFILE),
        b"profile.png": encoded(picture(14), "PNG", icc_profile=PROFILE),
    } | {
        b"turned %d.jpg" % o: encoded(picture(20 + o), "JPEG", exif=turned(o), quality=90)
        for o in range(1, 9)
    }


def refused_files() -> dict[bytes, bytes]:
    rgb, other = picture(1), picture(2)
    many = {"save_all": True, "append_images": [other]}
    return {
        b"cmyk.tif": encoded(rgb.convert("CMYK"), "TIFF"),
        b"animated.gif": encoded(rgb, "GIF", **many),
        b"animated.webp": encoded(rgb, "WEBP", **many),
        b"animated.png": encoded(rgb, "PNG", **many),
        b"pages.tif": encoded(rgb, "TIFF", **many),
        b"picture.bmp": encoded(rgb, "BMP"),
        b"two-colours.png": encoded(rgb.convert("1"), "PNG"),
    } | cut_short()


def cut_short() -> dict[bytes, bytes]:
    """Return files that are read as far as they go, and never written back."""
    jpeg, png, webp, tiff = (encoded(picture(1), k) for k in ("JPEG", "PNG", "WEBP", "TIFF"))
    progressive = encoded(picture(1), "JPEG", progressive=True)
    return {
        b"truncated.jpg": jpeg[: len(jpeg) // 2],
        b"truncated.png": png[: len(png) // 2],
        b"truncated.webp": webp[: len(webp) // 2],
        b"truncated.tif": tiff[: len(tiff) // 2],
        b"truncated-progressive.jpg": progressive[: len(progressive) // 2],
        b"end lost.jpg": jpeg[:-20],
    }


def bad_files() -> dict[bytes, bytes]:
    jpeg, png = (encoded(picture(1), kind) for kind in ("JPEG", "PNG"))
    return {
        b"empty.jpg": b"",
        b"empty.png": b"",
        b"text.png": b"this is no picture\n",
        b"header-only.png": png[:33],
        b"header-only.jpg": jpeg[:24],
        b"huge.png": claims_to_be_huge(),
        b"huge.jpg": huge_jpeg(jpeg),
        b"huge.webp": huge_webp(),
        b"huge.tif": huge_tiff(),
        b"noise.tif": b"II*\0" + bytes(range(200)),
        b"bad\nname\xff.webp": b"RIFF\x10\0\0\0WEBPVP8 ",
    }


@pytest.fixture(scope="module")
def nasty(tmp_path_factory: pytest.TempPathFactory) -> Nasty:
    folder = tmp_path_factory.mktemp("nasty") / "in"
    folder.mkdir()
    good, refused, bad = good_files(), refused_files(), bad_files()
    for name, data in (good | refused | bad).items():
        (folder / os.fsdecode(name)).write_bytes(data)
    (folder / "dangling.jpg").symlink_to("nowhere.jpg")
    (folder / "loop.jpg").symlink_to("loop.jpg")
    (folder / "device.jpg").symlink_to("/dev/zero")
    (folder / "linked folder").symlink_to(folder)
    (folder / "pipe.jpg").unlink(missing_ok=True)
    os.mkfifo(folder / "pipe.jpg")
    (folder / "folder.jpg").mkdir()
    more = [b"dangling.jpg", b"pipe.jpg", b"loop.jpg", b"device.jpg"]
    if os.geteuid() != 0:  # root can read any file
        (folder / "unreadable.jpg").write_bytes(next(iter(good.values())))
        (folder / "unreadable.jpg").chmod(0)
        more.append(b"unreadable.jpg")
    (folder / "notes.txt").write_text("not meant")
    (folder / ".hidden.jpg").write_bytes(b"not meant either")
    return Nasty(folder, tuple(good), tuple(refused), (*bad, *more))


def shown(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")


def sources(objects: list[dict], status: str) -> set[str]:
    return {o["id"] for o in objects if o["status"] == status}


def read(data: bytes) -> np.ndarray:
    """Return pixels as float64 at full depth; 16-bit files are not decoded by homing."""
    with Image.open(io.BytesIO(data)) as image:
        kind, mode = image.format, image.mode
        pixels = np.asarray(image.convert("RGBA") if mode in {"P", "PA"} else image)
    if kind == "PNG":
        decoded = imagecodecs.png_decode(data)
        pixels = decoded if decoded.dtype == np.uint16 else pixels
    if kind == "TIFF":
        pixels = tifffile.imread(io.BytesIO(data))
    return pixels


#: TIFF tags of how pixels are stored: strips, compression, predictor, sample format.
STORAGE = {258, 259, 262, 273, 277, 278, 279, 284, 317, 339}


def tags(image: Image.Image) -> dict:
    """Return EXIF and, of a TIFF, the tags other than those of storage."""
    return {tag: value for tag, value in image.getexif().items() if tag not in STORAGE}


def check_released(name: bytes, before: bytes, after: bytes) -> None:
    """Check that kind, size, depth, EXIF, orientation and alpha are unchanged, and PSNR ≥ 42."""
    with Image.open(io.BytesIO(before)) as a, Image.open(io.BytesIO(after)) as b:
        assert b.format == a.format, name
        assert b.size == a.size, name
        assert tags(b) == tags(a), name
        assert b.info.get("icc_profile") == a.info.get("icc_profile"), name
        assert ImageOps.exif_transpose(b).size == ImageOps.exif_transpose(a).size
    source, released = read(before), read(after)
    assert released.dtype == source.dtype, name
    if source.ndim == 3 and source.shape[2] == 4:
        if released.shape[2] == 4:
            assert np.array_equal(released[..., 3], source[..., 3]), name
        source, released = source[..., :3], released[..., :3]
    assert released.shape == source.shape, name
    peak = np.iinfo(source.dtype).max
    error = np.mean((source.astype(np.float64) - released.astype(np.float64)) ** 2)
    assert error == 0 or 10 * np.log10(peak**2 / error) >= 42, name


def test_release(homing_cli, archive, nasty):
    before = {n: (nasty.folder / os.fsdecode(n)).read_bytes() for n in nasty.good}
    ran = run_apart("release", archive, nasty.folder, "--out", "out", "--json")
    assert ran.status == 1
    assert sources(ran.objects, "released") == {shown(n) for n in nasty.good}
    wrong = {shown(n) for n in (*nasty.bad, *nasty.refused)}
    assert sources(ran.objects, "failed") == wrong
    for answer in ran.objects:
        if answer["status"] == "failed":
            assert set(answer) == {"source", "status", "reason", "id", "seconds"}
            assert len(answer["reason"]) > 10, answer
            assert "/" not in answer["reason"] or "PNG" in answer["reason"], answer
        else:
            found = {"psnr", "ssim", "ssimulacra2"}  # unless unchanged, or too small
            keys = {"source", "status", "id", "file", "cell_kept", "seconds"}
            assert set(answer) - {"notes"} - found == keys
    files = {os.fsencode(p.relative_to("out")): p for p in Path("out").rglob("*")}
    assert files.keys() == set(nasty.good)
    for name, path in files.items():
        check_released(name, before[name], path.read_bytes())
        assert (nasty.folder / os.fsdecode(name)).read_bytes() == before[name]
    verified = homing_cli("verify", archive)
    assert verified.status == 0, verified.out
    assert f"{len(nasty.good)} released files verified" in verified.err
    again = homing_cli("release", archive, nasty.folder, "--out", "out")
    assert again.status == 1
    assert again.out.count("skipped ") == len(nasty.good)
    assert again.err.count("failed    ") == len(wrong)
    one_line_each = again.out.count("\n") + again.err.count("\n")
    assert one_line_each == len(nasty.good) + len(wrong) + 1


def test_reasons_say_what_is_wrong(homing_cli, archive, nasty):
    files = [nasty.folder / os.fsdecode(name) for name in (*nasty.bad, *nasty.refused)]
    ran = homing_cli("release", archive, *files, "--out", "out", "--json")
    reasons = {o["id"]: o["reason"].lower() for o in ran.objects if o["status"] == "failed"}
    for name, word in {
        "empty.jpg": "empty",
        "text.png": "not a picture",
        "truncated.jpg": "truncated",
        "truncated.png": "truncated",
        "truncated.webp": "truncated",
        "truncated.tif": "truncated",
        "truncated-progressive.jpg": "truncated",
        "end lost.jpg": "truncated",
        "huge.png": "60000 x 60000 pixels",
        "huge.jpg": "60000 x 60000 pixels",
        "huge.webp": "60000 x 60000 pixels",
        "huge.tif": "60000 x 60000 pixels",
        "loop.jpg": "links",
        "device.jpg": "device",
        "dangling.jpg": "link",
        "pipe.jpg": "file",
        "cmyk.tif": "cmyk",
        "animated.webp": "animated",
        "animated.png": "animated",
        "animated.gif": "gif",
        "picture.bmp": "bmp",
    }.items():
        assert word in reasons[name], (name, reasons[name])


def test_add_and_search(homing_cli, archive, nasty):
    ran = homing_cli("add", archive, nasty.folder, "--json")
    assert ran.status == 1
    added, failed = sources(ran.objects, "added"), sources(ran.objects, "failed")
    assert failed == {shown(n) for n in nasty.bad}
    assert added == {shown(n) for n in (*nasty.good, *nasty.refused)}
    assert all(o["reason"] for o in ran.objects if o["status"] == "failed")
    assert homing_cli("verify", archive).status == 0

    ran = homing_cli("search", archive, nasty.folder, "--k", "12", "--probes", "8", "--json")
    assert ran.status == 1
    prefix = f"{nasty.folder}/"
    failed = {o["query"].removeprefix(prefix): o["reason"] for o in ran.objects if "reason" in o}
    assert failed.keys() == {shown(n) for n in nasty.bad}
    assert not [
        reason for reason in failed.values() if prefix in reason
    ]  # the line names it already
    found = {o["query"].removeprefix(prefix): o["hits"] for o in ran.objects if "hits" in o}
    assert found.keys() == added
    blank = {
        o["query"].removeprefix(prefix) for o in ran.objects if SHOWS_NOTHING in o.get("note", "")
    }
    assert blank < added
    for name, hits in found.items():
        if name in blank:  # of one colour all over, it matches nothing
            assert not hits
            continue
        assert hits[0]["similarity"] > 0.999, name
        assert name in {hit["id"] for hit in hits if hit["similarity"] > 0.999}, name


@pytest.mark.parametrize("command", ["add", "search", "release", "activate"])
def test_bad_files_by_their_names(homing_cli, archive, nasty, command):
    files = [nasty.folder / os.fsdecode(name) for name in nasty.bad]
    given = [command, *files] if command == "activate" else [command, archive, *files]
    given += ["--out", "out"] if command in {"release", "activate"} else []
    ran = homing_cli(*given, "--json")
    assert ran.status == 1
    assert len(ran.objects) == len(files)
    assert {o["status"] for o in ran.objects} == {"failed"}
    assert all(o["reason"] for o in ran.objects)
    ran.out.encode()  # no half characters, which JSON could not carry to others
    assert "\\ud" not in ran.out
    ran = homing_cli(*given)
    assert ran.status == 1
    assert ran.out == ""
    summary = command != "search"
    assert len(ran.err.splitlines()) == len(files) + summary
