"""Names that clients give: made harmless. None of them ever becomes a name of a file."""

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
    """Refuse an id, or the beginning of one, that could be taken for a path leading elsewhere.

    Raises
    ------
    UsageError
        It is empty, too long, not printable, or has an empty part or one of dots alone.
    """
    parts = text.split("/")
    sound = text.isprintable() and len(text) <= _LONGEST_ID and "\\" not in text
    if not sound or any(part.strip() in {"", ".", ".."} for part in parts):
        raise UsageError(
            f"{text[:80]!r} cannot be an id: give up to {_LONGEST_ID} printable characters, with / "
            "only between names"
        )
    return text


def id_of(name: str | None, prefix: str = "") -> str:
    """Id of a picture that is uploaded under a name; the prefix goes before it, with a /."""
    last = harmless_name(name, otherwise="picture")
    return check_id(f"{prefix.strip('/')}/{last}" if prefix.strip("/") else last)


def file_address(id: str) -> str:  # noqa: A002 - the column's name
    """Address of an entry's file, of this service."""
    return f"/files/{quote(id)}"
