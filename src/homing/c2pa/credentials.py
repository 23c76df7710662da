"""Credentials that a publisher signs manifests with."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from homing.errors import UsageError


@dataclass(frozen=True)
class ContentCredentials:
    """Certificates and key that released files are signed with, as Content Credentials (C2PA).

    Parameters
    ----------
    chain : path
        Certificates in PEM: the signer's, then those above it. Its purpose must be one that C2PA
        accepts (``emailProtection`` or document signing), and it must not be self-signed.
    key : path or callable
        The signer's private key in PEM (PKCS #8, not encrypted). Or a function from the bytes to
        sign to the signature, if the key is stored elsewhere; for elliptic curves the signature is
        r followed by s.
    endpoint : str or None
        Base address of the Soft Binding Resolution API that serves the manifests, such as
        ``https://pictures.example.org/v1``. It is recorded with every entry.
    timestamp : str or None
        Address of a time-stamping authority (RFC 3161), queried once for each file. None: without
        time stamps, a signature is valid only as long as its certificate.

    Raises
    ------
    UsageError
        An address is not an http or https address.

    Examples
    --------
    >>> archive.release(photos, out="out", c2pa=ContentCredentials("chain.pem", "key.pem"))
    """

    chain: str | os.PathLike[str]
    key: str | os.PathLike[str] | Callable[[bytes], bytes]
    endpoint: str | None = None
    timestamp: str | None = None

    def __post_init__(self) -> None:
        for name, address in (("endpoint", self.endpoint), ("timestamp", self.timestamp)):
            if address is not None and not _is_address(address):
                raise UsageError(f"the {name} {address!r} is no http or https address")


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and text.isprintable()
