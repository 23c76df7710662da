"""What releasing would do to a picture, to be looked at before it is done."""

import shutil
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any

from homing.serve.access.tokens import is_token, new_token

PREVIEW_NAMES = ("before", "after", "difference")

_MOST = 32  # previews that are kept: each is looked at once


class Previews(AbstractContextManager["Previews"]):
    """The pictures of the last previews, in a folder of theirs alone.

    Parameters
    ----------
    folder : Path
        Emptied at the beginning and at the end.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> "Previews":
        """Make the folder, empty."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True, mode=0o700)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Empty it."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def put(self, pictures: Sequence[bytes]) -> dict[str, Any]:
        """Keep the pictures of a preview, PNGs; returns where each is to be had."""
        token = new_token()
        place = self._folder / token
        place.mkdir()
        for name, data in zip(PREVIEW_NAMES, pictures, strict=True):
            (place / f"{name}.png").write_bytes(data)
        kept = sorted(self._folder.iterdir(), key=lambda each: each.stat().st_mtime_ns)
        for old in kept[:-_MOST]:
            shutil.rmtree(old, ignore_errors=True)
        return {name: f"/previews/{token}/{name}.png" for name in PREVIEW_NAMES}

    def get(self, token: str, name: str) -> Path | None:
        """Return one of the pictures; None if it is not, or no longer, there."""
        if not is_token(token) or name not in PREVIEW_NAMES:
            return None
        file = self._folder / token / f"{name}.png"
        return file if file.exists() else None
