"""What the stages of ``homing bench`` share: the descriptor, the processes, the cache."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from homing.activation import Method
from homing.bench.context import Run
from homing.bench.dataset.material import Material
from homing.bench.encode.encoders import Encoder
from homing.bench.states.codebooks import Quantizer, find_quantizer
from homing.bench.states.released import Releaser
from homing.bench.states.states import Describer, State

if TYPE_CHECKING:
    from homing.descriptors import Descriptor

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Stage:
    """What is needed to make anything.

    Attributes
    ----------
    descriptor : Descriptor
    encoder : Encoder
        The same, as what makes rows.
    run : Run
    releaser : Releaser
    seed : int
    """

    descriptor: "Descriptor"
    encoder: Encoder
    run: Run
    releaser: Releaser
    seed: int

    @property
    def describer(self) -> Describer:
        """What describes released files."""
        return Describer(self.encoder, self.run)

    def quantizer(self, name: str, others: npt.NDArray[np.float32]) -> Quantizer:
        """Find or train a codebook; see :func:`~homing.bench.states.codebooks.find_quantizer`."""
        return find_quantizer(name, self.descriptor, others, self.run.cache, self.seed)

    def released(
        self,
        material: Material,
        passive: State,
        quantizer: Quantizer,
        method: Method,
        pictures: Rows | None = None,
        releaser: Releaser | None = None,
    ) -> State:
        """Release photographs for a codebook; describe them and their copies.

        Parameters
        ----------
        material : Material
        passive : State
        quantizer : Quantizer
        method : Method
        pictures : ndarray of int64, optional
            Numbers of those to be released; all without it.
        releaser : Releaser, optional
            With other settings than the run's.
        """
        release = (releaser or self.releaser).release(
            material.plan.photos,
            method,
            quantizer.codebook,
            f"releasing by {method.name} for {quantizer.name}",
            chosen=None if pictures is None else pictures.tolist(),
        )
        return self.describer.state(
            passive, material.queries, release.files, method.name, quantizer, release
        )
