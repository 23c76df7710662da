"""How much is measured, and what is drawn: what both commands are told."""

from dataclasses import dataclass

from homing.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How many pictures, copies and distractors there are.

    Attributes
    ----------
    base_size : int
        Distractors besides the photos: photographs of the background, then crops of them.
    random_draws : int
        Copies of each picture under a random edit.
    pictures : int or None
        Only so many photos, drawn by the seed.
    seed : int
        Of everything that is drawn.

    Raises
    ------
    UsageError
        A number is too small.
    """

    base_size: int = 100_000
    random_draws: int = 3
    pictures: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        counts = (self.base_size, self.random_draws, 1 if self.pictures is None else self.pictures)
        if min(counts) < 1 or self.seed < 0:
            raise UsageError(f"counts are at least 1 and the seed at least 0; got {self}")
