"""Picture files for the tests, encoded by other libraries than the code under test."""

import io
import struct
import zlib
from typing import Any

import numpy as np
import tifffile
from PIL import Image, ImageCms, ImageOps, PngImagePlugin

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a b="\xc3\xa9"/></x:xmpmeta>'
IPTC = b"8BIM\x04\x04\0\0\0\0\0\x09\x1c\x02\x05\0\x04Dune\0"
PHOTOSHOP = b"Photoshop 3.0\0" + IPTC


def noise(height: int, width: int, channels: int = 3, dtype: str = "u1") -> np.ndarray:
    generator = np.random.default_rng(height * 1000 + width * 10 + channels)
    return generator.integers(0, np.iinfo(dtype).max + 1, (height, width, channels)).astype(dtype)


def scene(height: int, width: int, channels: int = 3, dtype: str = "u1") -> np.ndarray:
    """Return smooth colours with some grain, which coders treat as a photograph."""
    y, x = np.mgrid[0:height, 0:width]
    phases = np.arange(channels)
    waves = np.sin(x[..., None] / 9 + phases) + np.cos(y[..., None] / 7 - phases)
    grain = np.random.default_rng(7).normal(0, 0.02, waves.shape)
    peak = np.iinfo(dtype).max
    return np.clip((waves / 4 + 0.5 + grain) * peak, 0, peak).astype(dtype)


def exif(orientation: int = 1) -> Image.Exif:
    block = Image.Exif()
    block[0x010F] = "Camera maker of some length"
    block[0x0112] = orientation
    block.get_ifd(0x8769)[0x829A] = (1, 125)
    block.get_ifd(0x8825)[1] = "N"
    return block


def saved(image: np.ndarray | Image.Image, kind: str, **options: Any) -> bytes:
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    if "append_images" in options:  # saving stores coder settings in the image object
        options["append_images"] = [each.copy() for each in options["append_images"]]
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def tiff(pixels: np.ndarray, **options: Any) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, pixels, **options)
    return stream.getvalue()


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def segments(data: bytes) -> list[tuple[int, bytes]]:
    """Read a JPEG's segments up to its first scan."""
    found, at = [], 2
    while data[at + 1] != 0xDA:
        size = struct.unpack(">H", data[at + 2 : at + 4])[0]
        found.append((data[at + 1], data[at + 4 : at + 2 + size]))
        at += 2 + size
    return found


def with_segments(data: bytes, added: list[tuple[int, bytes]]) -> bytes:
    """Put segments behind a JPEG's first one."""
    at = 4 + struct.unpack(">H", data[4:6])[0]
    parts = [struct.pack(">BBH", 0xFF, m, len(p) + 2) + p for m, p in added]
    return data[:at] + b"".join(parts) + data[at:]


def chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """Read a PNG's chunks."""
    found, at = [], 8
    while at < len(data):
        size = struct.unpack(">I", data[at : at + 4])[0]
        found.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + size]))
        at += size + 12
    return found


def riff(data: bytes) -> dict[bytes, bytes]:
    """Read a WebP's chunks."""
    found, at = {}, 12
    while at < len(data):
        size = struct.unpack("<I", data[at + 4 : at + 8])[0]
        found[data[at : at + 4]] = data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
    return found


def chunk(name: bytes, content: bytes) -> bytes:
    return (
        len(content).to_bytes(4, "big")
        + name
        + content
        + zlib.crc32(name + content).to_bytes(4, "big")
    )


ADAM7 = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)


def interlaced_png(samples: np.ndarray, *between: bytes, depth: int, colour: int) -> bytes:
    """Write (h, w, c) samples of 8 or 16 bits, or (h, w, 1) of fewer, unfiltered."""
    rows = b""
    for left, top, across, down in ADAM7:
        for row in samples[top::down, left::across]:
            if not row.size:
                continue
            if depth < 8:
                bits = np.unpackbits(row[:, 0, None], axis=1)[:, -depth:]
                rows += b"\0" + np.packbits(bits.ravel()).tobytes()
            else:
                rows += b"\0" + row.astype(f">u{depth // 8}").tobytes()
    height, width = samples.shape[:2]
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes((depth, colour, 0, 0, 1))
    compressed = zlib.compress(rows)
    half = len(compressed) // 2
    idats = chunk(b"IDAT", compressed[:half]) + chunk(b"IDAT", compressed[half:])
    head = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    return head + b"".join(between) + idats + chunk(b"IEND", b"")


def rich_jpeg(orientation: int = 6, **options: object) -> bytes:
    """Return a JPEG with every sort of metadata; its colour profile takes several segments."""
    profile = PROFILE[:128] + bytes(140_000)
    data = saved(
        scene(40, 56),
        "JPEG",
        quality=80,
        exif=exif(orientation),
        dpi=(300, 300),
        icc_profile=profile,
        comment=b"said aside",
        xmp=XMP,
        **options,
    )
    return with_segments(data, [(0xED, PHOTOSHOP)])


def rich_png() -> bytes:
    """Return a PNG with every sort of metadata."""
    text = PngImagePlugin.PngInfo()
    text.add_text("Title", "Dunes")
    text.add_itxt("Comment", "été", zip=True)
    text.add_text("Long", "x" * 3000, zip=True)
    text.add_itxt("XML:com.adobe.xmp", XMP.decode())
    data = saved(
        scene(9, 13), "PNG", exif=exif(3), icc_profile=PROFILE, dpi=(300, 300), pnginfo=text
    )
    added = chunk(b"gAMA", b"\0\0\xb1\x8f") + chunk(b"cICP", b"\1\x0d\0\1")
    return data[:33] + added + data[33:-12] + chunk(b"tIME", b"\x07\xe9\1\2\3\4\5") + data[-12:]


def squashed_by_pillow(image: Image.Image, size: int = 32) -> np.ndarray:
    """Return the picture upright, in RGB, squashed: the rule of descriptors by Pillow alone."""
    image = image.convert("LA") if image.mode == "La" else image
    image = ImageOps.exif_transpose(image).convert("RGB")
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR)).astype(int)
