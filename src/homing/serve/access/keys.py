"""Keys to a service: random secrets of 256 bits, of which only the SHA-256 is stored.

A slow hash protects chosen passwords; 256 random bits cannot be guessed.
"""

import datetime
import hashlib
import hmac
import re
import secrets
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from homing.errors import UsageError
from homing.files.durable import make_folder, replace_durably
from homing.files.locks import hold_lock
from homing.files.regular import read_regular
from homing.files.small_json import build, decode, encode, parse

READ, WRITE = "read", "write"
RIGHTS = (READ, WRITE)  # WRITE includes READ

_FILE, _LOCK = "keys.json", "keys.lock"
_PREFIX = "homing_"
_DIGEST = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Key:
    """A key as it is stored."""

    id: str  # its name in lists and logs; no secret
    name: str  # of its holder
    rights: str  # "read" or "write"
    sha256: str  # of the secret, hexadecimal
    created_at: str  # ISO 8601

    def allows(self, right: str) -> bool:
        """Return whether the key grants a right."""
        return right == READ or self.rights == WRITE


def read_keys(data: bytes) -> tuple[Key, ...]:
    """Read the keys in a file; ValueError if it is damaged. Earlier ones hold a list alone."""
    values = parse(data)
    keys = build(_Keys, {"keys": values} if isinstance(values, list) else decode(data)).keys
    for key in keys:
        if key.rights not in RIGHTS or not _DIGEST.fullmatch(key.sha256):
            raise ValueError(f"the key {key.id!r} has other rights, or no checksum of a secret")
    return keys


@dataclass(frozen=True)
class _Keys:
    """The file's object."""

    keys: tuple[Key, ...]


class KeyRing:
    """The keys in a service's folder; changes count at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / _FILE
        self._lock_file = folder / _LOCK
        self._cached: tuple[tuple[int, int, int] | None, tuple[Key, ...]] = (None, ())
        self._lock = threading.Lock()

    def exists(self) -> bool:
        """Return whether there is a key, or has been one: the lock stays if the file is removed."""
        return self._file.exists() or self._lock_file.exists()

    def all(self) -> tuple[Key, ...]:
        """Return all keys, oldest first; `UsageError` if their file is damaged."""
        with self._lock:
            try:
                status = self._file.stat()
            except FileNotFoundError:
                return ()
            except OSError as error:
                raise self._unreadable(error) from error
            version = (status.st_mtime_ns, status.st_size, status.st_ino)
            if self._cached[0] != version:
                self._cached = (version, self._read())
            return self._cached[1]

    def find(self, secret: str) -> Key | None:
        """Return the key of a secret or None; the time taken does not tell which."""
        digest = hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
        found = None
        for key in self.all():
            if hmac.compare_digest(key.sha256, digest):
                found = key
        return found

    def add(self, name: str, rights: str) -> tuple[Key, str]:
        """Make a key; return it and its secret, which is not stored."""
        if rights not in RIGHTS:
            raise UsageError(f"rights are read or write, not {rights!r}")
        if not name.strip() or not name.isprintable():
            raise UsageError("a key needs a printable name: that of its holder")
        secret = _PREFIX + secrets.token_urlsafe(32)
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        digest = hashlib.sha256(secret.encode()).hexdigest()
        key = Key(secrets.token_hex(4), name.strip(), rights, digest, now)
        make_folder(self._folder, mode=0o700)
        with hold_lock(self._lock_file):
            self._write([*self.all(), key])
        return key, secret

    def revoke(self, id: str) -> Key | None:  # noqa: A002 - the key's word
        """Remove and return a key; None if there is none of that id."""
        if not self.all():
            return None
        with hold_lock(self._lock_file):
            gone = [key for key in self.all() if key.id == id]
            if gone:
                self._write([key for key in self.all() if key.id != id])
        return gone[0] if gone else None

    def _read(self) -> tuple[Key, ...]:
        try:
            return read_keys(read_regular(self._file))
        except OSError as error:
            raise self._unreadable(error) from error
        except ValueError as error:
            raise UsageError(
                f"{str(self._file)!r} is damaged ({error}); remove it, and make new keys"
            ) from error

    def _unreadable(self, error: OSError) -> UsageError:
        return UsageError(f"the keys {str(self._file)!r} cannot be read: {error.strerror}")

    def _write(self, keys: Sequence[Key]) -> None:
        """Replace the file, readable by its owner alone."""
        data = encode({"keys": [asdict(key) for key in keys]})
        replace_durably(self._file, data, mode=0o600)
