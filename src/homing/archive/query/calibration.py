"""``calibration.json``: what verdicts of an archive rest on."""

import contextlib
import datetime
import json
import os
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homing._version import __version__
from homing.archive.query.snapshot import QueryHits
from homing.archive.settings import ArchiveSettings
from homing.archive.table.location import Location
from homing.errors import ArchiveError
from homing.options import UPRIGHT
from homing.search import Tail

FORMAT = 1
_NAME = "calibration.json"


@dataclass(frozen=True)
class Calibration:
    """What verdicts of an archive rest on.

    Attributes
    ----------
    background : str
        "entries" or "pictures".
    tails : mapping of str to Tail
        For sets of views what was observed with them; always one for "upright".
    """

    background: str
    tails: Mapping[str, Tail]

    @property
    def entries(self) -> int:
        """How many entries there were."""
        return self.tails[UPRIGHT].entries

    @property
    def least(self) -> float:
        """Least false-alarm rate that may be told."""
        return self.tails[UPRIGHT].least

    def rates(self, found: QueryHits, views: str, entries: int) -> NDArray[np.float64]:
        """False-alarm rate a query of each hit, among so many entries; however far extrapolated.

        Where a set of views was not observed itself, each view counts as a look of its own.
        """
        observed = self.tails.get(views)
        if observed is not None:
            return observed.rate(found.similarity, entries=entries)
        return self.tails[UPRIGHT].rate(found.similarity, entries=entries, views=found.looked)


def write_calibration(
    folder: Location, settings: ArchiveSettings, calibration: Calibration
) -> None:
    """Write ``calibration.json``, whole or not at all."""
    values = {
        "format": FORMAT,
        "descriptor_fingerprint": settings.descriptor_fingerprint,
        "codebook_fingerprint": settings.codebook_fingerprint,
        "background": calibration.background,
        "tails": {views: asdict(tail) for views, tail in calibration.tails.items()},
        "created_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "created_by": f"homing {__version__}",
    }
    text = json.dumps(values, indent=2) + "\n"
    if not isinstance(folder, Path):
        (folder / _NAME).write_text(text, encoding="utf-8")
        return
    for left in folder.glob(f".{_NAME}-*"):  # by a process that was killed
        left.unlink(missing_ok=True)
    staged = folder / f".{_NAME}-{uuid.uuid4().hex}"
    staged.write_text(text, encoding="utf-8")
    with contextlib.suppress(FileNotFoundError):  # tidied by another writer, whose own stands
        os.replace(staged, folder / _NAME)  # noqa: PTH105 - over the one before, atomically


def read_calibration(folder: Location, settings: ArchiveSettings) -> Calibration | None:
    """Read ``calibration.json``; None where there is none.

    Raises
    ------
    ArchiveError
        It is damaged, of another format, or of another descriptor or codebook.
    """
    path = folder / _NAME
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        _check(values, settings)
        tails = {views: _tail(each) for views, each in values["tails"].items()}
        return Calibration(values["background"], {UPRIGHT: tails[UPRIGHT], **tails})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArchiveError(
            f"{path} cannot be used ({error}); make it again with 'homing calibrate'"
        ) from error


def _check(values: Mapping[str, Any], settings: ArchiveSettings) -> None:
    if values["format"] != FORMAT:
        raise ValueError(f"format {values['format']!r}, where {FORMAT} is known")
    for key in ("descriptor_fingerprint", "codebook_fingerprint"):
        if values[key] != getattr(settings, key):
            raise ValueError(f"its {key} is not the archive's")


def _tail(values: Mapping[str, Any]) -> Tail:
    body = tuple((float(rate), float(place)) for rate, place in values["body"])
    return Tail(**{**values, "body": body})
