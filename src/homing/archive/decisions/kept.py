"""Decisions as they are kept: the form of their files."""

import base64
import datetime
import getpass
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homing.archive.decisions.query import DecidedQuery
from homing.archive.hits import Decision
from homing.errors import UsageError

_FORMAT = 1
_LONGEST = 200  # characters of a person's name


@dataclass(frozen=True, eq=False, kw_only=True)
class KeptDecision:
    """A decision as it is kept.

    Attributes
    ----------
    number : int
        Names it, for :meth:`homing.Archive.undo_decision`.
    query : str
        Name of the query.
    query_sha256 : str or None
        Of the query's file, hexadecimal; None if it was a picture in memory.
    id : str
        Id of the entry.
    file_sha256, source_sha256 : str
        Of the entry's picture when it was decided, hexadecimal.
    copy : bool
        Whether the query was decided to be a copy of the entry.
    by : str
        Name of the person who decided.
    at : datetime
        When, UTC.
    in_force : bool
        Whether that id still has that picture. Otherwise the decision counts for nothing.
    """

    number: int
    query: str
    query_sha256: str | None
    id: str
    file_sha256: str
    source_sha256: str
    copy: bool
    by: str
    at: datetime.datetime
    in_force: bool = True
    file: str = field(repr=False)  # its name in the folder
    vector: NDArray[np.float32] = field(repr=False)  # (D,), of the query

    def as_dict(self) -> dict[str, Any]:
        """Return the keys of a ``--json`` line."""
        return {
            "number": self.number,
            "query": self.query,
            "query_sha256": self.query_sha256,
            "id": self.id,
            "file_sha256": self.file_sha256,
            "source_sha256": self.source_sha256,
            "decision": "copy" if self.copy else "not",
            "by": self.by,
            "at": self.at.isoformat(timespec="seconds"),
            "in_force": self.in_force,
        }

    def on_hit(self, *, same_query: bool) -> Decision:
        """Return the decision as a hit reports it."""
        return Decision(self.number, self.copy, self.by, self.at, same_query)


def encode(query: DecidedQuery, row: Mapping[str, Any], *, copy: bool, by: str) -> bytes:
    """Return the file of a decision on the entry of a row."""
    values = {
        "format": _FORMAT,
        "decision": "copy" if copy else "not",
        "by": by,
        "at": now().isoformat(),
        "query": {
            "name": query.name,
            "sha256": None if query.sha256 is None else query.sha256.hex(),
            "vector": _text(query.vector.astype("<f2").tobytes()),
            "preview": _text(query.preview),
        },
        "entry": {
            "id": row["id"],
            "file_sha256": row["file_sha256"].hex(),
            "source_sha256": row["source_sha256"].hex(),
        },
    }
    return json.dumps(values).encode("ascii")


def parse(file: str, data: bytes) -> KeptDecision | None:
    """Read a decision; None if it is damaged, or of a later form."""
    if digest_of(data) not in file:
        return None
    try:
        values = json.loads(data)
        query, entry = values["query"], values["entry"]
        if values["format"] != _FORMAT or values["decision"] not in ("copy", "not"):
            return None
        return KeptDecision(
            number=int(file.partition("-")[0]),
            query=str(query["name"]),
            query_sha256=query["sha256"],
            id=entry["id"],
            file_sha256=entry["file_sha256"],
            source_sha256=entry["source_sha256"],
            copy=values["decision"] == "copy",
            by=str(values["by"]),
            at=datetime.datetime.fromisoformat(values["at"]),
            file=file,
            vector=np.frombuffer(base64.b64decode(query["vector"]), "<f2").astype(np.float32),
        )
    except (ValueError, KeyError, TypeError):
        return None


def person(by: str | None) -> str:
    """Return the name of a person: one that is given, or that of the login."""
    if by is None:
        try:
            return getpass.getuser()
        except (OSError, KeyError):  # a container's user may have no name
            return "unknown"
    if not by.strip() or not by.isprintable() or len(by) > _LONGEST:
        raise UsageError(f"a name is 1 to {_LONGEST} printable characters, not {by[:300]!r}")
    return by.strip()


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def digest_of(data: bytes) -> str:
    """Return the digest in the name of a file."""
    return hashlib.sha256(data).hexdigest()[:32]


def now() -> datetime.datetime:
    """Return the time, UTC."""
    return datetime.datetime.now(datetime.UTC)
