"""Comparison of a record's picture with a query's: a copy, a shared part, undecided, or no copy.

Local features align the two, at a coarse scale first (:mod:`homing.evidence.features`); then what
both show is compared block by block (:mod:`homing.evidence.blocks`). Pictures with few features,
and drawings on plain grounds, whose features are much the same everywhere, are aligned by their
pixels and must agree in nearly all of their details (:mod:`homing.evidence.pixels`).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from PIL import Image

from homing.evidence.alignment import Alignment, align
from homing.evidence.analysis import (
    MOST_AT_A_GLANCE,
    MOST_FEATURES,
    SMALL,
    AnalysedPicture,
    Analysis,
    ComparableRecord,
)
from homing.evidence.blocks import Blocks, compare_blocks, scale_of
from homing.evidence.edits import has_other_colours
from homing.evidence.features import Fit, Rule, detect_quickly, fit_homography, fit_matches, match
from homing.evidence.geometry import Array, Box, mapped, resizing
from homing.evidence.pixels import proposals, refined
from homing.lazy import lazy

Kind = Literal["copy", "part", "undecided", "none"]

_QUERY = 600  # pixels of the longer side
_RULE = Rule(side=SMALL, features=MOST_FEATURES, agreeing=8, spread=0.0, zoom=12.0)
_GLANCE = replace(_RULE, agreeing=20, ratio=0.92)
_LARGE = 0.6  # least edge in the query over that in the record, of copies that this settles
_EXACT = 0.8  # least share of the detailed blocks that look alike where it aligns well
_NEAR = 6.0  # pixels between a match of the first look and the change that explains it
_SEEN = 6  # least matches that one explains of pictures that share anything
_SURE = 20  # least agreeing matches of a copy whose details need not be nearly all the same
_CELLS = 8  # least blocks that these are in
_AGREEING = 0.6  # least share of a copy's blocks that look alike
_WHOLLY = 0.85  # the same, from which an area of another content does not matter
_ADDED = 0.35  # most of that which may be text and the like, added where the record has no texture
_DETAILS = 0.35  # least share of a copy's detailed blocks whose details look alike
_BLOCKS = 15  # least blocks of a copy, compared and detailed
_SAME = 0.88  # least share of the details' contrast that is the same, of drawings and the like
_SAME_BLOCKS = 12  # least blocks with details of these
_TEXTURED = 80  # least features of pictures whose disagreement is evidence
_UNLIKE = 0.5  # share of the blocks that look alike below which drawings are not alike
_SHARED = 4  # least blocks that look alike of pictures that share a part

_NOTHING = "nothing in common"


@dataclass(frozen=True, eq=False)
class ComparableQuery(AnalysedPicture):
    """Picture to compare with records; it is analysed once for all of them.

    If the picture is framed, `within` is the left, top, right and bottom of the frame's content:
    outside of it the query shows nothing of a record.
    """

    within: Box | None = None
    finer: Callable[[], Image.Image] | None = None  # reads the picture with more pixels

    @lazy
    def mirrored_glance(self) -> Analysis:
        """The mirror image at a small size, with features for a first look."""
        pixels = np.ascontiguousarray(self.small[:, ::-1])
        return Analysis(pixels, detect_quickly(pixels, MOST_AT_A_GLANCE))

    @lazy
    def coarse_ways(self) -> tuple[Analysis, Analysis]:
        """The picture and its mirror image at a small size."""
        return self.coarse, self.coarse.mirrored()

    @lazy
    def fine(self) -> tuple[Analysis, Analysis]:
        """The picture and its mirror image at a larger size."""
        finest = self if self.finer is None else AnalysedPicture(self.finer())
        found = finest.at(_QUERY)
        return found, found.mirrored()

    def box_in(self, seen: Analysis, *, mirrored: bool) -> Box | None:
        """Return the content of the frame in the picture as analysed; None without a frame."""
        if self.within is None:
            return None
        (width, height), size = seen.features.size, self.picture.size
        shares = np.array(self.within) / (*size, *size) * (width, height, width, height)
        left, top, right, bottom = np.round(shares).astype(int).tolist()
        return (
            (width - right, top, width - left, bottom) if mirrored else (left, top, right, bottom)
        )

    def compare(self, record: ComparableRecord, *, unlikely: bool = False) -> "Comparison":
        """Compare the picture with a record's; of an unlikely one no mirror image is sought."""
        best: _Trial | None = None
        if record.has_corners and self.has_corners and not record.is_drawing:
            best, shared = _at_a_glance(record, self, (False,) if unlikely else (False, True))
            if shared < _SEEN:
                return Comparison("none", _NOTHING)
        for trial in _trials(record, self) if best is None else ():
            if best is None or trial.rank > best.rank:
                best = trial
            if best.kind == "copy":
                break
        if best is None or best.kind == "none":
            textured = _textured(record, self)
            reason = _NOTHING if textured else "too little detail to compare"
            return Comparison("none" if textured else "undecided", reason)
        return _comparison(best, record, self)


@dataclass(frozen=True, eq=False)
class Comparison:
    """Result of comparing two pictures."""

    kind: Kind
    reason: str
    alignment: Alignment | None = None  # None if they could not be aligned
    blocks_agreeing: int = 0
    blocks_compared: int = 0  # blocks with texture in what both show
    region: Box | None = None  # of the query that agrees: left, top, right, bottom, pixels

    @property
    def confirmed(self) -> bool | None:
        """True if one is a copy of the other, False if not; None if undecided."""
        return {"copy": True, "part": False, "undecided": None, "none": False}[self.kind]

    @property
    def shown(self) -> float:
        """Share of the record's area that the query shows, 0 to 1."""
        return self.alignment.shown if self.alignment else 0.0

    @property
    def covered(self) -> float:
        """Share of the query's area that shows the record, 0 to 1."""
        return self.alignment.covered if self.alignment else 0.0


@dataclass(frozen=True, eq=False)
class _Trial:
    """One way to lay the query over the record, and how well it fits."""

    kind: Kind
    reason: str
    matrix: Array  # (3, 3), between the pictures as analysed
    agreeing: int
    blocks: Blocks
    record: Analysis
    query: Analysis
    mirrored: bool

    def matrix_to(self, record: Analysis, query: Analysis) -> Array:
        """Return the matrix between the pictures as analysed at other sizes."""
        before = resizing(record.features.size, self.record.features.size)
        return resizing(self.query.features.size, query.features.size) @ self.matrix @ before

    @property
    def rank(self) -> tuple[int, int]:
        """Rank among trials: the higher, the more can be said."""
        kinds = ("none", "undecided", "part", "copy")
        return kinds.index(self.kind), int(self.blocks.agreeing.sum())


def _trials(record: ComparableRecord, query: ComparableQuery) -> Iterator[_Trial]:
    """Yield trials: those that cost least first."""
    fitted = list[_Trial]()
    for trial in _fitted(record, query):
        yield trial
        fitted.append(trial)
    if (record.is_drawing or not _textured(record, query)) and record.has_details:
        yield from _by_pixels(record, query, fitted)


def _at_a_glance(
    record: ComparableRecord, query: ComparableQuery, ways: Sequence[bool]
) -> tuple[_Trial | None, int]:
    """Look at two pictures for the first time, the query as it is or mirrored.

    Return the trial that they are copies, None if a closer look must tell, and the number of
    matches that one change explains.
    """
    shared, here = 0, record.glance
    for mirrored in ways:
        there = query.mirrored_glance if mirrored else query.glance
        matches = match(here.features, there.features, _GLANCE.ratio)
        shared = max(shared, matches.agreeing(_NEAR, _GLANCE.zoom))
        fit = fit_matches(matches, _GLANCE) if shared >= _SEEN and record.is_varied else None
        # What is small in the query is not placed well enough.
        if fit is not None and scale_of(fit.matrix, fit.here.mean(axis=0)) >= _LARGE:
            trial = _trial(fit, record, query, here, there, mirrored)
            if trial is not None and trial.kind == "copy" and trial.blocks.detail_share >= _EXACT:
                return trial, shared
        if shared >= _SURE:  # the other way round it is none
            break
    return None, shared


def _fitted(record: ComparableRecord, query: ComparableQuery) -> Iterator[_Trial]:
    """Yield trials of local features, coarse ones first."""
    sizes = ((True, True), (False, False), (False, True))  # whether coarse: of the record, query
    found = False
    for number, (coarse_record, coarse_query) in enumerate(sizes):
        if number and not found and _are_rich(record, query):
            return
        here = record.coarse if coarse_record else record.fine
        there = query.coarse_ways if coarse_query else query.fine
        for mirrored, seen in enumerate(there):
            fit = fit_homography(here.features, seen.features, _RULE)
            trial = None if fit is None else _trial(fit, record, query, here, seen, bool(mirrored))
            if trial is not None:
                found = True
                yield trial


def _trial(
    fit: Fit,
    record: ComparableRecord,
    query: ComparableQuery,
    here: Analysis,
    there: Analysis,
    mirrored: bool,
) -> _Trial | None:
    """Return the trial of a fit between two analyses; None if they share no area."""
    within = query.box_in(there, mirrored=mirrored)
    blocks = compare_blocks(here.pixels, there.pixels, fit.matrix, within)
    if blocks is None:
        return None
    count = len(fit.here)
    kind, reason = _judge(blocks, count, blocks.cells_of(fit.here), record.is_drawing)
    return _Trial(kind, reason, fit.matrix, count, blocks, here, there, mirrored)


def _judge(blocks: Blocks, count: int, cells: int, drawing: bool) -> tuple[Kind, str]:
    """Judge pictures that `count` matches in `cells` blocks align."""
    share, agreed = blocks.share, blocks.agreed_share
    if int(blocks.agreeing.sum()) < _SHARED or agreed < 0.1:
        return "none", "the details that agree are not in one place"
    if share < _AGREEING or (min(share, agreed + _ADDED) < _WHOLLY and blocks.has_other_content()):
        if count >= _SURE:
            return "part", "the two share a part, and show something else beside it"
        return "none", "aligned, the two do not look alike"
    if int(blocks.compared.sum()) < _BLOCKS or int(blocks.detailed.sum()) < _BLOCKS:
        return "undecided", "too little detail to compare"
    sure = count >= _SURE and cells >= _CELLS and blocks.detail_share >= _DETAILS
    if sure and not drawing:
        return "copy", "the two agree in their details"
    if blocks.same_details >= _SAME:
        return "copy", "the two agree in their details"
    return "undecided", "the two look alike, but not in all of their details"


def _by_pixels(
    record: ComparableRecord, query: ComparableQuery, fitted: list[_Trial]
) -> Iterator[_Trial]:
    """Yield trials that are refined from pixels: of alignments found, and of plain guesses."""
    here, (there, _) = record.fine, query.fine
    best = sorted(fitted, key=lambda trial: trial.rank, reverse=True)[:1]
    for trial in best:
        yield from _refined(trial.matrix_to(here, query.fine[trial.mirrored]), trial.agreeing,
                            here, query.fine[trial.mirrored], trial.mirrored)  # fmt: skip
    for matrix in proposals(here.pixels, there.pixels):
        yield from _refined(matrix, 0, here, there, mirrored=False)


def _refined(
    matrix: Array, agreeing: int, here: Analysis, there: Analysis, mirrored: bool
) -> Iterator[_Trial]:
    found = refined(here.pixels, there.pixels, matrix)
    blocks = None if found is None else compare_blocks(here.pixels, there.pixels, found)
    if found is None or blocks is None:
        return
    kind: Kind = "undecided"
    reason = "the two look alike, but not in all of their details"
    if blocks.agreed_share < _UNLIKE:
        kind, reason = "none", "aligned, the two do not look alike"
    elif int(blocks.detailed.sum()) < _SAME_BLOCKS:
        reason = "too little detail to compare"
    elif blocks.same_details >= _SAME:
        kind, reason = "copy", "the two agree in all of their details"
    yield _Trial(kind, reason, found, agreeing, blocks, here, there, mirrored)


def _are_rich(record: ComparableRecord, query: ComparableQuery) -> bool:
    return record.is_varied and record.is_rich and query.is_rich


def _textured(record: ComparableRecord, query: ComparableQuery) -> bool:
    """Return whether both have features enough for their disagreement to be evidence.

    A photograph must have them at both sizes: noise has features at one.
    """
    if _are_rich(record, query):
        return True
    counted = max if record.is_drawing else min
    seen = ((record.coarse, record.fine), (query.coarse, query.fine[0]))
    return all(counted(len(s.features.points) for s in sizes) >= _TEXTURED for sizes in seen)


def _comparison(trial: _Trial, record: ComparableRecord, query: ComparableQuery) -> Comparison:
    """Return the result of a trial in pixels of the full pictures."""
    sizes = record.picture.size, query.picture.size
    to_query = resizing(trial.query.features.size, sizes[1], mirrored=trial.mirrored)
    from_record = resizing(sizes[0], trial.record.features.size)
    matrix = to_query @ trial.matrix @ from_record
    alignment = align(matrix, trial.agreeing, *sizes, query.within)
    agreeing, compared = int(trial.blocks.agreeing.sum()), int(trial.blocks.compared.sum())
    region = None
    if alignment is not None and agreeing:
        blocks = trial.blocks
        points = blocks.corners_of_copy() if trial.kind == "copy" else blocks.corners_agreeing()
        region = _bounds(mapped(to_query @ trial.matrix, points), sizes[1])
    kind, reason = trial.kind, trial.reason
    # Shapes of drawings are so few that many are the same; their colours are not.
    if (
        kind == "copy"
        and record.is_drawing
        and alignment is not None
        and has_other_colours(record.picture, query.picture, alignment)
    ):
        kind, reason = "undecided", "of the same shapes, in other colours"
    return Comparison(kind, reason, alignment, agreeing, compared, region)


def _bounds(points: Array, size: tuple[int, int]) -> Box:
    left, top = np.clip(np.floor(points.min(axis=0)), 0, np.array(size) - 1).astype(int).tolist()
    right, bottom = np.clip(np.ceil(points.max(axis=0)), 1, size).astype(int).tolist()
    return left, top, max(right, left + 1), max(bottom, top + 1)
