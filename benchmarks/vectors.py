"""Several vectors an entry: recall of an index of untouched pictures with vectors of edits too.

Every picture of PHOTOS and background is described unedited and under simulated edits drawn as in
activation; each of these vectors is in its own cell. Copies of PHOTOS are searched for at one and
four probes, re-ranked by exact similarity, and by exact search.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from _common import (
    describe_copies,
    describe_setup,
    format_mean,
    make_parser,
    picture_paths,
    prepare_process,
)

_BATCH = 16


def main() -> int:
    """Measure and print a table."""
    parser = make_parser(__doc__)
    parser.add_argument("--background", type=Path, required=True, help="folder of other pictures")
    parser.add_argument("--pictures", type=int, default=150)
    parser.add_argument("--background-pictures", type=int, default=4000)
    parser.add_argument("--random-draws", type=int, default=3)
    parser.add_argument("--codebook", default="homing-s-IVF256-PQ8x8")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    prepare_process(options.threads)
    import homing
    from homing.edits import paper_edits, random_available

    photos = picture_paths(options.photos, options.pictures)
    background = picture_paths([options.background], options.background_pictures)
    describe_setup(photos=len(photos), background=len(background), codebook=options.codebook)
    descriptor, codebook = (
        homing.load_descriptor("homing-s"),
        homing.load_codebook(options.codebook),
    )
    entries = _describe_edited([*photos, *background], descriptor, options.seed)
    edits = paper_edits(with_random=random_available())
    queries = _describe_copies(photos, edits, descriptor, options)
    _print_table(entries, queries, codebook, options.seed)
    return 0


def _describe_edited(paths, descriptor, seed):
    """Return vectors (entries, 1 + edits, D), the unedited picture's first."""
    import numpy as np
    import torch

    from homing.activation.simulated_edits.edits import (
        EditPlan,
        Originals,
        apply_edits,
        draw_edits,
        stack_edits,
    )
    from homing.images import read_squashed

    size = descriptor.input_size
    plan = EditPlan(toned=3, shaped=4)

    def read(job):
        number, path = job
        from PIL import Image

        with Image.open(path) as image:
            aspect = image.width / image.height
        generator = np.random.default_rng([seed, number])
        drawn = draw_edits(plan, 1, aspect=aspect, size=size, generator=generator)
        return read_squashed(path, size), read_squashed(path, 2 * size), drawn

    def tensor(arrays):
        return torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2) / 255

    found = []
    with ThreadPoolExecutor(2) as pool:
        jobs = list(enumerate(paths))
        for first in range(0, len(jobs), _BATCH):
            chunk = jobs[first : first + _BATCH]
            small, large, drawn = zip(*pool.map(read, chunk), strict=True)
            pictures, count = tensor(small), len(small)
            originals, stacked = Originals(pictures, tensor(large)), stack_edits(drawn)
            views = [pictures, *apply_edits(pictures, stacked, 0, originals)]
            with torch.inference_mode():
                described = torch.cat([descriptor.forward(each) for each in views])
            # Alternate edits of shape and of tone, so that the first few are of both kinds.
            vectors = described.unflatten(0, (-1, count)).transpose(0, 1).numpy()
            found.append(vectors[:, [0, 4, 1, 5, 2, 6, 3, 7]])
    return np.concatenate(found)


def _describe_copies(photos, edits, descriptor, options):
    """Return vectors (pictures, copies, D), and the weights (copies,) of a picture's copies."""
    import numpy as np

    vectors, weights = [], []
    for edit in edits:
        draws = options.random_draws if edit.random else 1
        for draw in range(draws):
            vectors.append(describe_copies(descriptor, edit, photos, seed=options.seed, draw=draw))
            weights.append(1 / draws / len(edits))
    return np.stack(vectors, axis=1), np.array(weights)


def _print_table(entries, queries, codebook, seed):
    import numpy as np

    vectors, weights = queries
    pictures, copies, dimension = vectors.shape
    flat = vectors.reshape(-1, dimension)
    owner = np.repeat(np.arange(pictures), copies)
    visited = codebook.nearest_cells(flat, 4)
    print("| vectors an entry | 1 probe | 4 probes | exact search |\n|---|---|---|---|")
    for count in (1, 2, 4, 8):
        stored = entries[:, :count]
        cells = codebook.cells(stored.reshape(-1, dimension)).reshape(stored.shape[:2])
        best = {name: [] for name in ("1", "4", "exact")}
        for rows in np.array_split(np.arange(len(flat)), len(flat) // 200 + 1):
            alike = np.einsum("qd,evd->qev", flat[rows], stored, optimize=True)
            for name, probes in (("1", 1), ("4", 4)):
                inside = (cells[None, :, :, None] == visited[rows, None, None, :probes]).any(axis=3)
                nearest = np.where(inside, alike, -np.inf).max(axis=2)
                empty = np.isinf(nearest.max(axis=1))
                best[name].append((nearest.argmax(axis=1) == owner[rows]) & ~empty)
            best["exact"].append(alike.max(axis=2).argmax(axis=1) == owner[rows])
        figures = [
            format_mean(np.concatenate(right).reshape(pictures, copies) @ weights, seed)
            for right in best.values()
        ]
        print(f"| {count} | " + " | ".join(figures) + " |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
