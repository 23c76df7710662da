"""Addresses of clients and proxies. Without FastAPI, so that `homing keys` needs none."""

import ipaddress
import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from urllib.parse import urlsplit

from homing.errors import UsageError

_SEGMENT = r"/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+"


def address_of(text: str) -> IPv4Address | IPv6Address | None:
    """Return the address that a text is, IPv4 within IPv6 as IPv4; None if it is none."""
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def check_host(text: str) -> None:
    """Raise `UsageError` if a text is no host, perhaps with a port, that webhooks may go to."""
    try:
        parts = urlsplit(f"//{text}")
        sound = parts.port != 0 and parts.netloc == text and bool(parts.hostname)
    except ValueError:  # a port that is no number
        sound = False
    if not sound or "@" in text or " " in text or not text.isascii():
        raise UsageError(
            f"a host that webhooks may go to is HOST or HOST:PORT, such as hooks.local:8080, not "
            f"{text!r}"
        )


def check_base_path(text: str) -> str:
    """Return a base path without a slash at its end; `UsageError` if it is none."""
    path = text.rstrip("/")
    if re.fullmatch(f"({_SEGMENT})*", path) is None:
        raise UsageError(f"a base path is one such as /homing, or /tools/homing, not {text!r}")
    return path


def network_of(text: str) -> IPv4Network | IPv6Network:
    """Return the network, perhaps of one address, that a text is; or raise `UsageError`."""
    try:
        return ipaddress.ip_network(text.strip())
    except ValueError as error:
        raise UsageError(
            f"a proxy is an address or a network such as 127.0.0.1 or 10.0.0.0/8, not {text!r}"
        ) from error
