"""Several files as one zip, made while it is sent."""

import io
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

_CHUNK = 1 << 18


class _Chunks(io.RawIOBase):
    """Takes what is written until it is fetched."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        """It can be written to, and not be read or sought."""
        return True

    def write(self, data: object) -> int:
        """Take some bytes."""
        part = bytes(data)  # type: ignore[call-overload]
        self._parts.append(part)
        return len(part)

    def fetch(self) -> bytes:
        """Give what has been written since the last time."""
        data = b"".join(self._parts)
        self._parts.clear()
        return data


def zipped(files: Sequence[tuple[str, Path]]) -> Iterator[bytes]:
    """Yield a zip of files under the names given, stored as they are: pictures are dense already.

    A file that is gone when its turn comes is left out.
    """
    out = _Chunks()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, path in files:
            try:
                source = path.open("rb")
            except OSError:
                continue
            with source, archive.open(zipfile.ZipInfo(name), "w", force_zip64=True) as entry:
                while chunk := source.read(_CHUNK):
                    entry.write(chunk)
                    yield out.fetch()
    yield out.fetch()
