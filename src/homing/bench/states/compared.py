"""All states that are compared: the photographs untouched, and released by each method."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from homing.activation import Method
from homing.bench.dataset.material import Index, Material, seek_twins
from homing.bench.states.codebooks import Quantizer, find_quantizers
from homing.bench.states.stage import Stage
from homing.bench.states.states import Common, State, passive_state
from homing.errors import UsageError


@dataclass(frozen=True, eq=False)
class Active:
    """A codebook, and the photographs released for it by each method.

    Attributes
    ----------
    quantizer : Quantizer
    states : tuple of State
        In the order of the methods.
    """

    quantizer: Quantizer
    states: tuple[State, ...]

    @property
    def leading(self) -> State:
        """What the leading method released for it."""
        return self.states[0]


@dataclass(frozen=True, eq=False)
class Compared:
    """The states, and what they share.

    Attributes
    ----------
    common : Common
    passive : State
    active : tuple of Active
        One a codebook.
    methods : tuple of Method
        The first is the leading one: what is measured by one method only is measured by it.
    """

    common: Common = field(repr=False)
    passive: State = field(repr=False)
    active: tuple[Active, ...] = field(repr=False)
    methods: tuple[Method, ...]

    @property
    def leading(self) -> Method:
        """The method named first."""
        return self.methods[0]

    @property
    def failures(self) -> dict[str, str]:
        """Photographs that could not be released, each with its reason."""
        return _unreleased(self.active)

    @property
    def kept(self) -> npt.NDArray[np.bool_]:
        """For each photograph whether it is there in every state."""
        found = np.zeros(len(self.common.material.plan.photos), bool)
        found[self.common.kept] = True
        return found


def compare(
    stage: Stage, material: Material, indexes: Sequence[str], methods: tuple[Method, ...]
) -> Compared:
    """Release the photographs by every method for every codebook, and describe it all.

    Parameters
    ----------
    stage : Stage
    material : Material
    indexes : sequence of str
        As :func:`~homing.bench.states.codebooks.find_quantizer` takes them.
    methods : tuple of Method
        Of different names, the leading one first.

    Raises
    ------
    UsageError
        No photograph is there in every state, or two indexes are the same.
    """
    passive = passive_state(material, stage.encoder)
    made = material.entries.made
    made[: len(material.plan.photos)] = False
    others = stage.encoder.vectors(material.entries.rows[stage.encoder.name][Index.of(made).rows])
    quantizers = find_quantizers(indexes, stage.descriptor, others, stage.run.cache, stage.seed)
    active = tuple(
        Active(q, tuple(stage.released(material, passive, q, method) for method in methods))
        for q in quantizers
    )
    return Compared(_common(stage, material, passive, active), passive, active, methods)


def _common(stage: Stage, material: Material, passive: State, active: Sequence[Active]) -> Common:
    """What all states share: the photographs that are there in every one."""
    states = [passive, *(state for each in active for state in each.states)]
    kept = np.flatnonzero(np.all([state.present for state in states], axis=0))
    if not len(kept):
        reasons = list(_unreleased(active).values()) or ["it could not be described"]
        raise UsageError(f"no picture could be released ({reasons[0]})")
    twins = seek_twins(material, [stage.encoder], stage.run)
    return Common(material, kept, *twins, stage.encoder, stage.seed)


def _unreleased(active: Sequence[Active]) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in active:
        for state in each.states:
            found |= state.release.failures if state.release is not None else {}
    return found
