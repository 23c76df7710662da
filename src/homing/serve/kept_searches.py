"""Searches kept under a link: the picture, and what was answered."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from homing.files.durable import write_durably
from homing.serve.access.tokens import is_token, new_token

_ANSWER, _PICTURE = "answer.json", "picture"


@dataclass(frozen=True)
class KeptSearch:
    """A search that was kept.

    Attributes
    ----------
    token : str
        By which it is found; it cannot be guessed.
    answer : dict
        The object that ``homing search --json`` prints.
    picture : Path
        The file that was asked about, as it was sent.
    """

    token: str
    answer: dict[str, Any]
    picture: Path


class Kept:
    """The searches kept, of which the oldest go when there are too many.

    Parameters
    ----------
    folder : Path
        Of theirs alone; it is made when it is needed.
    most : int
        How many are kept.
    """

    def __init__(self, folder: Path, most: int) -> None:
        self._folder = folder
        self._most = most

    def keep(self, answer: dict[str, Any], picture: bytes) -> str:
        """Keep a search; returns its token."""
        token = new_token()
        place = self._folder / token
        place.mkdir(parents=True, mode=0o700)
        write_durably(place / _PICTURE, picture)
        write_durably(place / _ANSWER, json.dumps(answer).encode())
        self._forget_oldest()
        return token

    def get(self, token: str) -> KeptSearch | None:
        """Return a search by its token; None if it is not, or no longer, kept."""
        if not is_token(token):
            return None
        place = self._folder / token
        try:
            answer = json.loads((place / _ANSWER).read_bytes())
        except (OSError, ValueError):
            return None
        return KeptSearch(token, answer, place / _PICTURE)

    def _forget_oldest(self) -> None:
        places = [place for place in self._folder.iterdir() if is_token(place.name)]
        if len(places) <= self._most:
            return
        places.sort(key=lambda place: place.stat().st_mtime_ns)
        for place in places[: len(places) - self._most]:
            shutil.rmtree(place, ignore_errors=True)
