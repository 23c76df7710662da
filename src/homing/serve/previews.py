"""What releasing would do to a picture, to be looked at before it is done."""

import math
import re
import secrets
import shutil
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from homing.archive import Archive
from homing.archive.running import make_activator
from homing.errors import PictureError
from homing.images import Limits

__all__ = ["PREVIEW_NAMES", "Previews", "Tried"]

PREVIEW_NAMES = ("before", "after", "difference")

_TOKEN = re.compile(r"[A-Za-z0-9_-]{22}")
_MOST = 32  # previews that are kept: each is looked at once


@dataclass(frozen=True)
class Tried:
    """A picture activated, and recorded nowhere.

    Attributes
    ----------
    data : bytes
        The file as it would be released.
    psnr : float or None
        dB; None if nothing changed.
    ssim : float or None
    cell_kept : bool
    """

    data: bytes
    psnr: float | None
    ssim: float | None
    cell_kept: bool


class Previews(AbstractContextManager["Previews"]):
    """The pictures of the last previews, in a folder of theirs alone.

    Parameters
    ----------
    folder : Path
        Emptied at the beginning and at the end.
    archive : Archive
        Whose descriptor and codebook are activated for.
    limits : Limits
    """

    def __init__(self, folder: Path, archive: Archive, limits: Limits) -> None:
        self._folder = folder
        self._archive = archive
        self._limits = limits
        self._one = threading.Lock()

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

    def tried(self, data: bytes, *, psnr: float, method: str) -> Tried:
        """Activate a picture, one at a time.

        Raises
        ------
        PictureError
            It cannot be released.
        UsageError
            There is no such method, or the budget is out of range.
        """
        archive = self._archive
        activator = make_activator(
            archive.descriptor, archive.codebook, psnr=psnr, method=method, limits=self._limits
        )
        with self._one:
            (result,) = activator.run([data])
        if isinstance(result, PictureError):
            raise result
        decibels = None if math.isinf(result.psnr) else result.psnr
        return Tried(result.data, decibels, result.ssim, result.cell_kept)

    def put(self, pictures: Sequence[bytes]) -> dict[str, Any]:
        """Keep the pictures of a preview, PNGs; returns where each is to be had."""
        token = secrets.token_urlsafe(16)
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
        if not _TOKEN.fullmatch(token) or name not in PREVIEW_NAMES:
            return None
        file = self._folder / token / f"{name}.png"
        return file if file.exists() else None
