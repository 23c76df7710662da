"""The port that a service listens on."""

import errno
import socket

from homing.errors import UsageError


def check_port(host: str, port: int) -> None:
    """Raise `UsageError` if a service cannot listen there; port 0 is any free one."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise UsageError(f"{host!r} is no address of this machine: {error.strerror}") from error
    for family, kind, protocol, _, address in found:
        try:
            with socket.socket(family, kind, protocol) as listening:
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listening.bind(address)
        except OSError as error:
            if error.errno == errno.EAFNOSUPPORT:  # IPv6 is switched off
                continue
            raise UsageError(_reason(error, host, port)) from error


def _reason(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {port} of {host} is in use: end the program that listens there, or choose "
            "another with --port"
        )
    if error.errno == errno.EACCES:
        return f"port {port} is for the administrator of this machine: choose one above 1023"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is no address of this machine: leave --host out, or name one of its own"
    return f"nothing can listen on port {port} of {host}: {error.strerror}"
