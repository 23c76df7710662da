"""Ids of entries: compared in Unicode's composed form (NFC), however a system writes a name."""

import unicodedata


def composed(id: str) -> str:  # noqa: A002 - the column's name
    """Return an id in the form that new entries get."""
    return unicodedata.normalize("NFC", id)


def spellings(id: str) -> tuple[str, ...]:  # noqa: A002 - the column's name
    """Return the forms in which an entry may have an id, the one given first.

    Archives made before ids were composed have them as the files' names were written.
    """
    if id.isascii():
        return (id,)
    return tuple(dict.fromkeys((id, composed(id), unicodedata.normalize("NFD", id))))
