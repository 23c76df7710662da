"""``calibration.json``: what similarities queries without a match reach in this archive.

The background is the archive's own entries, each searched for among all the others, its
near-duplicates left aside: they are what the archive's pictures are like, which no set of vectors
that ships with homing could know. Pictures of one's own that match nothing do better, since they
are like the queries to come and can be looked at in all views.
"""

import contextlib
import datetime
import json
import os
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homing._version import __version__
from homing.archive.searching import Looked
from homing.archive.settings import ArchiveSettings
from homing.archive.snapshot import RERANK, Found, Snapshot
from homing.archive.stores import Place
from homing.errors import ArchiveError, UsageError
from homing.search import (
    LEAST_BACKGROUND,
    UPRIGHT,
    VIEWS,
    Tail,
    fit_tail,
    highest_background,
    probe_stages,
)

__all__ = [
    "Calibration",
    "calibrate_on_entries",
    "calibrate_on_pictures",
    "outgrown",
    "read_calibration",
    "write_calibration",
]

FORMAT = 1
_NAME = "calibration.json"

_MOST_QUERIES = 5000  # entries searched for: seconds among a million
_NEIGHBOURS = 16  # of which near-duplicates are left aside
_AT_ONCE = 512
_GROWTH = 1.5  # times the entries, after which a calibration is made again


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

    def rates(self, found: Found, views: str, entries: int) -> NDArray[np.float64]:
        """False-alarm rate a query of each hit, among so many entries; however far extrapolated.

        Where a set of views was not observed itself, each view counts as a look of its own.
        """
        observed = self.tails.get(views)
        if observed is not None:
            return observed.rate(found.similarity, entries=entries)
        return self.tails[UPRIGHT].rate(found.similarity, entries=entries, views=found.looked)


def calibrate_on_entries(snapshot: Snapshot) -> Calibration:
    """Calibrate on entries, each searched for among the others.

    Raises
    ------
    UsageError
        There are too few that resemble no other.
    """
    count = min(len(snapshot), _MOST_QUERIES)
    chosen = np.random.default_rng(0).choice(len(snapshot), count, replace=False)
    parts = [
        _nearest_others(snapshot, chosen[first : first + _AT_ONCE])
        for first in range(0, count, _AT_ONCE)
    ]
    nearest = np.concatenate(parts) if parts else np.empty((0, 1), np.float32)
    tail = _fitted(highest_background(nearest), snapshot)
    return Calibration("entries", {UPRIGHT: tail})


def _nearest_others(snapshot: Snapshot, positions: NDArray[np.int64]) -> NDArray[np.float32]:
    """Similarities of entries to the nearest others, falling."""
    probes = probe_stages(snapshot.cell_count)[-1]
    matches = snapshot.neighbours(positions, k=_NEIGHBOURS + 1, probes=probes)
    alike = matches.similarity.copy()
    alike[matches.positions == positions[:, None]] = -np.inf
    found: NDArray[np.float32] = -np.sort(-alike, axis=1)
    return found


def calibrate_on_pictures(snapshot: Snapshot, looked: Iterable[Looked]) -> Calibration:
    """Calibrate on pictures that match nothing, for each set of views by itself.

    Parameters
    ----------
    snapshot : Snapshot
    looked : iterable of Looked
        Each with the views of "all".

    Raises
    ------
    UsageError
        There are too few, or nothing to compare them with.
    """
    highest: dict[str, list[NDArray[np.float32]]] = {views: [] for views in VIEWS}
    for query in looked:
        if not query.views:
            continue
        matches = snapshot.search(
            query.vectors,
            k=_NEIGHBOURS,
            probes=probe_stages(snapshot.cell_count)[-1],
            rerank=RERANK,
        )
        for views, count in zip(VIEWS, (1, 8, len(query.vectors)), strict=True):
            alike = matches.similarity[:count].reshape(1, -1)
            highest[views].append(-np.sort(-alike, axis=1)[:, :_NEIGHBOURS])
    tails = {
        views: _fitted(highest_background(np.concatenate(found)) if found else (), snapshot)
        for views, found in highest.items()
    }
    return Calibration("pictures", tails)


def _fitted(highest: Any, snapshot: Snapshot) -> Tail:
    if len(highest) < LEAST_BACKGROUND:
        raise UsageError(
            f"only {len(highest)} pictures that match nothing are at hand, and a verdict takes at "
            f"least {LEAST_BACKGROUND}: add more to the archive, or name a folder of others"
        )
    return fit_tail(highest, entries=len(snapshot))


def outgrown(calibration: Calibration | None, entries: int) -> bool:
    """Whether a calibration is to be made, or made again."""
    if calibration is None:
        return entries >= LEAST_BACKGROUND
    return entries >= _GROWTH * calibration.entries


def write_calibration(folder: Place, settings: ArchiveSettings, calibration: Calibration) -> None:
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


def read_calibration(folder: Place, settings: ArchiveSettings) -> Calibration | None:
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
