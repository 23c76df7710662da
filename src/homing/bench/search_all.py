"""All states searched for through all codebooks, and exactly."""

from collections.abc import Sequence
from dataclasses import dataclass

from homing.bench.encode.encoders import Encoder
from homing.bench.measure.detection import Detected, detect
from homing.bench.measure.measured import Measured, measure_exact, measure_index
from homing.bench.report.outcome import Family
from homing.bench.search.engine import Searcher, settings_of
from homing.bench.states.compared import Compared
from homing.bench.states.stage import Stage
from homing.bench.states.states import State, passive_state


@dataclass(frozen=True, eq=False)
class Searched:
    """What was found.

    Attributes
    ----------
    families : tuple of Family
        One a codebook.
    hashes : tuple of Measured
    searched : tuple of (Measured, State)
        Everything measured, and of what.
    """

    families: tuple[Family, ...]
    hashes: tuple[Measured, ...]
    searched: tuple[tuple[Measured, State], ...]


def search_all(stage: Stage, compared: Compared, hashes: Sequence[Encoder]) -> Searched:
    """Search for the copies of every state: through its codebook, and exactly.

    Parameters
    ----------
    stage : Stage
    compared : Compared
    hashes : sequence of Encoder
        Searched for untouched copies, exactly.
    """
    common, passive = compared.common, compared.passive
    searched: list[tuple[Measured, State]] = []

    def note(measured: Measured, state: State) -> Measured:
        searched.append((measured, state))
        return measured

    families = []
    total = sum(1 + 2 * len(each.states) for each in compared.active) + len(hashes)
    with stage.run.progress(total, "searching") as bar:
        bare = note(measure_exact(common, passive, common.others), passive)
        detected_bare = detect(common, passive)
        for each in compared.active:
            name = each.quantizer.name
            searcher = Searcher(each.quantizer.codebook, common.others)
            settings = settings_of(each.quantizer.codebook)
            found, exact, detected = [], [bare], [detected_bare]
            for state in (passive, *each.states):
                engine = searcher.engine(state.entries[common.kept], common.seed)
                found.append(note(measure_index(common, engine, name, state, settings), state))
                one = settings[found[-1].setting(1, ranked=True)]
                detected.append(detect(common, state, name, engine, one))
                bar.by(1)
            for state in each.states:
                exact.append(note(measure_exact(common, state, common.others), state))
                detected.append(detect(common, state))
                bar.by(1)
            releases = {s.method: s.release for s in each.states if s.release is not None}
            families.append(
                Family(each.quantizer, tuple(found), tuple(exact), _there(detected), releases)
            )
        baselines = []
        for encoder in hashes:
            state = passive_state(common.material, encoder)
            others = common.others_of(encoder)
            baselines.append(note(measure_exact(common, state, others, encoder.name), state))
            bar.by(1)
    return Searched(tuple(families), tuple(baselines), tuple(searched))


def _there(found: Sequence[Detected | None]) -> tuple[Detected, ...]:
    return tuple(each for each in found if each is not None)
