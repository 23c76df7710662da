"""The benchmark that all states share: ground truth, distractors, descriptor and seed."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from homing.bench.dataset.ground_truth import GroundTruth
from homing.bench.encode.encoders import Encoder
from homing.bench.states.state import State

Vectors = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Benchmark(GroundTruth):
    """The ground truth, with the distractors described by the descriptor."""

    encoder: Encoder
    seed: int

    @cached_property
    def distractors(self) -> Vectors:
        """Vectors of the distractors, in the order of the base."""
        return self.distractors_by(self.encoder)

    def distractors_by(self, encoder: Encoder) -> Vectors:
        """Vectors of the distractors by another encoder."""
        rows = self.searched_rows.rows[len(self.photos) :]
        return encoder.vectors(self.material.entries.rows[encoder.name][rows])

    def entries(self, state: State) -> Vectors:
        """Vectors of the photographs searched for, in a state."""
        return state.entries[self.photos]

    def base(self, state: State) -> Vectors:
        """Vectors of all entries of the base, with the photographs in a state."""
        return np.concatenate([self.entries(state), self.distractors])

    def searched_copies(self, state: State, pictures: Rows | None = None) -> Flags:
        """For each copy whether it is searched for: made, of one of `pictures`."""
        return state.made & self.copies_of(pictures)
