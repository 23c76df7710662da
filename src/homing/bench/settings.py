"""Settings of ``homing bench``."""

from dataclasses import dataclass

from homing.errors import UsageError
from homing.options import Activation


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Numbers of pictures, copies and distractors; `UsageError` if one is too small."""

    base_size: int = 100_000  # distractors: photographs of the background, then crops of them
    random_draws: int = 3  # copies of each picture under a random edit
    pictures: int | None = None  # photos drawn by the seed; None: all
    seed: int = 0

    def __post_init__(self) -> None:
        counts = (self.base_size, self.random_draws, 1 if self.pictures is None else self.pictures)
        if min(counts) < 1 or self.seed < 0:
            raise UsageError(f"counts are at least 1 and the seed at least 0; got {self}")


@dataclass(frozen=True, kw_only=True)
class Settings(Sizes):
    """Settings of :func:`~homing.bench.run.run_retrieval`."""

    suite: str = "paper"  # see homing.bench.dataset.suites.find_suite
    indexes: tuple[str, ...] = ("auto",)  # see homing.bench.states.codebooks.find_quantizer
    psnr: float = Activation.psnr  # least PSNR of the released files, dB
    format: str | None = "png"  # of the released files; None: the format of each picture
    hashes: bool = True  # measure perceptual hashes too
    sample: int = 60  # photos for measurements that need their own files; 0 omits these
    costs: bool = True  # compare five indexes by recall, time and memory
    questions: tuple[str, ...] = ()  # names in homing.bench.questions.QUESTIONS

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sample < 0 or not self.indexes:
            raise UsageError(f"the sample is at least 0, and there is an index; got {self}")
