"""IPTC datasets (IIM) as properties of XMP, by the mapping of IPTC's Photo Metadata Standard."""

from collections import defaultdict
from collections.abc import Iterator
from types import MappingProxyType

from homing.images.formats.blocks.xmp import Property

_PHOTOSHOP = "http://ns.adobe.com/photoshop/1.0/"
_DC = "http://purl.org/dc/elements/1.1/"
_CORE = "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/"
_NAMESPACES = MappingProxyType({"photoshop": _PHOTOSHOP, "dc": _DC, "Iptc4xmpCore": _CORE})
_PLACES = MappingProxyType(
    {
        4: ("Iptc4xmpCore:IntellectualGenre", ""),
        5: ("dc:title", "Alt"),
        10: ("photoshop:Urgency", ""),
        12: ("Iptc4xmpCore:SubjectCode", "Bag"),
        15: ("photoshop:Category", ""),
        20: ("photoshop:SupplementalCategories", "Bag"),
        25: ("dc:subject", "Bag"),
        40: ("photoshop:Instructions", ""),
        55: ("photoshop:DateCreated", ""),
        80: ("dc:creator", "Seq"),
        85: ("photoshop:AuthorsPosition", ""),
        90: ("photoshop:City", ""),
        92: ("Iptc4xmpCore:Location", ""),
        95: ("photoshop:State", ""),
        100: ("Iptc4xmpCore:CountryCode", ""),
        101: ("photoshop:Country", ""),
        103: ("photoshop:TransmissionReference", ""),
        105: ("photoshop:Headline", ""),
        110: ("photoshop:Credit", ""),
        115: ("photoshop:Source", ""),
        116: ("dc:rights", "Alt"),
        120: ("dc:description", "Alt"),
        122: ("photoshop:CaptionWriter", ""),
    }
)
"""Number of a dataset of record 2: property, and sort of its list ("" for a simple value)."""

_DATE, _TIME, _VERSION = 55, 60, 0
_CODED = 5  # bytes of a dataset's head
_UTF8 = b"\x1b%G"


def properties_of(block: bytes) -> tuple[list[Property], list[str]]:
    """Return the properties of an IPTC block, and names of datasets that have no property."""
    datasets: dict[int, list[bytes]] = defaultdict(list)
    utf8 = False
    for record, number, value in _datasets(block):
        if (record, number) == (1, 90):
            utf8 = value.startswith(_UTF8)
        elif record == 2:
            datasets[number].append(value)
    found, left = [], []
    for number, values in datasets.items():
        if number == _VERSION or (number == _TIME and _DATE in datasets):
            continue
        if number not in _PLACES:
            left.append(f"IPTC dataset 2:{number:02d}")
            continue
        name, sort = _PLACES[number]
        texts = [_text(value, utf8=utf8) for value in values]
        if number == _DATE:
            time = datasets[_TIME][0].decode("ascii", "replace") if _TIME in datasets else ""
            texts = [_date(texts[0], time)]
        prefix = name.partition(":")[0]
        found.append(Property(name, _NAMESPACES[prefix], tuple(texts), sort))
    return found, left


def _datasets(block: bytes) -> Iterator[tuple[int, int, bytes]]:
    at = 0
    while at + _CODED <= len(block) and block[at] == 0x1C:
        length = int.from_bytes(block[at + 3 : at + 5], "big")
        start = at + _CODED
        if length & 0x8000:  # of an extended dataset: the number of bytes of its length
            size = length & 0x7FFF
            length = int.from_bytes(block[start : start + size], "big")
            start += size
        if start + length > len(block):
            return
        yield block[at + 1], block[at + 2], block[start : start + length]
        at = start + length


def _text(value: bytes, *, utf8: bool) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("utf-8" if utf8 else "latin-1", "replace")


def _date(date: str, time: str) -> str:
    """Return an ISO date of YYYYMMDD and HHMMSS±HHMM."""
    day = f"{date[:4]}-{date[4:6]}-{date[6:8]}" if len(date) == 8 else date
    if len(time) < 6:
        return day
    zone = f"{time[6:9]}:{time[9:11]}" if len(time) >= 11 else ""
    return f"{day}T{time[:2]}:{time[2:4]}:{time[4:6]}{zone}"
