"""Edited copies of released and of untouched pictures, searched for among others.

PHOTOS are released into one archive and added as they are to a second; the background is added to
both. Every picture then suffers the paper's edits, and every copy is searched for. Intervals are
95 % by bootstrap over the pictures.
"""

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from _common import describe_setup, parser, picture_paths, prepare_process, require, working_folder

PROBES = (1, 0)  # 0: automatic


@dataclass(frozen=True)
class Found:
    """What one state's copies under one edit gave: a row a setting, a column a picture."""

    right: object  # (settings, pictures) bool; the last setting is exact search
    kept: object  # (pictures,) bool


def main() -> int:
    """Measure and print a table."""
    options = _options()
    prepare_process(options.threads)
    import homing
    from homing.edits import paper_edits, random_available

    photos = picture_paths(options.photos, options.pictures)
    background = picture_paths([options.background], options.background_pictures)
    describe_setup(
        photos=len(photos),
        background=len(background),
        codebook=options.codebook,
        seed=options.seed,
    )
    with working_folder(options.work) as folder:
        base = homing.create(folder / "active", codebook=options.codebook)
        require(not base.add(background).failures, "a background picture cannot be read")
        shutil.copytree(folder / "active", folder / "passive")
        active, passive = base, homing.open(folder / "passive")
        report = active.release(photos, out=folder / "out", seed=options.seed, psnr=options.psnr)
        require(report.count("released") == len(photos), f"not all were released: {report}")
        passive.add(photos)
        decibels = [_psnr(o.source, o.file) for o in report]
        ids = [o.id for o in report]
        states = {
            "passive": (passive, [o.source for o in report]),
            "active": (active, [o.file for o in report]),
        }
        rows = {}
        for edit in paper_edits(with_random=random_available()):
            draws = options.random_draws if edit.random else 1
            rows[edit.name] = {
                state: _search(archive, paths, ids, edit, draws, options.seed)
                for state, (archive, paths) in states.items()
            }
            _row(edit.name, rows[edit.name])
        _means(rows, decibels, options.seed)
    return 0


def _options():
    made = parser(__doc__)
    made.add_argument("--background", type=Path, required=True, help="folder of other pictures")
    made.add_argument("--pictures", type=int, default=150)
    made.add_argument("--background-pictures", type=int, default=3000)
    made.add_argument("--random-draws", type=int, default=3, help="of the edit 'random', a picture")
    made.add_argument("--codebook", default="IVF256,PQ8x8", help="a bundled one, or a file")
    made.add_argument("--psnr", type=float, default=42.0)
    made.add_argument("--seed", type=int, default=0)
    return made.parse_args()


def _psnr(source: str, file: str) -> float:
    """Measured here from the two files, not taken from the report."""
    from homing.images import decode_pixels, psnr

    a, b = (decode_pixels(Path(path).read_bytes()) for path in (source, file))
    return psnr(a, b, peak=255 if a.dtype.itemsize == 1 else 65535)


def _search(
    archive, paths: Sequence[str], ids: Sequence[str], edit, draws: int, seed: int
) -> Found:
    import numpy as np
    from PIL import Image

    right, kept = [], []
    cells = np.array([archive.entry(i).cell for i in ids])
    vectors = np.stack([row.vector for row in archive._record.rows(with_vectors=True)])
    names = np.array([row.id for row in archive.entries()], dtype=object)
    for draw in range(draws):
        queries = archive.descriptor.describe(
            [
                edit.apply(Image.open(path).convert("RGB"), np.random.default_rng([seed, draw, n]))
                for n, path in enumerate(paths)
            ]
        )
        wanted = np.array(ids, dtype=object)
        settings = [
            archive.search_vectors(queries, k=1, probes=probes or None).ids[:, 0] == wanted
            for probes in PROBES
        ]
        nearest = np.argmax(queries @ vectors.astype(np.float32).T, axis=1)
        settings.append(names[nearest] == wanted)
        right.append(np.stack(settings))
        kept.append(archive.codebook.cells(queries) == cells)
    return Found(np.mean(right, axis=0), np.mean(kept, axis=0))


HEADER = "| edit | 1 probe | | automatic probes | | exact search | | stays in its cell | |"


def _row(name: str, found: dict[str, Found]) -> None:
    if name == "identity":
        print(HEADER)
        print("|---" * 9 + "|")
        print("| | passive | active " + "| passive | active " * 3 + "|")
    values = [found[s].right[i].mean() for i in range(3) for s in ("passive", "active")]
    values += [found[s].kept.mean() for s in ("passive", "active")]
    print(f"| {name} | " + " | ".join(f"{value:.2f}" for value in values) + " |", flush=True)


def _means(rows: dict[str, dict[str, Found]], decibels: Sequence[float], seed: int) -> None:
    import numpy as np

    generator = np.random.default_rng(seed)
    cells = []
    for index in (0, 1, 2, None):
        for state in ("passive", "active"):
            each = [
                f[state].kept if index is None else f[state].right[index] for f in rows.values()
            ]
            of_picture = np.mean(each, axis=0)
            draws = generator.integers(len(of_picture), size=(2000, len(of_picture)))
            low, high = np.percentile(of_picture[draws].mean(axis=1), [2.5, 97.5])
            cells.append(f"**{of_picture.mean():.3f}** [{low:.3f}, {high:.3f}]")
    print(f"| mean of {len(rows)} | " + " | ".join(cells) + " |")
    print(f"\nPSNR of the files: least {min(decibels):.3f} dB, mean {np.mean(decibels):.3f} dB")


if __name__ == "__main__":
    sys.exit(main())
