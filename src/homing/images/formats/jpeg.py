"""JPEG: its header, its pixels, and new pixels among the old segments."""

import io
import itertools
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, JpegImagePlugin

from homing.errors import PictureError
from homing.images.colour import colour_of
from homing.images.formats.jpeg_work import check_scans
from homing.images.formats.tiff_tags import EXIF_MARK
from homing.images.limits import UNLIMITED, check_parts, check_pixels, decoder_errors_as
from homing.images.told import Told
from homing.options import Limits

_BAND = 256  # rows taken from Pillow at a time
_SOI, _EOI, _SOS, _DQT, _COM = 0xD8, 0xD9, 0xDA, 0xDB, 0xFE
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_LOSSLESS = frozenset({0xC3, 0xC7, 0xCB, 0xCF})
APP11 = 0xEB
EXIF_HEADS = (b"II*\0", b"MM\0*")  # of a block, behind the mark
XMP_PREFIX = b"http://ns.adobe.com/xap/1.0/\0"
_ADOBE = 0xEE
_MARKER = re.compile(rb"\xff+[^\xff]", re.DOTALL)  # with the bytes that fill before it
_BOX_HEAD = 8  # a box's length and type, which every segment of a manifest store repeats
_LARGEST_SIDE = 65500  # of libjpeg


@dataclass(frozen=True)
class JpegHeader:
    """Header of a JPEG: everything before its first scan."""

    width: int  # as stored
    height: int
    components: int  # 1 grey, 3 colour, 4 CMYK
    names: bytes  # identifiers of the components
    progressive: bool
    segments: tuple[tuple[int, bytes], ...]  # marker (0xE1 for APP1 …) and payload
    scan: int  # offset of the first scan's marker

    def payloads(self, marker: int, prefix: bytes) -> tuple[bytes, ...]:
        """Return the payloads of a marker that begin with `prefix`, without it."""
        return tuple(
            payload[len(prefix) :]
            for found, payload in self.segments
            if found == marker and payload.startswith(prefix)
        )

    @property
    def exif(self) -> bytes | None:
        """The EXIF block, beginning with its TIFF header, its segments joined, or None."""
        first, *rest = self.payloads(0xE1, EXIF_MARK) or (None,)
        if first is None:
            return None
        # Another block would begin with a header of its own.
        further = itertools.takewhile(lambda part: part[:4] not in EXIF_HEADS, rest)
        return b"".join((first, *further))

    @property
    def xmp(self) -> bytes | None:
        """The XMP packet, without its extension."""
        return next(iter(self.payloads(0xE1, XMP_PREFIX)), None)

    @property
    def icc(self) -> bytes | None:
        """The ICC profile, its segments joined."""
        parts = [part for part in self.payloads(0xE2, b"ICC_PROFILE\0") if len(part) > 2]
        return b"".join(part[2:] for part in sorted(parts, key=lambda part: part[0])) or None

    @property
    def told(self) -> Told:
        """Statements of the file on its samples."""
        return Told(exif=self.exif, xmp=self.xmp, icc=self.icc)

    @property
    def manifest_store(self) -> bytes | None:
        """The first C2PA manifest store, its segments joined (ISO 19566-5, annex D)."""
        boxes: dict[bytes, list[tuple[int, bytes]]] = defaultdict(list)
        for payload in self.payloads(APP11, b"JP"):
            instance, number, part = payload[:2], int.from_bytes(payload[2:6], "big"), payload[6:]
            if part[4:_BOX_HEAD] == b"jumb":
                boxes[instance].append((number, part))
        for parts in boxes.values():
            first, *rest = (part for _, part in sorted(parts))
            store = b"".join((first, *(part[_BOX_HEAD:] for part in rest)))
            if store[16:20] == b"c2pa":  # type in the box's own description
                return store
        return None

    @property
    def quality(self) -> int | None:
        """Quality on libjpeg's scale, 1..100, estimated from the luminance table, or None."""
        for marker, payload in self.segments:
            if marker == _DQT and payload and payload[0] & 15 == 0:
                wide = payload[0] >> 4
                table = np.frombuffer(payload[1 : 129 if wide else 65], ">u2" if wide else "u1")
                return _quality_of(int(table.sum())) if table.size == 64 else None
        return None


# ITU T.81, table K.1: libjpeg scales it by quality; only the sum is compared, so order is free.
_BASE_TABLE = np.fromstring(
    "16 11 10 16 24 40 51 61 12 12 14 19 26 58 60 55 14 13 16 24 40 57 69 56 14 17 22 29 51 87 80 "
    "62 18 22 37 56 68 109 103 77 24 35 55 64 81 104 113 92 49 64 78 87 103 121 120 101 72 92 95 "
    "98 112 100 103 99",
    dtype=np.int64,
    sep=" ",
)


def _table_sum(quality: int) -> int:
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return int(np.clip((_BASE_TABLE * scale + 50) // 100, 1, 255).sum())


_TABLE_SUMS = tuple(_table_sum(quality) for quality in range(1, 101))


def _quality_of(total: int) -> int:
    """Return the least quality whose luminance table is no coarser than one of that sum."""
    return next((q for q, least in enumerate(_TABLE_SUMS, 1) if least <= total), 100)


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield marker, start and end of each segment's payload, the first scan's the last."""
    at = 2
    for count in itertools.count(1):
        check_parts(count, len(data), "JPEG")
        found = _MARKER.match(data, at)
        if found is None or found.end() + 2 > len(data):
            raise PictureError("the JPEG is truncated or damaged in its header; export it again")
        at = found.end() - 2
        marker = data[at + 1]
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker in (_SOI, _EOI, 0x00, 0x01) or 0xD0 <= marker <= 0xD7 or end < at + 4:
            raise PictureError("the JPEG is damaged in its header; export it again")
        yield marker, at + 4, end
        if marker == _SOS:
            return
        at = end


def parse_jpeg(data: bytes, limits: Limits) -> JpegHeader:
    """Read the segments before the first scan, and check the size."""
    segments: list[tuple[int, bytes]] = []
    frames: list[tuple[int, bytes]] = []
    scan = 0
    for marker, start, end in _segments(data):
        payload = data[start:end]
        if marker == _SOS:
            scan = start - 4
        else:
            segments.append((marker, payload))
        if marker in _FRAMES:
            frames.append((marker, payload))
    if len(frames) != 1 or len(frames[0][1]) < 6:
        raise PictureError("the JPEG has no single frame; it is damaged, export it again")
    marker, frame = frames[0]
    if frame[0] != 8:
        raise PictureError(f"a JPEG of {frame[0]} bits a channel is not handled; save 8 bits")
    height = int.from_bytes(frame[1:3], "big")
    width = int.from_bytes(frame[3:5], "big")
    if marker in _LOSSLESS:
        raise PictureError("a lossless JPEG is not handled; save it as an ordinary one or as PNG")
    if not height and width:
        raise PictureError("a JPEG that tells its height late (DNL) is not handled; save it again")
    check_pixels(width, height, limits)
    check_scans(data, scan, frame)
    names = frame[6::3]
    return JpegHeader(width, height, frame[5], names, marker in _PROGRESSIVE, tuple(segments), scan)


def make_segment(marker: int, payload: bytes) -> bytes:
    """Return a segment with its marker and length."""
    return bytes((0xFF, marker)) + (len(payload) + 2).to_bytes(2, "big") + payload


class _WholeJpeg(JpegImagePlugin.JpegImageFile):
    """Pillow's decoder, strict even where another library has set Pillow to forgive truncation."""

    def load_read(self, read_bytes: int) -> bytes:
        part = self.fp.read(read_bytes) if self.fp is not None else b""
        if not part:
            raise OSError("image file is truncated")
        return part


def open_jpeg(data: bytes, header: JpegHeader) -> JpegImagePlugin.JpegImageFile:
    """Return Pillow's decoder over the picture alone, its metadata left out.

    Pillow would otherwise parse EXIF and multi-picture blocks and warn about damaged ones, and
    warnings cannot be silenced in one thread only.
    """
    coding = [
        make_segment(marker, payload)
        for marker, payload in header.segments
        if not (0xE0 < marker <= 0xEF or marker == _COM) or marker == _ADOBE
    ]
    stream = b"".join((b"\xff\xd8", *coding, memoryview(data)[header.scan :]))
    with decoder_errors_as("the JPEG cannot be read"):
        image = _WholeJpeg(io.BytesIO(stream))
    if image.size != (header.width, header.height):
        raise PictureError("the JPEG contradicts itself about its size; export it again")
    return image


def decode_jpeg(data: bytes, header: JpegHeader) -> npt.NDArray[np.uint8]:
    """Decode all pixels of a JPEG: (h, w, 1), or (h, w, 3); of CMYK the RGB that is seen."""
    if header.components not in (1, 3, 4):
        raise PictureError(f"a JPEG of {header.components} components is not handled; save RGB")
    image = open_jpeg(data, header)
    with decoder_errors_as("the JPEG is truncated or damaged"):
        if header.components == 4:
            convert = colour_of(header.told, 4).convert
            pixels = np.asarray(image.convert("RGB") if convert is None else image)
            pixels = pixels if convert is None else convert(pixels)
        else:
            pixels = _samples(image)
    return pixels.reshape(header.height, header.width, -1)


def decode_written(data: bytes, header: JpegHeader) -> npt.NDArray[np.uint8]:
    """Decode a JPEG that homing wrote: to the same pixels, and in half the memory.

    Of other files Pillow tells more surely whether they are whole.
    """
    import imagecodecs

    if header.components not in (1, 3):
        return decode_jpeg(data, header)
    with decoder_errors_as("the JPEG is truncated or damaged"):
        pixels: npt.NDArray[np.uint8] = imagecodecs.jpeg8_decode(data)
    return pixels.reshape(header.height, header.width, -1)


def _samples(image: Image.Image) -> npt.NDArray[np.uint8]:
    """Return what Pillow has decoded, a band at a time: all at once it is held thrice."""
    image.load()
    pixels = np.empty((image.height, image.width, len(image.getbands())), np.uint8)
    for top in range(0, image.height, _BAND):
        band = image.crop((0, top, image.width, min(top + _BAND, image.height)))
        pixels[top : top + _BAND] = np.asarray(band).reshape(band.height, band.width, -1)
    return pixels


def encode_jpeg(pixels: npt.NDArray[np.uint8], quality: int, *, progressive: bool) -> bytes:
    """Encode (h, w, 1) or (h, w, 3) pixels, 4:4:4 and with optimised Huffman tables.

    A picture so noisy that Pillow's buffer of two bytes a pixel might not hold its progressive
    file is written as a baseline JPEG.
    """
    import imagecodecs

    height, width, channels = pixels.shape
    if max(height, width) > _LARGEST_SIDE:
        raise PictureError(
            f"a JPEG holds at most {_LARGEST_SIDE} pixels a side, not {width} x {height}"
        )
    pixels = np.ascontiguousarray(pixels[..., 0] if channels == 1 else pixels)
    with decoder_errors_as("the JPEG cannot be written"):
        data = bytes(
            imagecodecs.jpeg8_encode(pixels, level=quality, subsampling="444", optimize=True)
            if channels == 3
            else imagecodecs.jpeg8_encode(pixels, level=quality, optimize=True)
        )
        # A progressive file is about as long as an optimised baseline one; a tenth is margin.
        if not progressive or len(data) * 1.1 + 1024 > 2 * width * height:
            return data
        stream = io.BytesIO()
        Image.fromarray(pixels).save(
            stream, "JPEG", quality=quality, subsampling=0, progressive=True
        )
    return stream.getvalue()


def decode_black(data: bytes, header: JpegHeader) -> npt.NDArray[np.uint8]:
    """Decode the light that the black of a CMYK JPEG leaves, (h, w): 255 where there is none."""
    image = open_jpeg(data, header)
    with decoder_errors_as("the JPEG is truncated or damaged"):
        return 255 - np.asarray(image.getchannel("K"))


def is_credentials(segments: Sequence[tuple[int, bytes]]) -> list[bool]:
    """Return which segments, markers and payloads, are of a C2PA manifest store.

    A JUMBF box of another type stays; one whose type cannot be read counts as a manifest store.
    """
    described: dict[bytes, bool] = {}
    found = []
    for marker, payload in segments:
        gone = False
        if marker == APP11 and payload.startswith(b"JP"):
            instance, part = payload[2:4], payload[8:]
            box, kind = part[4:_BOX_HEAD], part[_BOX_HEAD + 8 : _BOX_HEAD + 12]
            if box in (b"jumb", b"") or len(part) < _BOX_HEAD:
                first = payload[4:8] == b"\0\0\0\1"
                gone = (kind in (b"c2pa", b"")) if first else described.get(instance, True)
                described.setdefault(instance, gone)
        found.append(gone)
    return found


def is_carried(marker: int, payload: bytes) -> bool:
    """Return whether a segment stays true in a JPEG that is coded anew, alone in its file."""
    if marker == 0xE2:  # an index of pictures behind, and what a gain map there means
        return not payload.startswith((b"MPF\0", b"urn:iso:std:iso:ts:21496:-1\0"))
    return (0xE0 <= marker <= 0xEF and marker != _ADOBE) or marker == _COM


def splice_jpeg(data: bytes, segments: tuple[tuple[int, bytes], ...]) -> bytes:
    """Return a JPEG of :func:`encode_jpeg` with `segments` instead of its own metadata."""
    header = parse_jpeg(data, UNLIMITED)
    coding = [
        (marker, payload) for marker, payload in header.segments if not 0xE0 <= marker <= 0xEF
    ]
    parts = [make_segment(marker, payload) for marker, payload in (*segments, *coding)]
    return b"".join((b"\xff\xd8", *parts, memoryview(data)[header.scan :]))
