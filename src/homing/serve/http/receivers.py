"""Receivers of webhooks: which addresses the service sends to, and the sending.

A client names the address, and the service is in networks in which the client is not. So a receiver
is reached by HTTPS, at public addresses alone, unless who runs the service has named its host. Its
name is looked up once for each attempt, and what was looked up is what is connected to. No redirect
is followed, no proxy is used, and nothing but the status of an answer is read.
"""

import asyncio
import ipaddress
import re
import ssl
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from homing.errors import UsageError
from homing.serve.http.addresses import address_of

Lookup = Callable[[str, int], Awaitable[list[str]]]
"""Returns the addresses of a host."""

_LONGEST = 2048  # characters of an address
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})\b")
_NOT_PUBLIC = tuple(
    map(
        ipaddress.ip_network,
        (
            *("64:ff9b::/32", "2002::/16", "::/96", "::ffff:0:0:0/96"),  # IPv4 in other forms
            *("192.0.0.0/24", "192.88.99.0/24", "fec0::/10", "3fff::/20", "5f00::/16"),
        ),
    )
)
"""Networks that Python does not call private, or not in all versions."""


@dataclass(frozen=True)
class Receiver:
    """An address that a webhook goes to."""

    host: str
    port: int
    is_secure: bool
    target: str  # path and query
    is_known: bool  # named by who runs the service

    @property
    def authority(self) -> str:
        """Host and port as a ``Host`` header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.is_secure else 80) else f"{host}:{self.port}"


def receiver_of(url: str, known: Collection[str] = ()) -> Receiver:
    """Return the receiver that a URL names, or raise `UsageError`.

    `known` are hosts, ``HOST`` or ``HOST:PORT``, that may be private and need no HTTPS.
    """
    if len(url) > _LONGEST or not url.isascii() or not url.isprintable() or " " in url:
        raise UsageError(f"a webhook has up to {_LONGEST} ASCII characters, without blanks")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise UsageError(f"the webhook {url[:200]!r} is no address: {error}") from error
    is_secure = parts.scheme == "https"
    if not host or not (is_secure or parts.scheme == "http") or "@" in parts.netloc:
        raise UsageError(f"the webhook {url[:200]!r} is no address; give https://HOST/PATH")
    port = port or (443 if is_secure else 80)
    written = f"[{host}]" if ":" in host else host
    is_known = not {written, f"{written}:{port}"}.isdisjoint(each.lower() for each in known)
    address = address_of(host)
    if not is_known and not (is_secure and (address is None or _is_public(address))):
        raise UsageError(
            f"the webhook {url[:200]!r} must be https://, and its host public; who runs the "
            f"service may allow others with --webhook-host {host}"
        )
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Receiver(host, port, is_secure, target, is_known)


def _is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if any(address in network for network in _NOT_PUBLIC if network.version == address.version):
        return False
    return address.is_global and not address.is_multicast


class NoAnswerError(OSError):
    """A receiver has no address to send to, or does not answer by HTTP; the message says so."""


async def post(receiver: Receiver, body: bytes, headers: Mapping[str, str], lookup: Lookup) -> int:
    """Send a body of JSON and return the status of the answer; OSError if there is none."""
    address = await _address(receiver, lookup)
    context = ssl.create_default_context() if receiver.is_secure else None
    name = receiver.host if receiver.is_secure else None
    reader, writer = await asyncio.open_connection(
        address, receiver.port, ssl=context, server_hostname=name
    )
    try:
        sent = {
            "Host": receiver.authority,
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "Connection": "close",
            **headers,
        }
        lines = [f"POST {receiver.target} HTTP/1.1", *(f"{k}: {v}" for k, v in sent.items())]
        writer.write("\r\n".join([*lines, "", ""]).encode("ascii") + body)
        await writer.drain()
        status = _STATUS.match(await reader.readline())
    except ValueError as error:  # a line without end
        raise NoAnswerError("it does not answer by HTTP") from error
    finally:
        writer.transport.abort()
    if status is None:
        raise NoAnswerError("it does not answer by HTTP")
    return int(status[1])


async def _address(receiver: Receiver, lookup: Lookup) -> str:
    """Return where to connect to."""
    # One answer for all cases, which reveals nothing of the service's network.
    unfound = NoAnswerError("its host has no public address")
    try:
        found = [address_of(each) for each in await lookup(receiver.host, receiver.port)]
    except (OSError, UnicodeError) as error:
        raise unfound from error
    sound = [each for each in found if each is not None]
    if not sound or not (receiver.is_known or all(map(_is_public, sound))):
        raise unfound
    return str(sound[0])
