"""Calibration of an archive, the basis of its verdicts, and its file ``calibration.json``."""

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
from homing.search.false_alarms import Tail

FORMAT = 1
_NAME = "calibration.json"


@dataclass(frozen=True)
class Calibration:
    """Similarities that queries without a match reach: the basis of an archive's verdicts.

    Attributes
    ----------
    background : str
        Source of these queries: "entries" of the archive, or "pictures" of the user.
    tails : mapping of str to Tail
        Distribution of the similarities by set of views; always one for "upright".
    """

    background: str
    tails: Mapping[str, Tail]

    @property
    def entries(self) -> int:
        """Number of entries when it was made."""
        return self.tails[UPRIGHT].entries

    @property
    def least(self) -> float:
        """Least false-alarm rate that is reported, in (0, 1)."""
        return self.tails[UPRIGHT].least

    def rates(self, hits: QueryHits, views: str, entries: int) -> NDArray[np.float64]:
        """Return the false-alarm rate of each hit, however far extrapolated.

        Parameters
        ----------
        hits : QueryHits
            The m hits of one query.
        views : str
            Set of views of the query. If it was not observed, each view counts as an independent
            search.
        entries : int
            Number of entries searched.

        Returns
        -------
        array (m,), float64
            Share of queries without a match that have any hit as similar, in [0, 1].
        """
        observed = self.tails.get(views)
        if observed is not None:
            return observed.rate(hits.similarity, entries=entries)
        return self.tails[UPRIGHT].rate(hits.similarity, entries=entries, views=hits.view_count)


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
    with contextlib.suppress(FileNotFoundError):  # removed by another writer, whose file is valid
        os.replace(staged, folder / _NAME)  # noqa: PTH105 - over the one before, atomically


def read_calibration(folder: Location, settings: ArchiveSettings) -> Calibration | None:
    """Read ``calibration.json``; None if there is none.

    Raises `ArchiveError` if it is damaged, of another format, or of another descriptor or codebook.
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
