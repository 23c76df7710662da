"""What ``homing bench`` measures."""

from dataclasses import dataclass

from homing.errors import UsageError
from homing.options import Activation


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


@dataclass(frozen=True, kw_only=True)
class Settings(Sizes):
    """What is measured, besides :class:`~homing.bench.settings.Sizes`.

    Attributes
    ----------
    suite : str
        As :func:`~homing.bench.dataset.suites.find_suite` takes it.
    indexes : tuple of str
        As :func:`~homing.bench.states.codebooks.find_quantizer` takes them.
    psnr : float
        Least PSNR of the released files, dB.
    format : str or None
        Of the released files; None keeps each picture's own.
    hashes : bool
        Perceptual hashes as well.
    sample : int
        Photos for what needs files of its own; 0 leaves that out.
    costs : bool
        Compare five indexes by recall, time and memory.
    questions : tuple of str
        Of :data:`~homing.bench.questions.QUESTIONS`.
    """

    suite: str = "paper"
    indexes: tuple[str, ...] = ("auto",)
    psnr: float = Activation.psnr
    format: str | None = "png"
    hashes: bool = True
    sample: int = 60
    costs: bool = True
    questions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sample < 0 or not self.indexes:
            raise UsageError(f"the sample is at least 0, and there is an index; got {self}")
