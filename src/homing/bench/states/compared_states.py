"""The states that are compared: the photographs untouched, and released by each method."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from homing.activation import Method
from homing.bench.dataset.material import Material, RowSubset, find_near_duplicates
from homing.bench.states.benchmark import Benchmark
from homing.bench.states.codebooks import Quantizer, find_quantizers
from homing.bench.states.state import State, passive_state
from homing.bench.states.state_maker import StateMaker
from homing.errors import UsageError


@dataclass(frozen=True, eq=False)
class CodebookStates:
    """A codebook, and the photographs released for it by each method."""

    quantizer: Quantizer
    states: tuple[State, ...]  # in the order of the methods

    @property
    def leading(self) -> State:
        """The state by the leading method."""
        return self.states[0]


@dataclass(frozen=True, eq=False)
class ComparedStates:
    """The states, and the benchmark that they share."""

    benchmark: Benchmark = field(repr=False)
    passive: State = field(repr=False)
    active: tuple[CodebookStates, ...] = field(repr=False)  # one per codebook
    methods: tuple[Method, ...]  # measurements of a single method are of the first, leading one

    @property
    def leading(self) -> Method:
        """The method named first."""
        return self.methods[0]

    @property
    def failures(self) -> dict[str, str]:
        """Photographs that could not be released, each with its reason."""
        return _release_failures(self.active)


def compare_states(
    maker: StateMaker, material: Material, indexes: Sequence[str], methods: tuple[Method, ...]
) -> ComparedStates:
    """Release the photographs by every method for every codebook, and describe them.

    Indexes are as :func:`~homing.bench.states.codebooks.find_quantizer` takes them; methods have
    different names. `UsageError` if no photograph is in every state, or two indexes are the same.
    """
    passive = passive_state(material, maker.encoder)
    made = material.entries.made
    made[: len(material.plan.photos)] = False
    rows = RowSubset.flagged(made).rows
    distractors = maker.encoder.vectors(material.entries.rows[maker.encoder.name][rows])
    quantizers = find_quantizers(
        indexes, maker.descriptor, distractors, maker.run.cache, maker.seed
    )
    active = tuple(
        CodebookStates(q, tuple(maker.release(material, passive, q, method) for method in methods))
        for q in quantizers
    )
    return ComparedStates(_benchmark(maker, material, passive, active), passive, active, methods)


def _benchmark(
    maker: StateMaker, material: Material, passive: State, active: Sequence[CodebookStates]
) -> Benchmark:
    """Make the benchmark of the photographs that are in every state."""
    states = [passive, *(state for each in active for state in each.states)]
    photos = np.flatnonzero(np.all([state.present for state in states], axis=0))
    if not len(photos):
        reasons = list(_release_failures(active).values()) or ["it could not be described"]
        raise UsageError(f"no picture could be released ({reasons[0]})")
    near_duplicates = find_near_duplicates(material, [maker.encoder], maker.run)
    return Benchmark(material, photos, *near_duplicates, maker.encoder, maker.seed)


def _release_failures(active: Sequence[CodebookStates]) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in active:
        for state in each.states:
            found |= state.release.failures if state.release is not None else {}
    return found
