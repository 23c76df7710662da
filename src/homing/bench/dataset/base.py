"""The base that is searched, and the photographs that stay out of it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from homing.bench.encode.variants import Crop, Recipe, Task, Whole
from homing.bench.settings import Sizes
from homing.errors import UsageError
from homing.images import FoundPicture, shown

# Shares of the background that stay out of the base, and their largest numbers.
_UNMATCHED = (10, 1000)  # one in ten: queries without a match
_NORMALISATION = (7, 2000)  # one in seven: what scores are normalised by
# Purposes of a seed, so that no two draws are the same.
_SPLIT, _CROPS, _SAMPLE = 1, 2, 3


@dataclass(frozen=True)
class Plan:
    """The role of each photograph."""

    photos: tuple[FoundPicture, ...]  # their copies are searched for; in the base as they are
    distractors: tuple[FoundPicture, ...]  # background photographs in the base
    crops: int  # number of random crops of the distractors, also in the base
    unmatched: tuple[FoundPicture, ...]  # background outside the base; their copies have no match
    # background outside the base that scores are normalised by
    normalisation: tuple[FoundPicture, ...]
    repeated: int  # background files omitted because they are among the photos
    listed_twice: int  # further mentions of the same files, omitted


def make_plan(
    photos: Sequence[FoundPicture], background: Sequence[FoundPicture], sizes: Sizes
) -> Plan:
    """Divide the photographs; each file has one role, by whatever path it is listed.

    A tenth of the background (at most 1,000) gives queries without a match and a seventh (at most
    2,000) normalises scores. The rest are distractors; crops of them are added up to the size of
    the base. Files get different names: where two folders hold the same name, the folders' stand
    before it. `UsageError` without photos, or with too few background photographs.
    """
    if not photos:
        raise UsageError("no pictures to measure on: name a folder of photographs")
    ours, rest = _by_path(photos), _by_path(background)
    others = [found for path, found in rest.items() if path not in ours]
    listed_twice = len(photos) + len(background) - len(ours) - len(rest)
    repeated = len(rest) - len(others)
    least = max(_UNMATCHED[0], _NORMALISATION[0])
    if len(others) < least:
        raise UsageError(
            f"the background has {len(others)} pictures besides those to measure on; "
            f"give at least {least}, better thousands"
        )
    names = iter(_named([*ours.values(), *others]))
    photos, others = [next(names) for _ in ours], list(names)
    if sizes.pictures is not None and sizes.pictures < len(photos):
        chosen = np.random.default_rng([sizes.seed, _SAMPLE]).choice(
            len(photos), size=sizes.pictures, replace=False
        )
        photos = [photos[place] for place in sorted(chosen.tolist())]
    order = np.random.default_rng([sizes.seed, _SPLIT]).permutation(len(others))
    unmatched, normalisation = (
        min(len(others) // share, most) for share, most in (_UNMATCHED, _NORMALISATION)
    )
    ends = (unmatched, unmatched + normalisation, unmatched + normalisation + sizes.base_size)
    parts = (order[: ends[0]], order[ends[0] : ends[1]], order[ends[1] : ends[2]])
    held, scale, around = (tuple(others[place] for place in sorted(p.tolist())) for p in parts)
    return Plan(
        photos=tuple(photos),
        distractors=around,
        crops=sizes.base_size - len(around),
        unmatched=held,
        normalisation=scale,
        repeated=repeated,
        listed_twice=listed_twice,
    )


def _by_path(files: Iterable[FoundPicture]) -> dict[Path, FoundPicture]:
    """Each file once, where it is first listed."""
    once: dict[Path, FoundPicture] = {}
    for found in files:
        once.setdefault(found.path.resolve(), found)
    return once


def _named(files: Sequence[FoundPicture]) -> list[FoundPicture]:
    """Distinguish files of the same relative name: by their folder's name, or by their path."""
    names = [found.relative for found in files]
    for longer in (_with_folder, _with_path):
        count = Counter(names)
        names = [
            longer(found) if count[name] > 1 else name
            for found, name in zip(files, names, strict=True)
        ]
    return [replace(found, relative=name) for found, name in zip(files, names, strict=True)]


def _with_folder(found: FoundPicture) -> str:
    """Name of the folder that the file was found in, and its own beneath that."""
    folder = found.path.absolute().parents[found.relative.count("/")]
    return f"{shown(folder.name)}/{found.relative}" if folder.name else found.relative


def _with_path(found: FoundPicture) -> str:
    return shown(found.path.absolute().as_posix())


@dataclass(frozen=True, eq=False)
class Base:
    """The entries that are searched, in order: the photos, then each distractor and its crops."""

    tasks: tuple[Task, ...]
    # (entries,), the task that makes the entry: an entry and its crops are one family
    owner: npt.NDArray[np.int64]
    # (entries,), place of the recipe in its task; 0 is the whole photograph
    recipe: npt.NDArray[np.int64]

    def name(self, row: int) -> str:
        """Name of an entry in reports."""
        task, recipe = self.tasks[self.owner[row]], int(self.recipe[row])
        return f"{task.name}#crop{recipe}" if recipe else task.name

    def made_by(self, row: int) -> tuple[Task, Recipe]:
        """Task and recipe that make an entry."""
        task = self.tasks[self.owner[row]]
        return task, task.recipes[self.recipe[row]]


def make_base(plan: Plan, seed: int) -> Base:
    """Plan every entry.

    A crop depends on the seed, the photograph's place and the crop's number alone.
    """
    tasks = [Task(found.path, found.relative, (Whole(),)) for found in plan.photos]
    count = len(plan.distractors)
    for place, found in enumerate(plan.distractors):
        crops = plan.crops // count + (place < plan.crops % count)
        recipes = [Crop((seed, _CROPS, place, number)) for number in range(crops)]
        tasks.append(Task(found.path, found.relative, (Whole(), *recipes)))
    sizes = [len(task.recipes) for task in tasks]
    return Base(
        tasks=tuple(tasks),
        owner=np.repeat(np.arange(len(tasks)), sizes),
        recipe=np.concatenate([np.arange(size) for size in sizes]),
    )
