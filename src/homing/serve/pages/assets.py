"""The files that pages refer to, held in memory: no path of a client reaches the file system."""

import hashlib
from dataclasses import dataclass
from importlib.resources import files

#: Said here, since what a system makes of a name's ending differs, and scripts need the right one.
_KINDS = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


@dataclass(frozen=True)
class Asset:
    """A file that pages refer to.

    Attributes
    ----------
    content : bytes
    kind : str
        Its media type.
    tag : str
        Changes with the content: what HTTP calls an entity tag, in its quotes.
    """

    content: bytes
    kind: str
    tag: str


def load_assets() -> dict[str, Asset]:
    """Read the package's style sheet, scripts and icon, by name."""
    folder = files("homing.serve.pages") / "static"
    return {file.name: _asset(file.name, file.read_bytes()) for file in folder.iterdir()}


def _asset(name: str, content: bytes) -> Asset:
    tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    return Asset(content, _KINDS[name.rpartition(".")[2]], tag)
