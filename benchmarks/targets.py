"""Pictures activated for two codebooks at once: what each has of it, and what each loses.

PHOTOS are left as they are, activated for the one codebook, for the other, and for both. Every file
suffers the paper's edits, and its copies are searched for among files and background through each
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
    interval,
    parser,
    picture_paths,
    prepare_process,
    require,
)

from homing.options import Activation

CODEBOOKS = ("homing-s-IVF256-PQ8x8", "homing-s-OPQ16-IVF1024-PQ16x8", "PCA64,LSH")


@dataclass(frozen=True)
class State:
    """Pictures in one state, and their copies.

    Attributes
    ----------
    entries : array (pictures, D)
    copies : sequence of array (pictures, D)
        One an edit and draw.
    decibels, similarity : sequence of float
        PSNR and SSIM of the files; nothing of untouched ones.
    """

    entries: object
    copies: Sequence[object]
    decibels: Sequence[float] = ()
    similarity: Sequence[float] = ()


def main() -> int:
    """Measure and print a table a pair."""
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
    alone = {"untouched": _state(options, descriptor, files)}
    for name, codebook in named.items():
        alone[f"for {name}"] = _activated(options, descriptor, files, codebook)
    for name in rest:
        both = _activated(options, descriptor, files, named[first], named[name])
        pair = {label: alone[label] for label in ("untouched", f"for {first}", f"for {name}")}
        pair["for both"] = both
        _table({each: named[each] for each in (first, name)}, pair, others, options.seed)
    print(
        "\ncodes, re-ranked: R@1 at one probe, mean of the edits; kept: copies in the cell of "
        "their picture, or bits of its code where there is one cell"
    )
    return 0


def _options():
    made = parser(__doc__)
    made.add_argument("--background", type=Path, required=True, help="folder of other pictures")
    made.add_argument(
        "--codebook",
        default=CODEBOOKS[0],
        help="a bundled one's name, a file, or a factory, which is trained on the background",
    )
    made.add_argument("--also", nargs="+", default=CODEBOOKS[1:], help="each is a pair with it")
    made.add_argument("--method", default=Activation.method, help="of activation")
    made.add_argument("--pictures", type=int, default=60)
    made.add_argument("--background-pictures", type=int, default=3000)
    made.add_argument("--random-draws", type=int, default=1, help="of the edit 'random', a picture")
    made.add_argument("--psnr", type=float, default=42.0)
    made.add_argument("--seed", type=int, default=0)
    return made.parse_args()


def _activated(options, descriptor, files: Sequence[bytes], codebook, *also) -> State:
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
    return _state(
        options,
        descriptor,
        [each.data for each in done],
        [each.psnr for each in done],
        [each.ssim for each in done],
    )


def _state(options, descriptor, files: Sequence[bytes], *quality: Sequence[float]) -> State:
    from homing.edits import paper_edits, random_available

    copies = []
    for edit in paper_edits(with_random=random_available()):
        for draw in range(options.random_draws if edit.random else 1):
            opened = [io.BytesIO(data) for data in files]
            edited = describe_copies(descriptor, edit, opened, seed=options.seed, draw=draw)
            copies.append((edit.name, edited))
    return State(descriptor.describe(files), copies, *quality)


def _table(named, states: Mapping[str, State], others, seed: int) -> None:
    """Print a row a state: through each codebook, by exact search, and the files."""
    columns = [f"{name}: {what}" for name in named for what in ("codes", "re-ranked", "kept")]
    print("\n| | " + " | ".join([*columns, "exact", "PSNR mean", "SSIM least"]) + " |")
    print("|---" * (len(columns) + 4) + "|")
    for label, state in states.items():
        cells = [
            interval(found, seed)
            for codebook in named.values()
            for found in _through(codebook, state, others, seed)
        ]
        cells.append(f"{_means(state, _exactly(state, others)).mean():.3f}")
        if state.decibels:
            mean = sum(state.decibels) / len(state.decibels)
            cells += [f"{mean:.2f}", f"{min(state.similarity):.3f}"]
        else:
            cells += ["", ""]
        print("| " + " | ".join([label, *cells]) + " |", flush=True)


def _means(state: State, right) -> object:
    """Means over the edits, of each its mean over the draws, (pictures,)."""
    import numpy as np

    names = [name for name, _ in state.copies]
    by_edit = [
        np.mean([r for n, r in zip(names, right, strict=True) if n == name], axis=0)
        for name in dict.fromkeys(names)
    ]
    return np.mean(by_edit, axis=0)


def _through(codebook, state: State, others, seed: int):
    """For each picture R@1 by codes and re-ranked, and what copies keep; mean of the edits."""
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
        yield _means(state, right)
    cells, codes = codebook.encode_with_cells(state.entries)
    kept = []
    for _, copies in state.copies:
        theirs, theirs_codes = codebook.encode_with_cells(copies)
        bits = np.unpackbits(theirs_codes ^ codes, axis=1)
        kept.append(theirs == cells if codebook.cell_count > 1 else 1 - bits.mean(axis=1))
    yield _means(state, kept)


def _exactly(state: State, others):
    import numpy as np

    base, wanted = np.concatenate([state.entries, others]), np.arange(len(state.entries))
    return [np.argmax(copies @ base.T, axis=1) == wanted for _, copies in state.copies]


if __name__ == "__main__":
    sys.exit(main())
