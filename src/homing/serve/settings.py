"""Settings of a service."""

import ipaddress
import os
from dataclasses import dataclass, field
from pathlib import Path

from homing.archive.table.location import location_of
from homing.c2pa import ContentCredentials
from homing.errors import UsageError
from homing.options import Limits

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})

_MEGABYTE = 2**20
_LARGER, _LONGER = 4, 60  # times what decoding a picture may take: releasing some


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a service is told at its start.

    Attributes
    ----------
    archive : str
        Folder of the archive, or its place in an object store.
    folder : Path
        The service's own folder: keys, uploads, released files, searches kept.
    host, port
        Where it listens.
    limits : Limits
        Bytes and pixels of one picture.
    most_bytes : int
        Of one request that brings several pictures.
    most_pictures : int
        Of one request.
    workers : int
        Processes that decode.
    memory : int
        Bytes that each of them may take for a picture.
    seconds : float
        That each of them has for a picture.
    c2pa : ContentCredentials or None
        What pictures released by upload are signed with.
    batch : int
        Views that one pass of the network takes, at most.
    wait : float
        Seconds that a query waits for others to share its pass, at most.
    requests : int
        Requests served at once; further ones are told to come again.
    rate_limit : int
        Requests a minute of one key; 0: no limit.
    kept : int
        Searches kept under their links.
    files : tuple of Path
        Folders in which the pictures of entries lie, their ids being paths.
    device, engine
        As for :func:`homing.open`.
    stop_seconds : float
        That requests and a release in hand have to end.
    """

    archive: str
    folder: Path
    host: str = "127.0.0.1"
    port: int = 8000
    limits: Limits = Limits(max_pixels=100_000_000, max_bytes=64 * _MEGABYTE)  # noqa: RUF009 - frozen
    most_bytes: int = 1024 * _MEGABYTE
    most_pictures: int = 500
    workers: int = field(default_factory=lambda: min(4, os.cpu_count() or 1))
    memory: int = 2048 * _MEGABYTE
    seconds: float = 30.0
    c2pa: ContentCredentials | None = None
    batch: int = 16
    wait: float = 0.002
    requests: int = 128
    rate_limit: int = 600
    kept: int = 1000
    files: tuple[Path, ...] = ()
    device: str = "cpu"
    engine: str = "auto"
    stop_seconds: float = 30.0

    def __post_init__(self) -> None:
        if not 0 <= self.port < 2**16:
            raise UsageError(f"a port is a number of 0 to 65535, not {self.port}")
        least = min(self.most_bytes, self.most_pictures, self.workers, self.memory, self.batch)
        if least < 1 or self.seconds <= 0 or self.requests < 1:
            raise UsageError("limits, workers and seconds must be at least 1")
        if self.rate_limit < 0 or self.kept < 0 or self.wait < 0 or self.stop_seconds < 0:
            raise UsageError("a rate limit, kept searches and waits must be at least 0")

    @property
    def release_memory(self) -> int:
        """Bytes that releasing a picture may take, decoding it being the least of it."""
        return _LARGER * self.memory

    @property
    def release_seconds(self) -> float:
        """Seconds that releasing a few pictures may take."""
        return _LONGER * self.seconds

    @property
    def on_loopback(self) -> bool:
        """Whether it listens to this machine alone."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Whether an address to listen on can be reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def folder_beside(archive: str) -> Path:
    """Folder of the service of an archive, where it is not named: beside it, ``-serve`` appended.

    Raises
    ------
    UsageError
        The archive lies in an object store.
    """
    place = location_of(archive)
    if not isinstance(place, Path):
        raise UsageError(
            f"{archive!r} lies in an object store, and a service needs a folder of this machine "
            "beside it: name one with --folder"
        )
    return place.absolute().with_name(f"{place.absolute().name}-serve")
