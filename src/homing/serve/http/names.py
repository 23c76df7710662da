"""Names from clients, made harmless, and addresses of entries; no client's name names a file.

Without FastAPI, so that decoding processes can import it cheaply.
"""

import unicodedata
from urllib.parse import quote

from homing.errors import UsageError

_LONGEST_NAME, _LONGEST_ID = 200, 500  # characters


def harmless_name(name: str | None, otherwise: str = "the picture") -> str:
    """Return the last part of a path, without what would disturb a page or a terminal."""
    last = (name or "").replace("\\", "/").rsplit("/", 1)[-1]
    text = unicodedata.normalize("NFC", last)
    text = "".join(c for c in text if c.isprintable()).strip()[:_LONGEST_NAME].strip()
    return otherwise if text in {"", ".", ".."} else text


def check_id(text: str) -> str:
    """Return an id, or raise `UsageError` where it could be taken for a path leading elsewhere."""
    parts = text.split("/")
    sound = text.isprintable() and len(text) <= _LONGEST_ID and "\\" not in text
    if not sound or any(part.strip() in {"", ".", ".."} for part in parts):
        raise UsageError(
            f"{text[:80]!r} cannot be an id: give up to {_LONGEST_ID} printable characters, with / "
            "only between names"
        )
    return text


def id_of(name: str | None, prefix: str = "") -> str:
    """Return the id of a picture uploaded under a name; ``prefix/`` goes before it."""
    last = harmless_name(name, otherwise="picture")
    above = unicodedata.normalize("NFC", prefix).strip("/")
    return check_id(f"{above}/{last}" if above else last)


def file_address(id: str) -> str:  # noqa: A002 - the column's name
    """Return the service's address of an entry's file."""
    return f"/v1/files/{quote(id)}"


def thumbnail_address(id: str) -> str:  # noqa: A002 - the column's name
    """Return the service's address of an entry's thumbnail."""
    return f"/v1/thumbnails/{quote(id)}"
