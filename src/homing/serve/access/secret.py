"""The secret of a service: 256 random bits, made at its first start and kept in its folder."""

import hmac
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from homing.errors import UsageError
from homing.files.durable import make_folder, replace_durably
from homing.files.regular import read_regular
from homing.files.small_json import build, decode, encode

_FILE = "secret.json"
_FORM = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class ServiceSecret:
    """The secret, of which others are derived: it is never sent itself."""

    secret: str  # hexadecimal

    def __post_init__(self) -> None:
        if not _FORM.fullmatch(self.secret):
            raise ValueError("it holds no 256 bits in hexadecimal")

    def derive(self, purpose: str) -> bytes:
        """Return 256 bits for one purpose, which reveal nothing of those for another."""
        return hmac.digest(bytes.fromhex(self.secret), purpose.encode(), "sha256")

    @property
    def cookie(self) -> str:
        """Name of the service's cookie.

        Browsers keep cookies by host without the port, so that two services on one host would
        overwrite a cookie of one name.
        """
        return f"homing_session_{self.derive('cookie').hex()[:12]}"


def read_secret(folder: Path) -> ServiceSecret:
    """Read the secret in a service's folder; `UsageError` if it cannot be used.

    `FileNotFoundError` if there is none yet.
    """
    file = folder / _FILE
    try:
        return build(ServiceSecret, decode(read_regular(file)))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UsageError(f"{str(file)!r} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(
            f"{str(file)!r} is damaged ({error}); remove it: browsers sign in again, and receivers "
            "of webhooks need the new secret"
        ) from error


def service_secret(folder: Path) -> ServiceSecret:
    """Return the secret of a service, which is made if there is none."""
    try:
        return read_secret(folder)
    except FileNotFoundError:
        made = ServiceSecret(secrets.token_hex(32))
        make_folder(folder, mode=0o700)
        replace_durably(folder / _FILE, encode({"secret": made.secret}), mode=0o600)
        return made
