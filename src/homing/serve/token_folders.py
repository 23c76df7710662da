"""Folders under random tokens: saved searches and previews, of which the oldest are removed."""

import re
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from homing.files.durable import write_durably
from homing.files.regular import read_regular
from homing.files.small_json import decode, encode

PREVIEW_NAMES = ("before", "after", "difference")

_TOKEN = re.compile(r"[A-Za-z0-9_-]{22}")  # 16 bytes in base64
_ANSWER, _PICTURE = "answer.json", "picture"
_MOST_PREVIEWS = 32  # each is viewed once


def new_token() -> str:
    """Return 128 random bits, safe in an address and as a file name."""
    return secrets.token_urlsafe(16)


def is_token(text: str) -> bool:
    """Return whether a text has the form of a token, and so is safe as a file name."""
    return _TOKEN.fullmatch(text) is not None


def _remove_oldest(folder: Path, most: int) -> None:
    """Leave `most` of the token folders in a folder."""
    places = [place for place in folder.iterdir() if is_token(place.name)]
    if len(places) <= most:
        return
    places.sort(key=lambda place: place.stat().st_mtime_ns)
    for place in places[: len(places) - most]:
        shutil.rmtree(place, ignore_errors=True)


@dataclass(frozen=True)
class SavedSearch:
    """A search under its link."""

    answer: dict[str, Any]  # as `homing search --json` prints it
    picture: Path  # the query's file as it was sent


class SavedSearches:
    """The last `most` saved searches, in a folder of their own."""

    def __init__(self, folder: Path, most: int = 0) -> None:
        self._folder = folder
        self._most = most

    @classmethod
    def of(cls, service: Path, most: int = 0) -> "SavedSearches":
        """Return those of a service, by its folder."""
        return cls(service / "kept", most)

    def save(self, answer: dict[str, Any], picture: bytes) -> str:
        """Save a search and return its token."""
        token = new_token()
        place = self._folder / token
        place.mkdir(parents=True, mode=0o700)
        write_durably(place / _PICTURE, picture)
        write_durably(place / _ANSWER, encode(answer))
        _remove_oldest(self._folder, self._most)
        return token

    def get(self, token: str) -> SavedSearch | None:
        """Return the search of a token; None if it does not exist or no longer does."""
        if not is_token(token):
            return None
        place = self._folder / token
        try:
            answer = decode(read_regular(place / _ANSWER))
        except (OSError, ValueError):
            return None
        return SavedSearch(answer, place / _PICTURE)

    def damaged(self) -> Iterator[str]:
        """Yield which saved answers are damaged."""
        for file in sorted(self._folder.glob(f"*/{_ANSWER}")):
            try:
                decode(read_regular(file))
            except (OSError, ValueError) as error:
                yield f"the saved search {file} is damaged: {error}; remove its folder"


class Previews(AbstractContextManager["Previews"]):
    """Pictures of the last previews, in a folder that is empty before and removed afterwards."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> "Previews":
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True, mode=0o700)
        return self

    def __exit__(self, *error: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def put(self, pictures: Sequence[bytes]) -> dict[str, Any]:
        """Store the PNGs of a preview in the order of `PREVIEW_NAMES`; return their addresses."""
        token = new_token()
        place = self._folder / token
        place.mkdir(parents=True, mode=0o700)
        for name, data in zip(PREVIEW_NAMES, pictures, strict=True):
            (place / f"{name}.png").write_bytes(data)
        _remove_oldest(self._folder, _MOST_PREVIEWS)
        return {name: f"/v1/previews/{token}/{name}.png" for name in PREVIEW_NAMES}

    def get(self, token: str, name: str) -> Path | None:
        """Return a picture's file; None if it does not exist or no longer does."""
        if not is_token(token) or name not in PREVIEW_NAMES:
            return None
        file = self._folder / token / f"{name}.png"
        return file if file.exists() else None
