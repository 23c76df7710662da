"""Activation for two codebooks at once: its gain and loss for each codebook.

PHOTOS stay untouched, or are activated for one codebook, for the other, or for both. Every file is
edited as in the paper, and its copies are searched for among files and background through each
codebook. Intervals are 95 % by bootstrap over the pictures.
"""

import io
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from _common import (
    describe_copies,
    describe_setup,
    format_mean,
    make_parser,
    picture_paths,
    prepare_process,
    require,
)

from homing.options import Activation

CODEBOOKS = ("homing-s-IVF256-PQ8x8", "homing-s-OPQ16-IVF1024-PQ16x8", "PCA64,LSH")


@dataclass(frozen=True)
class State:
    """Descriptors of pictures in one state, and of their copies."""

    entries: object  # array (pictures, D)
    copies: Sequence[object]  # name and array (pictures, D) of each edit and draw
    decibels: Sequence[float] = ()  # PSNR of the files; empty if untouched
    similarity: Sequence[float] = ()  # SSIM, likewise


def main() -> int:
    """Measure, and print a table for each pair of codebooks."""
    options = _options()
    prepare_process(options.threads)
    import homing
    from homing.bench.states.codebooks import find_quantizers

    photos = picture_paths(options.photos, options.pictures)
    background = picture_paths([options.background], options.background_pictures)
    describe_setup(
        photos=len(photos),
        background=len(background),
        method=options.method,
        psnr=options.psnr,
        seed=options.seed,
    )
    descriptor = homing.load_descriptor()
    others = descriptor.describe(background)
    with tempfile.TemporaryDirectory() as cache:
        names = options.codebook, *options.also
        found = find_quantizers(names, descriptor, others, Path(cache), options.seed)
    for each in found:
        print(f"{each.name}: {each.origin}")
    named = {each.name: each.codebook for each in found}
    first, *rest = named
    files = [path.read_bytes() for path in photos]
    alone = {"untouched": _describe_state(options, descriptor, files)}
    for name, codebook in named.items():
        alone[f"for {name}"] = _activate(options, descriptor, files, codebook)
    for name in rest:
        both = _activate(options, descriptor, files, named[first], named[name])
        pair = {label: alone[label] for label in ("untouched", f"for {first}", f"for {name}")}
        pair["for both"] = both
        _print_table({each: named[each] for each in (first, name)}, pair, others, options.seed)
    print(
        "\ncodes, re-ranked: R@1 at one probe, mean of the edits; kept: share of copies in the "
        "cell of their picture, or of unchanged bits of the code if there is only one cell"
    )
    return 0


def _options():
    parser = make_parser(__doc__)
    parser.add_argument("--background", type=Path, required=True, help="folder of other pictures")
    parser.add_argument(
        "--codebook",
        default=CODEBOOKS[0],
        help="name of a bundled one, a file, or a factory string to train on the background",
    )
    parser.add_argument(
        "--also", nargs="+", default=CODEBOOKS[1:], help="codebooks, each paired with --codebook"
    )
    parser.add_argument("--method", default=Activation.method, help="of activation")
    parser.add_argument("--pictures", type=int, default=60)
    parser.add_argument("--background-pictures", type=int, default=3000)
    parser.add_argument(
        "--random-draws", type=int, default=1, help="draws of the edit 'random' for each picture"
    )
    parser.add_argument("--psnr", type=float, default=42.0)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def _activate(options, descriptor, files: Sequence[bytes], codebook, *also) -> State:
    from homing.activation import Activated, Activator, find_method

    activator = Activator(
        descriptor,
        codebook,
        find_method(options.method),
        psnr=options.psnr,
        seed=options.seed,
        format="png",
        also=also,
    )
    done = [each for each in activator.run(files) if isinstance(each, Activated)]
    require(len(done) == len(files), "a picture cannot be activated")
    return _describe_state(
        options,
        descriptor,
        [each.data for each in done],
        [each.psnr for each in done],
        [each.ssim for each in done],
    )


def _describe_state(
    options, descriptor, files: Sequence[bytes], *quality: Sequence[float]
) -> State:
    from homing.edits import paper_edits, random_available

    copies = []
    for edit in paper_edits(with_random=random_available()):
        for draw in range(options.random_draws if edit.random else 1):
            streams = [io.BytesIO(data) for data in files]
            edited = describe_copies(descriptor, edit, streams, seed=options.seed, draw=draw)
            copies.append((edit.name, edited))
    return State(descriptor.describe(files), copies, *quality)


def _print_table(named, states: Mapping[str, State], others, seed: int) -> None:
    """Print for each state its recall through each codebook and exactly, and its quality."""
    columns = [f"{name}: {what}" for name in named for what in ("codes", "re-ranked", "kept")]
    print("\n| | " + " | ".join([*columns, "exact", "PSNR mean", "SSIM least"]) + " |")
    print("|---" * (len(columns) + 4) + "|")
    for label, state in states.items():
        cells = [
            format_mean(found, seed)
            for codebook in named.values()
            for found in _measure_codebook(codebook, state, others, seed)
        ]
        cells.append(f"{_average_edits(state, _search_exactly(state, others)).mean():.3f}")
        if state.decibels:
            mean = sum(state.decibels) / len(state.decibels)
            cells += [f"{mean:.2f}", f"{min(state.similarity):.3f}"]
        else:
            cells += ["", ""]
        print("| " + " | ".join([label, *cells]) + " |", flush=True)


def _average_edits(state: State, right) -> object:
    """Average over the draws of each edit, then over the edits; (pictures,)."""
    import numpy as np

    names = [name for name, _ in state.copies]
    by_edit = [
        np.mean([r for n, r in zip(names, right, strict=True) if n == name], axis=0)
        for name in dict.fromkeys(names)
    ]
    return np.mean(by_edit, axis=0)


def _measure_codebook(codebook, state: State, others, seed: int):
    """Yield for each picture, averaged over the edits: R@1 by codes, re-ranked, unchanged share."""
    import numpy as np

    from homing.bench.search.engine import Searcher, Setting
    from homing.bench.search.exact import pad_rows
    from homing.bench.statistics.measures import recall

    engine = Searcher(codebook, others).engine(state.entries, seed)
    wanted = pad_rows([np.array([n]) for n in range(len(state.entries))])
    for ranked in (False, True):
        setting = Setting(1, ranked, "")
        right = [
            recall(engine.search(copies, setting).places(wanted), 1) for _, copies in state.copies
        ]
        yield _average_edits(state, right)
    cells, codes = codebook.encode_with_cells(state.entries)
    unchanged = []
    for _, copies in state.copies:
        copy_cells, copy_codes = codebook.encode_with_cells(copies)
        bits = np.unpackbits(copy_codes ^ codes, axis=1)
        unchanged.append(copy_cells == cells if codebook.cell_count > 1 else 1 - bits.mean(axis=1))
    yield _average_edits(state, unchanged)


def _search_exactly(state: State, others):
    import numpy as np

    base, wanted = np.concatenate([state.entries, others]), np.arange(len(state.entries))
    return [np.argmax(copies @ base.T, axis=1) == wanted for _, copies in state.copies]


if __name__ == "__main__":
    sys.exit(main())
