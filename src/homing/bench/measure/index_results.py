"""Results by index: all states searched through all codebooks, and exactly."""

from collections.abc import Sequence
from dataclasses import dataclass

from homing.bench.encode.encoders import Encoder
from homing.bench.measure.detection import DetectionResult, detect_copies
from homing.bench.measure.measurement import (
    Measurement,
    measure_exact,
    measure_index,
    share_won_back,
)
from homing.bench.search.engine import Searcher, search_settings
from homing.bench.states.codebooks import Quantizer
from homing.bench.states.compared_states import ComparedStates
from homing.bench.states.released import Release
from homing.bench.states.state import State, passive_state
from homing.bench.states.state_maker import StateMaker
from homing.bench.statistics.bootstrap import Interval, make_interval
from homing.bench.statistics.measures import Spread, spread
from homing.search.engines.combined import Near


@dataclass(frozen=True, eq=False)
class IndexResult:
    """Results of one codebook: copies searched for through it, passive and released for it."""

    quantizer: Quantizer
    states: tuple[Measurement, ...]  # passive first, then each method
    exact: tuple[Measurement, ...]  # the same states, by exact search
    detections: tuple[DetectionResult, ...]  # in these states, at one probe and exactly
    releases: dict[str, Release]  # by method

    def won_back(self, number: int, probes: int | Near = 1) -> Interval:
        """Share of one probe's loss that a state wins back with some probes, re-ranked."""
        state = self.states[number]
        setting = state.setting(probes, ranked=True)
        return share_won_back(self.states[0], state, self.exact[0], setting)

    def gain(self, number: int) -> Interval:
        """A state's R@1 at one probe, re-ranked, less the passive one's; paired."""
        (before, lows), (after, highs) = (
            each.mean_samples(each.one_probe) for each in (self.states[0], self.states[number])
        )
        return make_interval(after - before, highs - lows)

    def quality(self, method: str) -> dict[str, Spread]:
        """Distances of a method's files from their sources."""
        rows = [row.quality for row in self.releases[method].released]
        return {
            "psnr": spread([row.psnr for row in rows]),
            "ssim": spread([row.ssim for row in rows if row.ssim is not None]),
            "largest_change": spread([row.largest for row in rows]),
            "ssimulacra2": spread([r.ssimulacra2 for r in rows if r.ssimulacra2 is not None]),
            "flip": spread([row.flip for row in rows if row.flip is not None]),
            "delta_e": spread([row.delta_e for row in rows]),
            "bytes_over_source": spread([row.bytes_over_source for row in rows]),
        }


@dataclass(frozen=True, eq=False)
class SearchResults:
    """Results of all searches."""

    indexes: tuple[IndexResult, ...]  # one per codebook
    hashes: tuple[Measurement, ...]
    measured: tuple[tuple[Measurement, State], ...]  # all measurements, each with its state


def search_states(
    maker: StateMaker, compared: ComparedStates, hashes: Sequence[Encoder]
) -> SearchResults:
    """Search for the copies of every state, through its codebook and exactly.

    Hashes search exactly for untouched copies.
    """
    benchmark, passive = compared.benchmark, compared.passive
    measured: list[tuple[Measurement, State]] = []

    def add(measurement: Measurement, state: State) -> Measurement:
        measured.append((measurement, state))
        return measurement

    indexes = []
    total = sum(1 + 2 * len(each.states) for each in compared.active) + len(hashes)
    with maker.run.progress(total, "searching") as bar:
        passive_exact = add(measure_exact(benchmark, passive, benchmark.distractors), passive)
        passive_detected = detect_copies(benchmark, passive)
        for each in compared.active:
            name = each.quantizer.name
            searcher = Searcher(each.quantizer.codebook, benchmark.distractors)
            settings = search_settings(each.quantizer.codebook, near=True)
            states, exact, detected = [], [passive_exact], [passive_detected]
            for state in (passive, *each.states):
                engine = searcher.engine(benchmark.entries(state), benchmark.seed)
                states.append(add(measure_index(benchmark, engine, name, state, settings), state))
                one_probe = settings[states[-1].one_probe]
                detected.append(detect_copies(benchmark, state, name, engine, one_probe))
                bar.by(1)
            for state in each.states:
                exact.append(add(measure_exact(benchmark, state, benchmark.distractors), state))
                detected.append(detect_copies(benchmark, state))
                bar.by(1)
            releases = {s.method: s.release for s in each.states if s.release is not None}
            detections = tuple(result for result in detected if result is not None)
            indexes.append(
                IndexResult(each.quantizer, tuple(states), tuple(exact), detections, releases)
            )
        baselines = []
        for encoder in hashes:
            state = passive_state(benchmark.material, encoder)
            distractors = benchmark.distractors_by(encoder)
            baselines.append(add(measure_exact(benchmark, state, distractors, encoder.name), state))
            bar.by(1)
    return SearchResults(tuple(indexes), tuple(baselines), tuple(measured))
