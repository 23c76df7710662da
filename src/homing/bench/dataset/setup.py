"""Counts of the pictures that were measured on, as values and as a sentence."""

from dataclasses import dataclass

from homing.bench.dataset.material import Material
from homing.bench.settings import Sizes


@dataclass(frozen=True)
class Setup:
    """Counts of the pictures that could be made, not of those planned."""

    photos: int  # entries of the base whose copies are searched for
    distractors: int  # other photographs in the base
    crops: int  # random crops of the distractors in the base
    unmatched: int  # outside the base, for queries without a match
    normalisation: int  # outside the base
    unreadable: int  # files that could not be read, and are none of these
    repeated: int  # background files omitted because they are among the photos
    listed_twice: int  # further mentions of the same files, omitted
    random_draws: int
    seed: int

    @property
    def sentence(self) -> str:
        """The counts in words."""
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


def make_setup(material: Material, photos: int, sizes: Sizes) -> Setup:
    """Count what was searched: nothing of an unreadable file. `photos` are those searched for."""
    plan, whole = material.plan, material.base.recipe == 0
    count = len(plan.photos)
    made = material.entries.made[count:]
    return Setup(
        photos=photos,
        distractors=int(made[whole[count:]].sum()),
        crops=int(made[~whole[count:]].sum()),
        unmatched=int(material.unmatched_rows.made[material.originals].sum()),
        normalisation=int(material.normalisation.made.sum()),
        unreadable=len(material.failures),
        repeated=plan.repeated,
        listed_twice=plan.listed_twice,
        random_draws=sizes.random_draws,
        seed=sizes.seed,
    )
