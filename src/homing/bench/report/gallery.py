"""Gallery of the page: copies found and missed, and the files that changed most."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from homing.bench.encode.variants import Copy, Crop, crop_image
from homing.bench.measure.measurement import Measurement
from homing.bench.states.benchmark import Benchmark
from homing.bench.states.released import Release
from homing.bench.states.state import State, label_of
from homing.bench.statistics.measures import recall
from homing.errors import PictureError
from homing.images import read_rgb
from homing.options import Limits

_EXAMPLES = 4  # of each kind
_AMPLIFIED = 20
_DRAW = 9  # purpose of a seed

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class CaptionedImage:
    """A picture and the text beneath it."""

    caption: str
    image: Image.Image


@dataclass(frozen=True, eq=False)
class Example:
    """Pictures that belong together."""

    # "won": found only when activated; "missed": not found even so; "worst": changed most
    kind: str
    title: str
    pictures: tuple[CaptionedImage, ...]


def search_examples(
    benchmark: Benchmark,
    states: tuple[State, State],
    measurements: tuple[Measurement, Measurement],
    limits: Limits,
) -> list[Example]:
    """Show copies found only when activated, and copies missed even so.

    `states` are passive and active, `measurements` the same through the codebook that the active
    one was activated for. Up to four of each kind, of different photographs and edits.
    """
    right, top = [], []
    for measurement in measurements:
        copies, setting = measurement.copies, measurement.one_probe
        every = np.full(len(copies.searched), np.nan)
        every[copies.searched] = recall(copies.places[setting], 1)
        right.append(every)
        first = np.full(len(copies.searched), -1, np.int64)
        first[copies.searched] = copies.top[setting]
        top.append(first)
    won = (right[0] == 0) & (right[1] == 1)
    missed = (right[0] == 0) & (right[1] == 0)
    examples = []
    for kind, flags in (("won", won), ("missed", missed)):
        for query in _varied(benchmark, flags, kind):
            try:
                examples.append(_example(benchmark, states, kind, query, (top[0], top[1]), limits))
            except PictureError:
                continue  # it could be read before; it is not worth the report
    return examples


def _varied(benchmark: Benchmark, flags: npt.NDArray[np.bool_], kind: str) -> list[int]:
    """Choose some of the flagged copies, no two of one edit or photograph if possible."""
    queries = benchmark.material.queries
    rows = len(queries.rows)
    seed = [benchmark.seed, _DRAW, len(kind)]
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
    benchmark: Benchmark,
    states: tuple[State, State],
    kind: str,
    query: int,
    top: tuple[Rows, Rows],
    limits: Limits,
) -> Example:
    queries = benchmark.material.queries
    photo, row = divmod(query, len(queries.rows))
    recipe = queries.tasks[photo].recipes[row]
    assert isinstance(recipe, Copy)
    passive, active = states
    source, file = passive.files[photo], active.files[photo]
    assert source is not None
    assert file is not None
    edited = recipe.edit.apply(read_rgb(file, limits=limits), np.random.default_rng(recipe.seed))
    pictures = [
        CaptionedImage("original", read_rgb(source, limits=limits)),
        CaptionedImage(f"its copy, {recipe.edit.name}", edited),
    ]
    own = set(benchmark.right[photo].tolist())
    for state, first in zip(states, top, strict=True):
        place = int(first[query])
        verdict = "right" if place in own else "wrong"
        label = label_of(state.method)
        caption = f"{label} finds ({verdict})" if place >= 0 else f"{label}: nothing"
        image = (
            _entry(benchmark, place, limits) if place >= 0 else Image.new("RGB", (40, 30), "white")
        )
        pictures.append(CaptionedImage(caption, image))
    title = f"{queries.tasks[photo].name}, {recipe.edit.name}"
    return Example(kind, title, tuple(pictures))


def _entry(benchmark: Benchmark, place: int, limits: Limits) -> Image.Image:
    """Read the picture of an entry of the base."""
    task, recipe = benchmark.material.base.made_by(int(benchmark.searched_rows.rows[place]))
    image = read_rgb(task.path, limits=limits)
    return crop_image(image, recipe) if isinstance(recipe, Crop) else image


def worst_examples(benchmark: Benchmark, release: Release, limits: Limits) -> list[Example]:
    """Show the files whose change is the most visible, by SSIMULACRA2."""
    scored = [
        (row.quality.ssimulacra2, number, row)
        for number, row in enumerate(release.rows)
        if row and row.quality.ssimulacra2 is not None
    ]
    scored.sort(key=lambda each: each[:2])
    found = []
    for score, number, row in scored[:_EXAMPLES]:
        photo = benchmark.material.plan.photos[number]
        try:
            images = [read_rgb(path, limits=limits) for path in (photo.path, row.file)]
        except PictureError:
            continue
        quality = row.quality
        title = (
            f"{photo.relative}: SSIMULACRA2 {score:.1f}, SSIM {quality.ssim:.3f}, "
            f"{quality.psnr:.2f} dB, largest change {quality.largest:.0f} of 255"
        )
        captions = ("original", "released", f"difference, {_AMPLIFIED} times as strong")
        pictures = zip(captions, [*images, _difference(images)], strict=True)
        found.append(Example("worst", title, tuple(CaptionedImage(*each) for each in pictures)))
    return found


def _difference(images: Sequence[Image.Image]) -> Image.Image:
    before, after = (np.asarray(image, dtype=np.int16) for image in images)
    amplified = np.clip(128 + _AMPLIFIED * (after - before), 0, 255)
    return Image.fromarray(amplified.astype(np.uint8))
