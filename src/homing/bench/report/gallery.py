"""Pictures for the page: copies found and missed, and the files that changed most."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from homing.bench.encode.variants import Copy, Crop, cropped
from homing.bench.measure.measured import Measured
from homing.bench.states.released import Release
from homing.bench.states.states import Common, State
from homing.bench.statistics.measures import recall
from homing.errors import PictureError
from homing.images import read_rgb
from homing.options import Limits

_EXAMPLES = 4  # of each kind
_AMPLIFIED = 20
_DRAW = 9  # what a seed is for

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Shown:
    """A picture and what stands beneath it."""

    caption: str
    image: Image.Image


@dataclass(frozen=True, eq=False)
class Example:
    """Some pictures that belong together.

    Attributes
    ----------
    kind : str
        ``"won"``: found only when activated; ``"missed"``: not found even so; ``"worst"``: changed
        most.
    title : str
    pictures : tuple of Shown
    """

    kind: str
    title: str
    pictures: tuple[Shown, ...]


def answers_shown(
    common: Common, pair: tuple[State, State], found: tuple[Measured, Measured], limits: Limits
) -> list[Example]:
    """Show some copies found only when activated, and some missed even so.

    Parameters
    ----------
    common : Common
    pair : tuple of State
        Passive, active.
    found : tuple of Measured
        The same, through the codebook that the active one was activated for.
    limits : Limits

    Returns
    -------
    list of Example
        Up to four of each, of different photographs and edits.
    """
    settings = [measured.setting(1, ranked=True) for measured in found]
    right, top = [], []
    for measured, setting in zip(found, settings, strict=True):
        every = np.full(len(measured.searched), np.nan)
        every[measured.searched] = recall(measured.places[setting], 1)
        right.append(every)
        first = np.full(len(measured.searched), -1, np.int64)
        first[measured.searched] = measured.top[setting]
        top.append(first)
    won = (right[0] == 0) & (right[1] == 1)
    missed = (right[0] == 0) & (right[1] == 0)
    examples = []
    for kind, flags in (("won", won), ("missed", missed)):
        for query in _varied(common, flags, kind):
            try:
                examples.append(_example(common, pair, kind, query, (top[0], top[1]), limits))
            except PictureError:
                continue  # it could be read before; it is not worth the report
    return examples


def _varied(common: Common, flags: npt.NDArray[np.bool_], kind: str) -> list[int]:
    """Some of the copies flagged, no two of one edit or photograph if that can be."""
    queries = common.material.queries
    rows = len(queries.rows)
    seed = [common.seed, _DRAW, len(kind)]
    order = np.random.default_rng(seed).permutation(np.flatnonzero(flags)).tolist()
    chosen: list[int] = []
    for strict in (True, False):
        for query in order:
            edits = {queries.rows[each % rows].edit.name for each in chosen}
            photos = {each // rows for each in chosen}
            fresh = (
                query // rows not in photos and queries.rows[query % rows].edit.name not in edits
            )
            if len(chosen) < _EXAMPLES and query not in chosen and (fresh or not strict):
                chosen.append(query)
    return chosen


def _example(
    common: Common,
    pair: tuple[State, State],
    kind: str,
    query: int,
    top: tuple[Rows, Rows],
    limits: Limits,
) -> Example:
    queries = common.material.queries
    photo, row = divmod(query, len(queries.rows))
    recipe = queries.tasks[photo].recipes[row]
    assert isinstance(recipe, Copy)
    passive, active = pair
    source, file = passive.files[photo], active.files[photo]
    assert source is not None
    assert file is not None
    edited = recipe.edit.apply(read_rgb(file, limits=limits), np.random.default_rng(recipe.seed))
    pictures = [
        Shown("original", read_rgb(source, limits=limits)),
        Shown(f"its copy, {recipe.edit.name}", edited),
    ]
    own = set(common.right[photo].tolist())
    for state, first in zip(pair, top, strict=True):
        place = int(first[query])
        verdict = "right" if place in own else "wrong"
        caption = f"{state.method} finds ({verdict})" if place >= 0 else f"{state.method}: nothing"
        image = _entry(common, place, limits) if place >= 0 else Image.new("RGB", (40, 30), "white")
        pictures.append(Shown(caption, image))
    title = f"{queries.tasks[photo].name}, {recipe.edit.name}"
    return Example(kind, title, tuple(pictures))


def _entry(common: Common, place: int, limits: Limits) -> Image.Image:
    """What an entry of the base shows."""
    task, recipe = common.material.base.made_by(int(common.index.rows[place]))
    image = read_rgb(task.path, limits=limits)
    return cropped(image, recipe) if isinstance(recipe, Crop) else image


def worst_shown(common: Common, release: Release, limits: Limits) -> list[Example]:
    """Show the files that are least like their sources, by SSIM.

    Parameters
    ----------
    common : Common
    release : Release
    limits : Limits

    Returns
    -------
    list of Example
    """
    rows = [(n, row) for n, row in enumerate(release.rows) if row and row.quality.ssim is not None]
    rows.sort(key=lambda each: each[1].quality.ssim or 0.0)
    found = []
    for number, row in rows[:_EXAMPLES]:
        photo = common.material.plan.photos[number]
        try:
            images = [read_rgb(path, limits=limits) for path in (photo.path, row.file)]
        except PictureError:
            continue
        quality = row.quality
        title = (
            f"{photo.relative}: SSIM {quality.ssim:.3f}, {quality.psnr:.2f} dB, largest change "
            f"{quality.largest:.0f} of 255"
        )
        captions = ("original", "released", f"difference, {_AMPLIFIED} times as strong")
        pictures = zip(captions, [*images, _difference(images)], strict=True)
        found.append(Example("worst", title, tuple(Shown(*each) for each in pictures)))
    return found


def _difference(images: Sequence[Image.Image]) -> Image.Image:
    before, after = (np.asarray(image, dtype=np.int16) for image in images)
    amplified = np.clip(128 + _AMPLIFIED * (after - before), 0, 255)
    return Image.fromarray(amplified.astype(np.uint8))
