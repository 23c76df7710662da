"""Verdicts by pictures: a query is compared with the previews of the entries found."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeAlias

from PIL import Image

from homing.archive.hits import LESS_SIMILAR, Hit, Hits, RecordedPicture
from homing.errors import PictureError
from homing.evidence import ComparableQuery, ComparableRecord, Comparison, name_edits
from homing.images import Source, as_rgb, read_bytes, shown
from homing.images.preview import read_preview
from homing.images.read_small import read_fitted_of
from homing.lazy import lazy
from homing.options import Limits
from homing.search.frames.borders import inner_box
from homing.search.frames.collages import MOST_PANELS, find_panels
from homing.search.frames.panels import Box, is_page, scaled_down
from homing.search.frames.rest import area, distinct, find_rests, is_taken

MOST_COMPARED = 10
"""Most hits of a query that are compared with it."""

_MOST_UNLIKE = 5  # hits that are no copies, after which no further one is compared
_BY_CHANCE = 0.2  # false-alarm rate above which a hit does not stand out
_MOST_BY_CHANCE = 2  # hits that are no copies, after which none that does not stand out is compared
#: False-alarm rate above which a hit says nothing, and similarity below which that shows: of 2,600
#: copies of `train/` two were found so.
_CHANCE_ALONE, _SIMILAR = 0.5, 0.8
_NEARLY = 0.1  # similarity below the first copy's from which a further hit may be one too
_SIDE = 1000  # pixels of the longer side of a query as looked at closely
_LEAST = 400  # the same at first: of a JPEG a reduced size is read several times as fast
_LEAST_SHOWN = 0.3  # share of an entry that a picture within a query shows, at least
_LEAST_OF_PAGE = 0.5  # the same of a page: a band of a screen or a card is no copy of another one
_SMALL = 256  # pixels of the longer side at which pages are told
PANEL = "panel"
"""Name of the view of a hit that is one of several pictures in the query."""

_RANKS = {"file": 0, "copy": 1, "part": 2, "undecided": 3, None: 3, "none": 4}

HitPicture: TypeAlias = bytes | Path | str
"""An entry's preview, its file, or why there is neither."""


@dataclass(frozen=True, eq=False)
class QueryPicture:
    """Picture of a query as it is compared with others."""

    image: Image.Image  # 8-bit RGB, upright, perhaps shrunk
    size: tuple[int, int]  # of the picture itself, upright
    sha256: bytes | None = None  # of its file; None of a picture in memory
    read_finer: Callable[[], Image.Image] | None = None  # None: `image` has all that is wanted
    compared: dict[bytes | Path, Comparison] = field(default_factory=dict)  # with entries' pictures

    @classmethod
    def read(cls, source: Source | Image.Image, limits: Limits) -> "QueryPicture":
        """Read a picture; `PictureError` if it cannot be read."""
        if isinstance(source, Image.Image):
            image = as_rgb(source)
            return cls(image, image.size)
        data = read_bytes(source, limits=limits)
        image, size = read_fitted_of(data, _LEAST, most=_SIDE, limits=limits)
        finer = None
        if max(image.size) < min(_SIDE, max(size)):
            finer = partial(_read_finer, data, limits)
        return cls(image, size, hashlib.sha256(data).digest(), finer)

    @lazy
    def finer(self) -> Image.Image:
        """The picture with the pixels that a closer look needs."""
        return self.image if self.read_finer is None else self.read_finer()

    @lazy
    def comparable(self) -> ComparableQuery:
        """The picture, analysed once for all that it is compared with."""
        return ComparableQuery(self.image, finer=lambda: self.finer)

    def compare(self, record: Image.Image, *, unlikely: bool = False) -> Comparison:
        """Compare the picture with an entry's; for `unlikely` see :class:`ComparableQuery`."""
        other = ComparableRecord(record)
        found = self.comparable.compare(other, unlikely=unlikely)
        # A frame is a part of the query that shows nothing of the entry; it is seldom looked for.
        if found.kind == "part" and self._framed is not None:
            return self._framed.compare(other)
        return found

    @lazy
    def _framed(self) -> ComparableQuery | None:
        box = inner_box(self.finer)
        if box is None:
            return None
        within = _scaled(box, max(self.image.size) / max(self.finer.size))
        return replace(self.comparable, within=within)

    @property
    def shrunk(self) -> float:
        """Edges of the picture over those of `image`."""
        return max(self.size) / max(self.image.size)

    def places(self, hits: Iterable[Hit]) -> list[Box]:
        """Return where in `image` the copies among its hits lie."""
        return [
            (0, 0, *self.image.size) if hit.region is None else _scaled(hit.region, 1 / self.shrunk)
            for hit in hits
            if hit.confirmed
        ]

    def panels(self, hits: Sequence[Hit], tried: Sequence[Box] = ()) -> list["Panel"]:
        """Return where further pictures may be, beside the copies among the hits.

        They are found by their edges, or are what the copies leave. Those in places that were tried
        are left out.
        """
        taken = self.places(hits)
        rests = find_rests(self.image, taken) if taken else []
        if taken and not rests:
            return []
        boxes = distinct([*tried, *self._parts, *rests])
        new = [box for box in boxes if box not in tried and not is_taken(box, taken)]
        return [Panel(box, self) for box in new[: MOST_PANELS - len(tried)]]

    @lazy
    def _parts(self) -> tuple[Box, ...]:
        return find_panels(self.image)


@dataclass(frozen=True, eq=False)
class Panel:
    """A picture within a query's."""

    box: Box  # in the query's image
    whole: QueryPicture

    @lazy
    def picture(self) -> QueryPicture:
        """The panel as a query of its own."""
        finer = self.whole.finer
        enlarged = max(finer.size) / max(self.whole.image.size)
        image = finer.crop(_scaled(self.box, enlarged))
        factor = self.whole.shrunk / enlarged
        return QueryPicture(image, (round(image.width * factor), round(image.height * factor)))

    @lazy
    def _least(self) -> float:
        return _LEAST_OF_PAGE if is_page(scaled_down(self.picture.image, _SMALL)) else _LEAST_SHOWN

    def copies(self, hits: Sequence[Hit]) -> list[Hit]:
        """Return the hits of the panel that are copies, with their place in the whole query."""
        left, top = (round(edge * self.whole.shrunk) for edge in self.box[:2])
        share = area(self.box) / area((0, 0, *self.whole.image.size))
        found = []
        for hit in hits:
            if hit.confirmed and hit.region and hit.covered and (hit.shown or 0) >= self._least:
                x, y, right, bottom = hit.region
                region = x + left, y + top, right + left, bottom + top
                edits = (f"put beside others, in {share:.0%} of the picture", *hit.edits)
                covered = hit.covered * share
                found.append(replace(hit, view=PANEL, region=region, edits=edits, covered=covered))
        return found


@dataclass(frozen=True, eq=False)
class ComparedHit:
    """A hit with its verdict, and what it rests on."""

    hit: Hit
    record: Image.Image | None = None  # picture of the entry, as compared
    comparison: Comparison | None = None


def confirm(
    hits: Hits, pictures: Mapping[str, HitPicture], query: QueryPicture, limits: Limits
) -> Hits:
    """Compare the first hits with a query; copies come first, those that are none after others.

    `pictures` are those of the hits recorded, by id. A hit whose picture is missing keeps what its
    similarity says. Once there is a copy only those that may be copies as well are compared; after
    the first none is that resembles the query as others do by chance, after two none that does not
    stand out, after five none at all. Those left aside come last.
    """
    judged: list[Hit] = []
    first: Hit | None = None
    unlike = 0
    for hit in hits:
        picture = pictures[hit.id] if hit.id in hits.recorded else None
        if isinstance(picture, str):
            judged.append(replace(hit, reason=f"not compared: {picture}"))
            continue
        near = first is None or hit.is_copy or hit.similarity >= first.similarity - _NEARLY
        if picture is None or unlike >= _most_unlike(hit) or not near:
            judged.append(replace(hit, is_copy=None, reason=LESS_SIMILAR))
            continue
        compared = compare_hit(hit, hits.recorded[hit.id], picture, query, limits).hit
        judged.append(compared)
        if compared.confirmed:
            first = first or compared
        else:
            unlike += 1
    return hits.replaced(sorted(judged, key=lambda hit: (hit.left_aside, _RANKS[hit.verdict])))


def _most_unlike(hit: Hit) -> int:
    """Return how many hits before it may be no copies if a hit is to be compared."""
    if is_chance(hit):
        return 1
    # Pages resemble each other; a copy of one is seldom the first of them.
    by_chance = (hit.false_alarm_rate or 0.0) > _BY_CHANCE and hit.similarity < _SIMILAR
    return _MOST_BY_CHANCE if by_chance else _MOST_UNLIKE


def is_chance(hit: Hit) -> bool:
    """Return whether a hit resembles a query as pictures do by chance, more often than not."""
    return (hit.false_alarm_rate or 0.0) > _CHANCE_ALONE and hit.similarity < _SIMILAR


def compare_hit(
    hit: Hit,
    recorded: RecordedPicture,
    picture: bytes | Path,
    query: QueryPicture,
    limits: Limits,
) -> ComparedHit:
    """Compare an entry's preview, or its file, with a query."""
    try:
        if isinstance(picture, bytes):
            image = read_preview(picture)
        else:
            image, _ = read_fitted_of(read_bytes(picture, limits=limits), _SIDE, limits=limits)
    except PictureError as error:
        place = "its preview" if isinstance(picture, bytes) else shown(picture)
        return ComparedHit(replace(hit, reason=f"not compared: {place}: {error}"))
    if query.sha256 is not None and query.sha256 in (recorded.file_sha256, recorded.source_sha256):
        return ComparedHit(_very_file(hit, recorded, query), image)
    comparison = query.compared.get(picture)
    if comparison is None:
        # A mirror image is hardly less similar: of 200 copies none is so by chance.
        comparison = query.compare(image, unlikely=is_chance(hit))
        query.compared[picture] = comparison
    return ComparedHit(_judged(hit, recorded, image, comparison, query), image, comparison)


def _very_file(hit: Hit, recorded: RecordedPicture, query: QueryPicture) -> Hit:
    is_source = query.sha256 != recorded.file_sha256
    return replace(
        hit,
        verdict="file",
        is_copy=True,
        reason="its source, as it was before its release" if is_source else "byte for byte",
        shown=1.0,
        covered=1.0,
        agreeing=1.0,
        region=(0, 0, *query.size),
    )


def _judged(
    hit: Hit,
    recorded: RecordedPicture,
    image: Image.Image,
    comparison: Comparison,
    query: QueryPicture,
) -> Hit:
    """Return a hit with the verdict of a comparison."""
    alignment, compared = comparison.alignment, comparison.blocks_compared
    edits: tuple[str, ...] = ()
    if alignment is not None and comparison.confirmed:
        # The edges of the two pictures themselves, of which both may have been shrunk.
        enlarged = query.shrunk * max(image.size) / max(recorded.width, recorded.height)
        edits = name_edits(image, query.image, alignment, enlarged)
    region = comparison.region
    if region is not None:
        left, top, right, bottom = _scaled(region, query.shrunk)
        region = left, top, min(right, query.size[0]), min(bottom, query.size[1])
    return replace(
        hit,
        verdict=comparison.kind,
        is_copy=comparison.confirmed,
        reason=comparison.reason,
        shown=comparison.shown if alignment else None,
        covered=comparison.covered if alignment else None,
        agreeing=comparison.blocks_agreeing / compared if compared else None,
        region=region,
        edits=edits,
    )


def _read_finer(data: bytes, limits: Limits) -> Image.Image:
    return read_fitted_of(data, _SIDE, limits=limits)[0]


def _scaled(box: Box, factor: float) -> Box:
    left, top, right, bottom = (round(edge * factor) for edge in box)
    return left, top, right, bottom
