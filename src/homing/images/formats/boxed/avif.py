"""AVIF: its items, its pixels, and new pixels among the old metadata.

Pixels are decoded and coded by libavif, through imagecodecs: Pillow has no more than 8 bits of
them, and loses some of those. The decoder gets the coded items alone, whose claims were read here
before.
"""

from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from homing.errors import PictureError
from homing.images.formats.boxed.av1 import Av1, parse_av1
from homing.images.formats.boxed.heif_items import (
    Heif,
    Item,
    Property,
    Reference,
    parse_heif,
    write_heif,
)
from homing.images.limits import check_pixels, decoder_errors_as
from homing.images.pixels import Pixels
from homing.images.told import Told
from homing.options import Limits

_BRANDS = b"avifmif1miaf"
_ALPHA = (
    b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0",
    b"urn:mpeg:hevc:2015:auxid:1\0",
)
_XMP_TYPES = (b"application/rdf+xml",)
_CODED_PROPERTIES = frozenset({b"ispe", b"pixi", b"av1C", b"auxC", b"a1op", b"lsel", b"a1lx"})
_MOST_TILES = 4096
_UNTOLD = 2  # of primaries and transfers
_SPEED = 9  # of libaom, 0 to 10: 6 takes three times as long, and saves 5 % of the bytes

#: Orientations by quarter turns anticlockwise, and the axis of a mirror; None: there is none.
_ORIENTATIONS: MappingProxyType[tuple[int, int | None], int] = MappingProxyType(
    {
        (0, None): 1,
        (1, None): 8,
        (2, None): 3,
        (3, None): 6,
        (0, 0): 4,
        (1, 0): 5,
        (0, 1): 2,
        (1, 1): 7,
        (2, 0): 2,
        (2, 1): 4,
        (3, 0): 7,
        (3, 1): 5,
    }
)
_TURNS = MappingProxyType({turned: by for by, turned in reversed([*_ORIENTATIONS.items()])})


@dataclass(frozen=True)
class AvifHeader:
    """The boxes of a still AVIF about its picture."""

    heif: Heif
    width: int  # as stored: before it is turned
    height: int
    coded: Av1  # of the picture, or of its first tile
    alpha: int | None  # item
    refusal: str  # why the picture cannot be read strictly; empty if it can

    @property
    def lossless(self) -> bool:
        """Whether it looks coded without loss: its planes are red, green and blue, or grey."""
        return self.coded.grey or self.nclx[2] == 0

    @property
    def manifest_store(self) -> bytes | None:
        """The C2PA manifest store."""
        return self.heif.manifest_store

    @property
    def nclx(self) -> tuple[int, int, int]:
        """Primaries, transfer and matrix."""
        for each in self.heif.picture.properties:
            if each.name == b"colr" and each.content[:4] == b"nclx" and len(each.content) >= 10:
                numbers = (int.from_bytes(each.content[at : at + 2], "big") for at in (4, 6, 8))
                return (next(numbers), next(numbers), next(numbers))
        return self.coded.colours

    @property
    def icc(self) -> bytes | None:
        """The colour profile."""
        for each in self.heif.picture.properties:
            if each.name == b"colr" and each.content[:4] in (b"prof", b"rICC"):
                return each.content[4:]
        return None

    @property
    def orientation(self) -> int:
        """As EXIF has it, of what the file says (irot, imir); EXIF itself does not count."""
        turns, mirror = self.heif.picture.find(b"irot"), self.heif.picture.find(b"imir")
        return _ORIENTATIONS[turns[0] & 3 if turns else 0, mirror[0] & 1 if mirror else None]

    @property
    def exif(self) -> bytes | None:
        """The EXIF block."""
        block = next((item.content for item in self._about if item.kind == b"Exif"), None)
        return block[4 + int.from_bytes(block[:4], "big") :] if block else None

    @property
    def xmp(self) -> bytes | None:
        """The XMP packet."""
        return next((item.content for item in self._about if item.media in _XMP_TYPES), None)

    @property
    def _about(self) -> tuple[Item, ...]:
        """Items that describe the picture."""
        heif = self.heif
        return tuple(heif.items[each] for each in heif.of(b"cdsc", heif.primary))

    @property
    def told(self) -> Told:
        """The file's own account of its samples."""
        primaries, transfer, _ = self.nclx
        told = (primaries, transfer) != (_UNTOLD, _UNTOLD) and self.icc is None
        return Told(
            exif=self.exif,
            orientation=self.orientation,
            orientation_by="AVIF",
            xmp=self.xmp,
            icc=self.icc,
            cicp=bytes((primaries & 255, transfer & 255, 0, 1)) if told else None,
            bits=None if self.coded.depth == 8 else self.coded.depth,
            bits_by="AVIF",
        )

    @property
    def others(self) -> tuple[str, ...]:
        """Names of what the file holds beside its picture, alpha, EXIF and XMP."""
        heif = self.heif
        own = {heif.primary, *heif.made_of(heif.primary)}
        if self.alpha is not None:
            own |= {self.alpha, *heif.made_of(self.alpha)}
        seen: list[bytes] = []
        names = []
        for number, item in heif.items.items():
            about = number in heif.of(b"cdsc", heif.primary)
            kind = b"xmp" if item.media in _XMP_TYPES else item.kind
            if number in own or (about and kind in (b"Exif", b"xmp") and kind not in seen):
                seen += [kind] * about
            elif number in heif.of(b"thmb", heif.primary):
                names.append("a thumbnail")
            else:
                names.append(_name_of(heif, number))
        return (*names, *heif.others)


def _name_of(heif: Heif, number: int) -> str:
    item = heif.items[number]
    if item.kind == b"tmap":
        return "a gain map"
    auxiliary = item.find(b"auxC")
    if auxiliary is not None:
        return (
            f"auxiliary picture {auxiliary[4:].split(b':')[-1].strip(bytes(1)).decode('latin-1')}"
        )
    shown = item.media if item.kind == b"mime" else item.kind
    return f"item {shown.decode('latin-1')}"


def parse_avif(data: bytes, limits: Limits) -> AvifHeader:
    """Read the items of a still AVIF and check the sizes that they claim."""
    with decoder_errors_as("the AVIF is damaged"):
        heif = parse_heif(data)
    size = _extent(heif, heif.primary)
    check_pixels(*size, limits)
    coded = _check_coded(heif, heif.primary, limits)
    alpha = next((each for each in heif.of(b"auxl", heif.primary) if _is_alpha(heif, each)), None)
    if alpha is not None:
        _check_coded(heif, alpha, limits)
        if _extent(heif, alpha) != size:
            raise PictureError("its transparency has another size; save it as PNG")
    return AvifHeader(heif, *size, coded, alpha, _refusal(heif, alpha))


def _refusal(heif: Heif, alpha: int | None) -> str:
    """Return why an AVIF cannot be written back; "" if it can."""
    premultiplied = alpha is not None and any(
        each.kind == b"prem" and alpha in each.targets for each in heif.references
    )
    checks = (
        (heif.animated, "an animated AVIF cannot be written back; save one frame as AVIF"),
        (
            heif.picture.find(b"clap") is not None,
            "an AVIF that shows a part of its picture (clap) cannot be written back; save it anew",
        ),
        (
            premultiplied,
            "an AVIF with premultiplied alpha cannot hold the change; save it with straight alpha",
        ),
    )
    return next((reason for failed, reason in checks if failed), "")


def _is_alpha(heif: Heif, number: int) -> bool:
    auxiliary = heif.items[number].find(b"auxC")
    return auxiliary is not None and auxiliary[4:] in _ALPHA


def _extent(heif: Heif, number: int) -> tuple[int, int]:
    """Return the width and height that an item claims."""
    claimed = heif.items[number].find(b"ispe") or b""
    if len(claimed) < 12:
        raise PictureError("the AVIF does not tell its size; export it again")
    return int.from_bytes(claimed[4:8], "big"), int.from_bytes(claimed[8:12], "big")


def _check_coded(heif: Heif, number: int, limits: Limits) -> Av1:
    """Check what the coded pictures of an item claim, and return the first."""
    parts: tuple[int, ...] = (number,)
    if heif.items[number].kind == b"grid":
        parts = heif.made_of(number)
    if not 0 < len(parts) <= _MOST_TILES:
        raise PictureError(f"the AVIF has {len(parts)} tiles; save it in fewer")
    found = []
    for each in parts:
        item = heif.items.get(each)
        if item is None or item.kind != b"av01":
            kind = "nothing" if item is None else item.kind.decode("latin-1")
            raise PictureError(f"its picture is made of {kind}, which is not handled")
        with decoder_errors_as("the AVIF is damaged"):
            found.append(parse_av1(item.content))
    across, down = max(each.width for each in found), max(each.height for each in found)
    check_pixels(across, down * len(parts), limits)
    if len(parts) == 1 and (across, down) != _extent(heif, number):  # libavif would scale it
        raise PictureError("the AVIF contradicts itself about its size; export it again")
    return found[0]


def decode_avif(header: AvifHeader) -> Pixels:
    """Decode to (h, w, c), uint8 or uint16 in its own range, as stored; c as in a PNG."""
    import imagecodecs

    alone = _coded_alone(header)
    with decoder_errors_as("the AVIF is truncated or damaged"):
        pixels: Pixels = imagecodecs.avif_decode(alone, index=0, numthreads=1)
    if pixels.shape[:2] != (header.height, header.width):
        raise PictureError("the AVIF contradicts itself about its size; export it again")
    return pixels.reshape(header.height, header.width, -1)


def _coded_alone(header: AvifHeader) -> bytes:
    """Return a file of nothing but the coded pictures."""
    heif = header.heif
    numbers = [heif.primary, *heif.made_of(heif.primary)]
    if header.alpha is not None:
        numbers += [header.alpha, *heif.made_of(header.alpha)]
    places = {number: place for place, number in enumerate(dict.fromkeys(numbers), 1)}
    items = [
        Item(
            heif.items[number].kind,
            heif.items[number].content,
            (*_decoders_properties(heif.items[number]), *_matrix(header, number)),
        )
        for number in places
    ]
    references = [
        Reference(each.kind, places[each.source], tuple(places[to] for to in each.targets))
        for each in heif.references
        if each.source in places
        and each.kind in (b"dimg", b"auxl")
        and all(to in places for to in each.targets)
    ]
    return write_heif(_BRANDS, items, references)


def _decoders_properties(item: Item) -> tuple[Property, ...]:
    return tuple(each for each in item.properties if each.name in _CODED_PROPERTIES)


def _matrix(header: AvifHeader, number: int) -> tuple[Property, ...]:
    """Return the matrix of the picture, and its range, as the file has them."""
    own = header.heif.items[number].properties
    return tuple(each for each in own if each.name == b"colr" and each.content[:4] == b"nclx")


def encode_avif(pixels: Pixels, quality: int | None, depth: int) -> bytes:
    """Encode (h, w, 1..4) pixels of 8, 10 or 12 bits; `quality` is 1..99, None without loss.

    Grey and alpha are always coded without loss.
    """
    import imagecodecs

    stored = np.ascontiguousarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    level = 100 if quality is None else quality
    with decoder_errors_as("the AVIF cannot be written"):
        return bytes(
            imagecodecs.avif_encode(
                stored, level=level, speed=_SPEED, bitspersample=depth, numthreads=1
            )
        )


def splice_avif(
    data: bytes,
    header: AvifHeader,
    *,
    exif: bytes | None,
    xmp: bytes | None,
) -> bytes:
    """Return an AVIF of :func:`encode_avif` with the colours and the orientation of a source.

    EXIF and XMP are written byte for byte.
    """
    coded = parse_heif(data)
    items = []
    for number, item in coded.items.items():
        own = tuple(each for each in item.properties if each.name != b"colr")
        if number == coded.primary:
            own += _colours(item, header) + _turned(header.orientation)
        items.append(replace(item, properties=own))
    references = list(coded.references)
    for kind, media, content in (
        (b"Exif", b"", None if exif is None else bytes(4) + exif),
        (b"mime", _XMP_TYPES[0], xmp),
    ):
        if content is not None:
            items.append(Item(kind, content, (), media))
            references.append(Reference(b"cdsc", len(items), (1,)))
    return write_heif(_BRANDS, items, references)


def _colours(item: Item, header: AvifHeader) -> tuple[Property, ...]:
    written = item.find(b"colr") or b""
    primaries, transfer, _ = header.nclx
    told = (b"nclx", primaries.to_bytes(2, "big"), transfer.to_bytes(2, "big"), written[8:])
    found = (Property(b"colr", b"".join(told)),)
    return found if header.icc is None else (Property(b"colr", b"prof" + header.icc), *found)


def _turned(orientation: int) -> tuple[Property, ...]:
    turns, axis = _TURNS[orientation]
    rotated = (Property(b"irot", bytes((turns,)), essential=True),) if turns else ()
    return rotated + (() if axis is None else (Property(b"imir", bytes((axis,)), essential=True),))
