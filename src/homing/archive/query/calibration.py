"""Calibration of an archive, the basis of its verdicts: made by searches, stored in a file.

The background is the archive's own entries, each searched for among all others, without its near
duplicates: they represent the archive's pictures, as no set of vectors shipped with homing could.
Pictures of the user that match nothing do better, since they resemble future queries and can be
searched for in all views.
"""

import contextlib
import datetime
import json
import os
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from homing._version import __version__
from homing.archive.query.queries import DescribedQuery, describe_queries
from homing.archive.query.snapshot import QueryHits, Snapshot
from homing.archive.settings import ArchiveSettings
from homing.archive.table.location import Location
from homing.errors import ArchiveError, UsageError
from homing.options import UPRIGHT, VIEWS, Limits, SearchOptions
from homing.search.false_alarms import LEAST_BACKGROUND, Tail, fit_tail, highest_background

if TYPE_CHECKING:
    from homing.descriptors import Descriptor

FORMAT = 1
_NAME = "calibration.json"

_MOST_QUERIES = 5000  # entries searched for: seconds among a million
_NEIGHBOURS = 16  # of each query, near duplicates included
_AT_ONCE = 512
_GROWTH = 1.5  # growth of an archive after which it is calibrated again


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


def calibrate_on_entries(snapshot: Snapshot) -> Calibration:
    """Calibrate on entries, each searched for among the others.

    Raises `UsageError` if too few of them resemble no other.
    """
    count = min(len(snapshot), _MOST_QUERIES)
    chosen = np.random.default_rng(0).choice(len(snapshot), count, replace=False)
    parts = [
        _nearest_others(snapshot, chosen[first : first + _AT_ONCE])
        for first in range(0, count, _AT_ONCE)
    ]
    nearest = np.concatenate(parts) if parts else np.empty((0, 1), np.float32)
    tail = _fit(highest_background(nearest), snapshot)
    return Calibration("entries", {UPRIGHT: tail})


def _nearest_others(snapshot: Snapshot, positions: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the similarities of entries to the nearest others, falling."""
    probes = snapshot.probe_stages()[-1]
    matches = snapshot.neighbours(positions, k=_NEIGHBOURS + 1, probes=probes)
    alike = matches.similarity.copy()
    alike[matches.positions == positions[:, None]] = -np.inf
    found: NDArray[np.float32] = -np.sort(-alike, axis=1)
    return found


@dataclass(frozen=True, eq=False)
class Strangers:
    """Pictures that an archive holds no copy of, described in all views."""

    queries: tuple[DescribedQuery, ...]
    unreadable: int  # number of further files


def describe_strangers(
    descriptor: "Descriptor",
    paths: Sequence[Path],
    limits: Limits,
    progress: Callable[[int], None] | None = None,
) -> Strangers:
    """Describe pictures that match nothing; `progress` gets the number done since the last call."""
    queries: list[DescribedQuery] = []
    for batch in describe_queries(descriptor, paths, SearchOptions(views="all", limits=limits)):
        queries += [query for _, query in batch if isinstance(query, DescribedQuery)]
        if progress is not None:
            progress(len(batch))
    return Strangers(tuple(queries), len(paths) - len(queries))


def calibrate_on_pictures(snapshot: Snapshot, strangers: Strangers) -> Calibration:
    """Calibrate on pictures that match nothing, for each set of views separately.

    Raises `UsageError` if there are too few pictures, or no entries.
    """
    try:
        return Calibration("pictures", _tails(snapshot, strangers.queries))
    except UsageError as error:
        if count := strangers.unreadable:
            raise UsageError(f"{error} ({count} of the files cannot be read)") from error
        raise


def _tails(snapshot: Snapshot, queries: Sequence[DescribedQuery]) -> dict[str, Tail]:
    highest: dict[str, list[NDArray[np.float32]]] = {views: [] for views in VIEWS}
    for query in queries:
        if not query.views:
            continue
        matches = snapshot.search(
            query.vectors,
            k=_NEIGHBOURS,
            probes=snapshot.probe_stages()[-1],
            rerank=SearchOptions.rerank,
        )
        for views, count in zip(VIEWS, (1, 8, len(query.vectors)), strict=True):
            alike = matches.similarity[:count].reshape(1, -1)
            highest[views].append(-np.sort(-alike, axis=1)[:, :_NEIGHBOURS])
    return {
        views: _fit(highest_background(np.concatenate(found)) if found else (), snapshot)
        for views, found in highest.items()
    }


def _fit(highest: Any, snapshot: Snapshot) -> Tail:
    if len(highest) < LEAST_BACKGROUND:
        raise UsageError(
            f"a verdict takes at least {LEAST_BACKGROUND} pictures that match nothing; here there "
            f"are {len(highest)}: add more to the archive, or name a folder of others"
        )
    return fit_tail(highest, entries=len(snapshot))


def needs_calibration(calibration: Calibration | None, entries: int) -> bool:
    """Return whether an archive of `entries` needs its first calibration, or another one."""
    if calibration is None:
        return entries >= LEAST_BACKGROUND
    return entries >= _GROWTH * calibration.entries


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
