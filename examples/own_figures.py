"""The paper's question, asked of your own pictures: how many copies stay in their cell, by edit?

python examples/own_figures.py [PHOTOS] [--codebook homing-s-IVF1024-PQ8x8] [--plot figure.png]

`homing bench` answers more: recall among distractors, intervals, files, costs.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

import homing
from homing.demo.material import copy_bundled_pictures
from homing.edits import paper_edits
from homing.images import find_pictures, read_rgb


def main() -> None:
    """Activate the pictures, edit both states alike, and count copies in their cell."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("photos", type=Path, nargs="?", help="a folder of pictures")
    reader.add_argument("--codebook", default="homing-s-IVF1024-PQ8x8", help="a name or a file")
    reader.add_argument("--plot", type=Path, help="write bars to this file (needs matplotlib)")
    options = reader.parse_args()
    if options.photos is None:
        options.photos = Path(tempfile.mkdtemp(prefix="homing-"))
        copy_bundled_pictures(options.photos)
    descriptor = homing.load_descriptor("homing-s")
    codebook = homing.load_codebook(options.codebook)
    pictures = [read_rgb(found.path) for found in find_pictures([options.photos])]
    states = {"untouched": pictures, "released": homing.activate(pictures, descriptor, codebook)}
    shares = {name: shares_of(images, descriptor, codebook) for name, images in states.items()}

    print(f"{len(pictures)} pictures, {codebook.factory}: copies in the cell of their picture")
    print(f"{'edit':16}  untouched  released")
    for edit, before in shares["untouched"].items():
        print(f"{edit:16}  {before:9.2f}  {shares['released'][edit]:8.2f}")
    means = [np.mean(list(by_edit.values())) for by_edit in shares.values()]
    print(f"{'mean':16}  {means[0]:9.2f}  {means[1]:8.2f}")
    if options.plot:
        plot(shares, options.plot)


def shares_of(
    images: list[Image.Image], descriptor: homing.Descriptor, codebook: homing.Codebook
) -> dict[str, float]:
    """Return by edit the share of copies that lie in the cell of their picture."""
    home = codebook.cells(descriptor.describe(images))
    shares = {}
    for edit in (each for each in paper_edits() if each.in_mean):
        copies = [
            edit.apply(image, np.random.default_rng([0, number]))
            for number, image in enumerate(images)
        ]
        shares[edit.name] = float(np.mean(codebook.cells(descriptor.describe(copies)) == home))
    return shares


def plot(shares: dict[str, dict[str, float]], path: Path) -> None:
    """Draw bars by edit."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 5), layout="constrained")
    axes = figure.add_subplot()
    names = list(shares["untouched"])
    for offset, (state, by_edit) in zip((0.2, -0.2), shares.items(), strict=True):
        rows = np.arange(len(names))[::-1] + offset
        axes.barh(rows, [by_edit[name] for name in names], 0.38, label=state)
    axes.set_yticks(np.arange(len(names))[::-1], names)
    axes.set_xlabel("share of copies in their picture's cell")
    axes.legend()
    figure.savefig(path)


if __name__ == "__main__":
    main()
