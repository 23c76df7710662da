"""Keys to a service: random secrets of 256 bits, of which only the SHA-256 is kept.

A slow hash is for what people choose; nothing of 256 random bits can be guessed.
"""

import datetime
import hashlib
import hmac
import json
import os
import secrets
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from homing.errors import UsageError
from homing.files.durable import sync_folder
from homing.files.locks import hold_lock

READ, WRITE = "read", "write"
RIGHTS = (READ, WRITE)
"""What a key allows; to write is to read too."""

_FILE = "keys.json"
_MARK = "homing_"


@dataclass(frozen=True)
class Key:
    """What is kept of a key.

    Attributes
    ----------
    id : str
        By which it is named in lists and logs; no secret.
    name : str
        Whose it is.
    rights : {"read", "write"}
    sha256 : str
        Of the secret, hexadecimal.
    created_at : str
        ISO 8601.
    """

    id: str
    name: str
    rights: str
    sha256: str
    created_at: str

    def allows(self, right: str) -> bool:
        """Whether it allows that."""
        return right == READ or self.rights == WRITE


class KeyRing:
    """The keys of a service, in a file of its folder; changes count at once.

    Parameters
    ----------
    folder : Path
        The service's own.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / _FILE
        self._held: tuple[tuple[int, int, int] | None, tuple[Key, ...]] = (None, ())
        self._lock = threading.Lock()

    def all(self) -> tuple[Key, ...]:
        """All keys, oldest first; read again where the file has changed.

        Raises
        ------
        UsageError
            The file is damaged.
        """
        with self._lock:
            try:
                status = self._file.stat()
            except FileNotFoundError:
                return ()
            seen = (status.st_mtime_ns, status.st_size, status.st_ino)
            if self._held[0] != seen:
                self._held = (seen, self._read())
            return self._held[1]

    def find(self, secret: str) -> Key | None:
        """Return the key of a secret; takes as long whichever it is."""
        digest = hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
        found = None
        for key in self.all():
            if hmac.compare_digest(key.sha256, digest):
                found = key
        return found

    def add(self, name: str, rights: str) -> tuple[Key, str]:
        """Make a key; its secret is told here and nowhere else."""
        if rights not in RIGHTS:
            raise UsageError(f"rights are read or write, not {rights!r}")
        if not name.strip() or not name.isprintable():
            raise UsageError("a key needs a printable name, of whoever is to have it")
        secret = _MARK + secrets.token_urlsafe(32)
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        digest = hashlib.sha256(secret.encode()).hexdigest()
        key = Key(secrets.token_hex(4), name.strip(), rights, digest, now)
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with hold_lock(self._folder / "keys.lock"):
            self._write([*self.all(), key])
        return key, secret

    def revoke(self, id: str) -> Key | None:  # noqa: A002 - the key's word
        """Take a key back; None if there is no such one."""
        if not self.all():
            return None
        with hold_lock(self._folder / "keys.lock"):
            gone = [key for key in self.all() if key.id == id]
            if gone:
                self._write([key for key in self.all() if key.id != id])
        return gone[0] if gone else None

    def _read(self) -> tuple[Key, ...]:
        try:
            return tuple(Key(**values) for values in json.loads(self._file.read_bytes()))
        except (ValueError, TypeError) as error:
            raise UsageError(
                f"{str(self._file)!r} is damaged ({error}); remove it, and make the keys anew"
            ) from error

    def _write(self, keys: Sequence[Key]) -> None:
        """Replace the file, readable by its owner alone."""
        handle, name = tempfile.mkstemp(dir=self._folder, prefix=".keys-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump([asdict(key) for key in keys], file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self._file)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        sync_folder(self._folder)
