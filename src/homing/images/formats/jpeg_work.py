"""Work of a JPEG's scans, counted before they are decoded.

A scan of a few bytes may visit all blocks of the picture: a file of 156 kB with 3,000 scans took
half a minute.
"""

import numpy as np

from homing.errors import PictureError
from homing.images.limits import check_parts

_EOI, _SOS = 0xD9, 0xDA
_PASSES = 20  # over all blocks; encoders' progressive files take 5 to 8
_FREE = 2_000_000  # visits of blocks, a fifth of a second: small pictures may have more scans
_MOST_SCANS = 1000


def check_scans(data: bytes, start: int, frame: bytes) -> None:
    """Refuse a JPEG whose scans take far more work than its blocks need.

    `start` is the offset of the first scan's marker, `frame` the payload of the frame.
    """
    blocks = _blocks(frame)
    most = _PASSES * sum(blocks.values()) + _FREE
    # An upper bound without a walk; most files end here.
    if data.count(b"\xff\xda", start) <= _PASSES:
        return
    scans = _scans(data, start)
    visits = sum(sum(blocks.get(name, 0) for name in names) for names in scans)
    if len(scans) > _MOST_SCANS or visits > most:
        raise PictureError(
            f"the JPEG has {len(scans)} scans, far more work than its pixels need; export it again"
        )


def _blocks(frame: bytes) -> dict[int, int]:
    """Return the number of blocks of each component, by its name."""
    height, width = int.from_bytes(frame[1:3], "big"), int.from_bytes(frame[3:5], "big")
    rows = [frame[at : at + 3] for at in range(6, len(frame) - 2, 3)]
    across = max([row[1] >> 4 for row in rows], default=1) or 1
    down = max([row[1] & 15 for row in rows], default=1) or 1
    return {
        row[0]: -(-width // (8 * across)) * (row[1] >> 4) * -(-height // (8 * down)) * (row[1] & 15)
        for row in rows
    }


def _scans(data: bytes, at: int) -> list[bytes]:
    """Return the names of the components of each scan, up to the end of the picture.

    What is damaged ends no scan here, as it does not for a decoder.
    """
    array = np.frombuffer(data, np.uint8)
    places = np.flatnonzero(array[:-1] == 0xFF)
    following = array[places + 1]
    marks = places[(following != 0) & (following != 0xFF) & ((following & 0xF8) != 0xD0)]
    codes = array[marks + 1]
    scans: list[bytes] = []
    number, count = int(np.searchsorted(marks, at)), 0
    while number < len(marks) and codes[number] != _EOI and len(scans) <= _MOST_SCANS:
        at, count = int(marks[number]), count + 1
        check_parts(count, len(data), "JPEG")
        if codes[number] == _SOS:
            count = data[at + 4] if at + 4 < len(data) else 0
            scans.append(data[at + 5 : at + 5 + 2 * count : 2])
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        number = max(number + 1, int(np.searchsorted(marks, end)))
    return scans
