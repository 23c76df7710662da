"""Random names of what the service keeps for clients; nobody can guess one."""

import re
import secrets

_BYTES = 16
_FORM = re.compile(r"[A-Za-z0-9_-]{22}")  # of so many bytes


def new_token() -> str:
    """Make one: 128 random bits, harmless in an address and as a name of a file."""
    return secrets.token_urlsafe(_BYTES)


def is_token(text: str) -> bool:
    """Whether a text may be one, and is therefore harmless as a name of a file."""
    return _FORM.fullmatch(text) is not None
