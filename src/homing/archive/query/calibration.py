"""Calibration of an archive, the basis of its verdicts: made by searches, stored in a file.

The background is the archive's own entries, each searched for among all others, without its near
duplicates: they represent the archive's pictures, as no set of vectors shipped with homing could.
Pictures of the user that match nothing do better, since they resemble future queries and can be
searched for in all views. Until there are enough of either, the vectors that ship stand in: these
rates are provisional.
"""

import datetime
import itertools
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from homing._version import __version__
from homing.archive.query.snapshot import QueryHits
from homing.archive.query.verdict import Verdict
from homing.archive.settings import ArchiveSettings
from homing.archive.table.location import Location, read_whole, write_whole
from homing.errors import ArchiveError
from homing.files.durable import remove_parts
from homing.files.small_json import build, decode, encode
from homing.options import UPRIGHT, VIEWS
from homing.search.background import load_background
from homing.search.false_alarms import LEAST_BACKGROUND, Tail, fit_tail
from homing.search.surroundings import NEIGHBOURS, ContrastTail, surroundings

FORMAT = 1
_NAME = "calibration.json"

_SETTLED = 60.0  # seconds after which a file so small is no longer being written
_MOST_SPACING, _MOST_EXPONENT = 1e4, 1e4  # far beyond those of any space
_ROUNDING = 1e-3
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
    contrasts : mapping of str to ContrastTail
        Distribution of how far first hits stand out from all else, on which rates rest; empty in
        calibrations made before it was measured.
    others : array (m, D), float32
        Vectors of other pictures, which a hit must stand out from as well.
    is_provisional : bool
        Whether it rests on these alone.
    """

    background: str
    tails: Mapping[str, Tail]
    contrasts: Mapping[str, ContrastTail] = field(default_factory=dict)
    others: NDArray[np.float32] | None = field(default=None, compare=False, repr=False)
    is_provisional: bool = False

    @property
    def entries(self) -> int:
        """Number of entries when it was made."""
        return self.tails[UPRIGHT].entries

    @property
    def least(self) -> float:
        """Least false-alarm rate that is reported, in (0, 1)."""
        return self.tails[UPRIGHT].least

    def verdict(self, rate: float, *, most: float) -> Verdict:
        """Return the verdict at a false-alarm rate: a copy up to the rate `most`."""
        return Verdict.by_rate(rate, most=most, least=self.least, provisional=self.is_provisional)

    def rates(self, hits: QueryHits, views: str, entries: int) -> NDArray[np.float64]:
        """Return the false-alarm rate of each hit, however far extrapolated.

        A hit is no surer than one that is more similar.

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
            Share of queries without a match that have such a hit, in [0, 1].
        """
        rates = self._rates_of_similarity(hits, views, entries)
        if self.contrasts and hits.surroundings is not None:
            views_alike = 1 if views in self.contrasts else hits.view_count
            observed = self.contrasts.get(views, self.contrasts[UPRIGHT])
            around = hits.surroundings
            # Of the others none is a hit; in an archive of its own all that is near was an entry.
            chances = views_alike * (around.entries if self.is_provisional else 1)
            found = observed.rate(around, chances)
            rates = np.where(np.isnan(found), rates, found)
        order = np.argsort(-hits.similarity, kind="stable")
        rates[order] = np.maximum.accumulate(rates[order])
        return rates

    def _rates_of_similarity(
        self, hits: QueryHits, views: str, entries: int
    ) -> NDArray[np.float64]:
        observed = self.tails.get(views)
        if observed is not None:
            return observed.rate(hits.similarity, entries=entries)
        return self.tails[UPRIGHT].rate(hits.similarity, entries=entries, views=hits.view_count)


@lru_cache(maxsize=4)
def provisional_calibration(fingerprint: str, dimension: int) -> Calibration | None:
    """Return a calibration on the vectors that ship for a descriptor; None if there are none."""
    others = load_background(fingerprint, dimension)
    if len(others) < LEAST_BACKGROUND:
        return None
    alike = others @ others.T
    np.fill_diagonal(alike, -np.inf)
    nearest = np.argsort(-alike, axis=1)[:, :NEIGHBOURS]
    similarity = np.take_along_axis(alike, nearest, axis=1)
    among = np.einsum("nkd,njd->nkj", others[nearest], others[nearest])
    around = surroundings(similarity, among, np.empty((len(others), 0), np.float32))
    first_hits = around.take((np.arange(len(others)), np.zeros(len(others), np.int64)))
    contrast = ContrastTail.fit(first_hits)
    tails = {UPRIGHT: fit_tail(similarity[:, 0], entries=len(others))}
    contrasts = {} if contrast is None else {UPRIGHT: contrast}
    return Calibration("shipped", tails, contrasts, others, is_provisional=True)


def needs_calibration(calibration: Calibration | None, entries: int) -> bool:
    """Return whether an archive of `entries` needs its first calibration, or another one."""
    if calibration is None:
        return entries >= LEAST_BACKGROUND
    return entries >= _GROWTH * calibration.entries


def write_calibration(
    folder: Location, settings: ArchiveSettings, calibration: Calibration
) -> None:
    """Write ``calibration.json``, whole or not at all."""
    stored = _StoredCalibration(
        format=FORMAT,
        archive=settings.identity,
        descriptor_fingerprint=settings.descriptor_fingerprint,
        codebook_fingerprint=settings.codebook_fingerprint,
        background=calibration.background,
        tails=calibration.tails,
        contrasts=calibration.contrasts,
        created_at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        created_by=f"homing {__version__}",
    )
    if isinstance(folder, Path):
        remove_parts(folder, _SETTLED)
    write_whole(folder / _NAME, encode(asdict(stored)))


def read_calibration(folder: Location, settings: ArchiveSettings) -> Calibration | None:
    """Read ``calibration.json``; None if there is none.

    Raises `ArchiveError` if it is damaged, of another format, or of another archive.
    """
    path = folder / _NAME
    try:
        data = read_whole(path)
        stored = build(_StoredCalibration, decode(data, (FORMAT,)))
        _check(stored, settings)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ArchiveError(
            f"{path} cannot be used ({error}); make it again with 'homing calibrate'"
        ) from error
    others = load_background(settings.descriptor_fingerprint, settings.dimension)
    return Calibration(stored.background, stored.tails, stored.contrasts, others)


def usable_calibration(folder: Location, settings: ArchiveSettings) -> Calibration | None:
    """Return the archive's calibration, or the provisional one; None if there is neither."""
    return read_calibration(folder, settings) or provisional_calibration(
        settings.descriptor_fingerprint, settings.dimension
    )


@dataclass(frozen=True, kw_only=True)
class _StoredCalibration:
    """A calibration as its file has it."""

    format: int
    archive: str = ""  # identity; files of earlier versions have none
    descriptor_fingerprint: str
    codebook_fingerprint: str
    background: str
    tails: Mapping[str, Tail]
    contrasts: Mapping[str, ContrastTail] = field(default_factory=dict)
    created_at: str = ""
    created_by: str = ""


def _check(stored: _StoredCalibration, settings: ArchiveSettings) -> None:
    if stored.archive not in ("", settings.identity):
        raise ValueError("it is another archive's")
    for key in ("descriptor_fingerprint", "codebook_fingerprint"):
        if getattr(stored, key) != getattr(settings, key):
            raise ValueError(f"its {key} is not the archive's")
    if stored.background not in ("entries", "pictures"):
        raise ValueError(f"'background' is {stored.background!r}")
    for name in ("tails", "contrasts"):
        by_views = getattr(stored, name)
        if not by_views.keys() <= set(VIEWS) or (by_views and UPRIGHT not in by_views):
            raise ValueError(f"{name!r} is of other views than {', '.join(VIEWS)}")
    if not stored.tails:
        raise ValueError("'tails' is empty")
    for tail in (*stored.tails.values(), *(each.tail for each in stored.contrasts.values())):
        _check_tail(tail)
    if not all(0 <= each.usual < _MOST_SPACING for each in stored.contrasts.values()):
        raise ValueError("'usual' is out of range")


def _check_tail(tail: Tail) -> None:
    rates, places = zip(*tail.body, strict=True) if tail.body else ((), ())
    if not (
        tail.threshold < 1
        and 0 < tail.share <= 1
        and 0 < tail.exponent < _MOST_EXPONENT
        and tail.entries >= 1
        and tail.queries >= 1
        and rates
        and all(0 < rate <= 1 for rate in rates)
        and list(rates) == sorted(rates, reverse=True)
        and all(later >= place - _ROUNDING for place, later in itertools.pairwise(places))
        and places[-1] <= 1 + _ROUNDING
    ):
        raise ValueError("figures of a tail are out of range")
