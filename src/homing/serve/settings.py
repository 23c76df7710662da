"""Settings of a service."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from homing.archive.table.location import location_of
from homing.c2pa import ContentCredentials
from homing.errors import UsageError
from homing.options import Limits
from homing.serve.http.addresses import address_of, check_base_path, check_host, network_of
from homing.serve.http.places import PrivatePlaces

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})

_MEGABYTE = 2**20
# Decoding is the least part of a release, which also runs the network and codes several times.
_RELEASE_MEMORY, _RELEASE_TIME = 4, 60  # as multiples of what decoding may take


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of a service, checked when they are made."""

    archive: str  # folder or object-store address
    folder: Path  # the service's own: keys, uploads, released files, saved searches
    host: str = "127.0.0.1"
    port: int = 8000
    base_path: str = ""  # below which a proxy serves it: /homing
    no_keys: bool = False  # admit everybody on this machine, as long as it has never had a key
    proxies: tuple[str, ...] = ()  # addresses or networks whose forwarded headers are believed
    # Bytes and pixels of one picture.
    limits: Limits = Limits(max_pixels=100_000_000, max_bytes=64 * _MEGABYTE)  # noqa: RUF009 - frozen
    most_bytes: int = 1024 * _MEGABYTE  # of a request with several pictures
    most_pictures: int = 500  # of a request
    workers: int = field(default_factory=lambda: min(4, os.cpu_count() or 1))  # decoding processes
    memory: int = 2048 * _MEGABYTE  # bytes that each of them may take for a picture
    seconds: float = 30.0  # that each of them has for a picture
    c2pa: ContentCredentials | None = None  # sign pictures released by upload
    batch: int = 16  # views of one pass of the network, at most
    wait: float = 0.002  # seconds that a query waits for others to share its pass, at most
    requests: int = 256  # at once; a client has at most half of them
    connections: int = 1000  # at once
    patience: float = 10.0  # seconds for a request's head, and for a body behind the least rate
    least_rate: int = 4096  # bytes a second of a body
    rate_limit: int = 600  # requests a minute of one key; 0: no limit
    saved_searches: int = 1000
    webhook_hosts: tuple[str, ...] = ()  # HOST or HOST:PORT that may be private, or without TLS
    webhook_waits: tuple[float, ...] = (5, 60, 300, 1800, 7200, 28800)  # seconds between attempts
    files: tuple[Path, ...] = ()  # folders of the entries' pictures, their ids being paths
    device: str = "cpu"  # as for `homing.open`
    engine: str = "auto"  # as for `homing.open`
    stop_seconds: float = 30.0  # that requests and the current release have to end

    def __post_init__(self) -> None:
        if not 0 <= self.port < 2**16:
            raise UsageError(f"a port is a number of 0 to 65535, not {self.port}")
        least = min(self.most_bytes, self.most_pictures, self.workers, self.memory, self.batch)
        least = min(least, self.requests, self.connections, self.least_rate)
        if least < 1 or self.seconds <= 0 or self.patience <= 0:
            raise UsageError("limits, workers and seconds must be at least 1")
        if min(self.rate_limit, self.saved_searches, self.wait, self.stop_seconds) < 0:
            raise UsageError("a rate limit, saved searches and waits must be at least 0")
        object.__setattr__(self, "base_path", check_base_path(self.base_path))
        for host in self.webhook_hosts:
            check_host(host)
        for proxy in self.proxies:
            network_of(proxy)
        if self.no_keys and not self.on_loopback:
            raise UsageError(
                f"{self.host} can be reached from other machines, which need keys; leave --no-keys "
                "out, or listen to 127.0.0.1"
            )
        if self.no_keys and self.proxies:
            raise UsageError("clients behind a proxy need keys; leave --no-keys out")

    def at(self, address: str) -> str:
        """Return an address of the service as clients see it: below the base path."""
        return self.base_path + address

    @property
    def release_memory(self) -> int:
        """Bytes that releasing a picture may take."""
        return _RELEASE_MEMORY * self.memory

    @property
    def release_seconds(self) -> float:
        """Seconds that releasing a few pictures may take."""
        return _RELEASE_TIME * self.seconds

    @property
    def places(self) -> PrivatePlaces:
        """Return the folders that no client is told."""
        return PrivatePlaces([self.archive, self.folder, *self.files])

    @property
    def on_loopback(self) -> bool:
        """Return whether the service listens to this machine alone."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Return whether an address to listen on can be reached from this machine alone."""
    address = address_of(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def folder_beside(archive: str) -> Path:
    """Return the service's default folder: beside the archive, ``-serve`` appended.

    Raises `UsageError` for an archive in an object store.
    """
    place = location_of(archive)
    if not isinstance(place, Path):
        raise UsageError(
            f"{archive!r} lies in an object store, and a service needs a folder of this machine: "
            "name one with --folder"
        )
    return place.absolute().with_name(f"{place.absolute().name}-serve")
