"""Addresses of clients and proxies. Without FastAPI, so that `homing keys` needs none."""

import ipaddress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from homing.errors import UsageError


def address_of(text: str) -> IPv4Address | IPv6Address | None:
    """Return the address that a text is, IPv4 within IPv6 as IPv4; None if it is none."""
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def network_of(text: str) -> IPv4Network | IPv6Network:
    """Return the network, perhaps of one address, that a text is; or raise `UsageError`."""
    try:
        return ipaddress.ip_network(text.strip())
    except ValueError as error:
        raise UsageError(
            f"a proxy is an address or a network such as 127.0.0.1 or 10.0.0.0/8, not {text!r}"
        ) from error
