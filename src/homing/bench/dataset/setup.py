"""What was measured on, counted and said."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from homing.bench.dataset.material import Material
from homing.bench.settings import Sizes


@dataclass(frozen=True)
class Setup:
    """What was measured on: what could be made, not what was planned.

    Attributes
    ----------
    photos, distractors, crops : int
        Entries of the base: photographs whose copies are searched for, other photographs, and
        random crops of those others.
    unmatched, normalisation : int
        Photographs kept out of the base.
    unreadable : int
        Files that could not be read, and are none of these.
    repeated : int
        Background files left out because they are among the photos.
    listed_twice : int
        Further mentions of the same files, left out.
    random_draws, seed : int
    """

    photos: int
    distractors: int
    crops: int
    unmatched: int
    normalisation: int
    unreadable: int
    repeated: int
    listed_twice: int
    random_draws: int
    seed: int

    @property
    def sentence(self) -> str:
        """Say it."""
        total = self.photos + self.distractors + self.crops
        text = (
            f"Base of {total:,}: {self.photos:,} photographs to be found, {self.distractors:,} "
            f"others, {self.crops:,} random crops of these others (30 to 90 % of their area). "
            f"Kept out of the base: {self.unmatched:,} photographs for queries without a match, "
            f"{self.normalisation:,} for the normalisation of scores. "
            f"{self.random_draws} draws of the random edit a picture; seed {self.seed}."
        )
        if self.unreadable:
            text += f" {self.unreadable:,} files could not be read: they are none of these."
        if self.repeated:
            text += f" {self.repeated:,} background files are photographs to be found: left out."
        if self.listed_twice:
            text += f" {self.listed_twice:,} files were listed more than once: they count once."
        return text


def setup_of(material: Material, photos: npt.NDArray[np.bool_], sizes: Sizes) -> Setup:
    """Count what was searched: of a file that could not be read, nothing.

    Parameters
    ----------
    material : Material
    photos : ndarray, bool
        Which photographs were searched for.
    sizes : Sizes
    """
    plan, whole = material.plan, material.base.recipe == 0
    count = len(plan.photos)
    made = material.entries.made[count:]
    return Setup(
        photos=int(photos.sum()),
        distractors=int(made[whole[count:]].sum()),
        crops=int(made[~whole[count:]].sum()),
        unmatched=int(material.others.made[material.originals].sum()),
        normalisation=int(material.scale.made.sum()),
        unreadable=len(material.failures),
        repeated=plan.repeated,
        listed_twice=plan.listed_twice,
        random_draws=sizes.random_draws,
        seed=sizes.seed,
    )
