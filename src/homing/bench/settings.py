"""What ``homing bench`` measures."""

from dataclasses import dataclass

from homing.bench.sizes import Sizes
from homing.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Settings(Sizes):
    """What is measured, besides :class:`~homing.bench.sizes.Sizes`.

    Attributes
    ----------
    suite : str
        As :func:`~homing.bench.suites.find_suite` takes it.
    indexes : tuple of str
        As :func:`~homing.bench.quantizers.find_quantizer` takes them.
    psnr : float
        Budget of the released files, dB.
    kind : str or None
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
    psnr: float = 42.0
    kind: str | None = "PNG"
    hashes: bool = True
    sample: int = 60
    costs: bool = True
    questions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sample < 0 or not self.indexes:
            raise UsageError(f"the sample is at least 0, and there is an index; got {self}")
