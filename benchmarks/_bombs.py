"""Pictures that cost a decoder far more than their bytes, and pictures with damaged bytes."""

import io
import random
import struct
import zlib
from collections.abc import Iterator

from PIL import Image

_SIDES = (1_000, 2_000, 4_000, 10_000)


def bombs(sides: tuple[int, ...] = _SIDES) -> Iterator[tuple[str, bytes]]:
    """Yield bombs, each with its name and once; great pictures have these sides in pixels.

    A hundred times as many parts are small.
    """
    seen: set[bytes] = set()
    for most in sides:
        for family in (_jpegs, _pngs, _tiffs, _gifs, _bmps, _webps, _pages, _modern):
            for name, data in family(most):
                if data not in seen:
                    seen.add(data)
                    yield name, data


def _jpegs(most: int) -> Iterator[tuple[str, bytes]]:
    """Progressive JPEGs of thousands of scans, and headers of a million segments."""
    for side in sorted({800, min(3000, most), min(9000, most)}):
        for scans in (100, 1000, 3000, 20_000):
            yield f"jpeg {side} {scans} scans", scans_jpeg(side, scans)
    for count in (10_000, 100 * most):
        base = _jpeg((64, 64))
        yield f"jpeg {count} comments", base[:2] + b"\xff\xfe\0\2" * count + base[2:]
        yield f"jpeg {count} tables", base[:-2] + b"\xff\xfe\0\2" * count + base[-2:]
        yield f"jpeg {count} fills", base[:2] + b"\xff" * count + base[2:]
    yield "jpeg 1.5 MB of Exif", base[:2] + b"\xff\xe1\xff\xff" + _exif() + base[2:]


def scans_jpeg(side: int, scans: int) -> bytes:
    """Return a progressive JPEG of one grey whose last scan is repeated."""
    data = _jpeg((side, side), progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * scans + data[-2:]


def _jpeg(size: tuple[int, int], *, progressive: bool = False) -> bytes:
    stream = io.BytesIO()
    Image.new("L", size, 90).save(stream, "JPEG", progressive=progressive)
    return stream.getvalue()


def _exif() -> bytes:
    return (b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(">H", 5000)).ljust(65533, b"\1")


def _pngs(most: int) -> Iterator[tuple[str, bytes]]:
    for side in sorted({min(3000, most), most}):
        yield f"png {side} zeros", png([], side)
        yield f"png {side} interlaced", png([], side, interlaced=1)
    for count in (10_000, 100 * most):
        yield f"png {count} texts", png([(b"tEXt", b"a\0")] * count)
        yield f"png {count} pixels", png([(b"IDAT", b"")] * count)
    deep = zlib.compress(bytes(2 * most**2), 9)
    yield "png deep text", png([(b"zTXt", b"a\0\0" + deep)])
    yield "png deep profile", png([(b"iCCP", b"a\0\0" + deep)])
    yield "png claims", png([], 9_999, rows=1)
    yield "png 2e9 pixels", png([], 46_000, rows=1)


def png(chunks: list[tuple[bytes, bytes]], side: int = 64, *, rows: int = 0, interlaced: int = 0):
    """Return a black PNG of 8-bit RGB with chunks before its pixels."""
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, interlaced)
    deflate = zlib.compressobj(9)
    row = bytes(1 + 3 * side)
    body = b"".join(deflate.compress(row) for _ in range(rows or side + side // 8 + 16))
    body += deflate.flush()
    parts = [(b"IHDR", head), *chunks, (b"IDAT", body), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
        for name, content in parts
    )


def _tiffs(most: int) -> Iterator[tuple[str, bytes]]:
    for columns, rows, wide, high in (
        (1, 1, most // 10, 1000),
        (1, most**2 // 2, 60_000, 1),
        (most**2 // 2, 1, 1, 60_000),
        (most, most, most, most),
    ):
        yield f"tiff {wide}x{high} tiles {columns}x{rows}", tiff(wide, high, columns, rows)


def tiff(width: int, height: int, columns: int, rows: int) -> bytes:
    """Return a grey, deflated TIFF whose tiles all lie at the same place."""
    deflate = zlib.compressobj(9)
    tile = b"".join(deflate.compress(bytes(1 << 20)) for _ in range(-(-columns * rows >> 20)))
    tile += deflate.flush()
    count = -(-width // columns) * -(-height // rows)
    tags = [
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 8), (262, 3, 1, 1),
        (277, 3, 1, 1), (322, 4, 1, columns), (323, 4, 1, rows),
    ]  # fmt: skip
    tables = 8 + len(tile) + 2 + 12 * (len(tags) + 2) + 4
    if count == 1:
        tags += [(324, 4, 1, 8), (325, 4, 1, len(tile))]
        more = b""
    else:
        tags += [(324, 4, count, tables), (325, 4, count, tables + 4 * count)]
        more = struct.pack("<I", 8) * count + struct.pack("<I", len(tile)) * count
    directory = struct.pack("<H", len(tags))
    directory += b"".join(
        struct.pack("<HHI", tag, kind, number)
        + (struct.pack("<HH", value, 0) if kind == 3 else struct.pack("<I", value))
        for tag, kind, number, value in tags
    )
    return b"II*\0" + struct.pack("<I", 8 + len(tile)) + tile + directory + bytes(4) + more


def _gifs(most: int) -> Iterator[tuple[str, bytes]]:
    stream = io.BytesIO()
    Image.new("L", (64, 64)).save(stream, "GIF")
    data = stream.getvalue()
    at = data.index(b",")
    for count in (10_000, 100 * most):
        yield f"gif {count} comments", data[:at] + b"!\xfe\1a\0" * count + data[at:]
        yield f"gif {count} blocks", data[:at] + b"!\xfe" + b"\1a" * count + b"\0" + data[at:]


def _bmps(most: int) -> Iterator[tuple[str, bytes]]:
    """A few bytes that claim, or by run lengths have, great pictures."""
    runs = (b"\xff\0" * (most // 255) + b"\0\0") * most
    for name, bits, compression, body in (
        ("claims", 24, 0, b""),
        ("runs", 8, 1, runs + b"\0\1"),
        ("jumps", 8, 1, b"\0\2\xff\xff" * most + b"\0\1"),
    ):
        colours = b"\x10\x20\x30\0" * (256 if bits == 8 else 0)
        head = struct.pack("<IiiHHIIiiII", 40, most, most, 1, bits, compression, len(body), 1, 1,
                           256 if bits == 8 else 0, 0)  # fmt: skip
        start = 14 + len(head) + len(colours)
        data = b"BM" + struct.pack("<IHHI", start + len(body), 0, 0, start) + head + colours + body
        yield f"bmp {most} {name}", data


def _webps(most: int) -> Iterator[tuple[str, bytes]]:
    side = min(most, 16_383)
    flat = _saved((side, side), "WEBP", lossless=True, quality=0, method=0)
    yield f"webp {side} of one colour", flat
    chunk = b"junk" + struct.pack("<I", 0)
    body = flat[12:] + chunk * (10 * most)
    data = b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body
    yield f"webp {10 * most} chunks", data
    frames = [Image.new("L", (16, 16), number % 256) for number in range(most // 10)]
    for kind in ("WEBP", "GIF"):
        moving = _saved((16, 16), kind, save_all=True, append_images=frames)
        yield f"{kind.lower()} {len(frames)} frames", moving
    gif = bytearray(_saved((16, 16), "GIF"))
    gif[6:10] = struct.pack("<HH", 6 * most, 6 * most)
    yield f"gif screen of {6 * most}", bytes(gif)


def _pages(most: int) -> Iterator[tuple[str, bytes]]:
    """TIFFs of many directories, or one that names itself, and pictures by other codings."""
    page = struct.pack("<HHII", 256, 4, 1, 1)
    step, parts = 2 + len(page) + 4, []
    for number in range(most):
        following = 8 + (number + 1) * step if number + 1 < most else 0
        parts.append(struct.pack("<H", 1) + page + struct.pack("<I", following))
    yield f"tiff {most} directories", b"II*\0" + struct.pack("<I", 8) + b"".join(parts)
    loop = struct.pack("<H", 1) + page + struct.pack("<I", 8)
    yield "tiff loop", b"II*\0" + struct.pack("<I", 8) + loop
    for coding in ("tiff_lzw", "packbits", "tiff_adobe_deflate"):
        yield f"tiff {most} {coding}", _saved((most, most), "TIFF", compression=coding)
    yield f"jpeg {most} at 1 %", _saved((most, most), "JPEG", quality=1)


def _modern(most: int) -> Iterator[tuple[str, bytes]]:
    side = min(most, 4_000)
    yield f"jpeg2000 {side}", _saved((side, side), "JPEG2000", quality_layers=[1000])
    tiles = min(256, most // 20)
    data = _saved((tiles, tiles), "JPEG2000", tile_size=(4, 4))
    yield f"jpeg2000 {(tiles // 4) ** 2} tiles", data
    at = data.index(b"\xff\x51") + 6  # SIZ: its sides
    yield f"jpeg2000 claims {most}", data[:at] + struct.pack(">II", most, most) + data[at + 8 :]
    data = _saved((side, side), "AVIF", speed=10, quality=1)
    yield f"avif {side}", data
    at = data.index(b"ispe") + 8
    yield f"avif claims {most}", data[:at] + struct.pack(">II", most, most) + data[at + 8 :]


def _saved(size: tuple[int, int], kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    Image.new("L", size, 90).save(stream, kind, **options)
    return stream.getvalue()


def mutated(data: bytes, draw: random.Random) -> bytes:
    """Return a file damaged in one to four ways."""
    changed = bytearray(data)
    for _ in range(draw.randint(1, 4)):
        place = draw.randrange(len(changed)) if draw.random() < 0.5 else draw.randrange(64)
        place = min(place, len(changed) - 1)
        match draw.randrange(4):
            case 0:
                changed[place] ^= 1 << draw.randrange(8)
            case 1:
                del changed[max(16, place) :]
            case 2:
                changed[place:place] = draw.randbytes(draw.randint(1, 40))
            case 3:
                changed[place : place + 4] = draw.choice((b"\0" * 4, b"\xff" * 4))
    return bytes(changed)
