"""Change pictures for a Faiss index of your own, and search it with Faiss.

python examples/faiss_index.py [PHOTOS]

The index here is trained on generated pictures, and stands for yours: any with cells, by L2 or
inner product, over vectors of the descriptor.
"""

import argparse
import tempfile
from pathlib import Path

import faiss
import numpy as np
from PIL import Image

import homing
from homing.demo.generated import generated_picture
from homing.demo.material import copy_bundled_pictures
from homing.images import find_pictures, read_rgb

CELLS, TRAINING, PICTURES = 32, 400, 6


def main() -> None:
    """Train an index, release for it, and compare one probe before and after."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("photos", type=Path, nargs="?", help="a folder of pictures")
    options = reader.parse_args()
    if options.photos is None:
        options.photos = Path(tempfile.mkdtemp(prefix="homing-"))
        copy_bundled_pictures(options.photos)
    paths = [found.path for found in find_pictures([options.photos])][:PICTURES]
    pictures = [read_rgb(path) for path in paths]

    descriptor = homing.load_descriptor("homing-s")
    others = [generated_picture(np.random.default_rng([1, n])) for n in range(TRAINING)]
    vectors = descriptor.describe(others)
    index = faiss.index_factory(vectors.shape[1], f"IVF{CELLS},Flat")
    index.train(vectors)
    index.add(vectors)

    codebook = homing.codebook_from_faiss(index, descriptor=descriptor.fingerprint)
    released = homing.activate(pictures, descriptor, codebook)
    for state, images in {"untouched": pictures, "released": released}.items():
        searched = faiss.clone_index(index)
        searched.add(descriptor.describe(images))
        _, numbers = searched.search(descriptor.describe(copies_of(images)), 1)  # one probe
        found = np.mean(numbers[:, 0] == TRAINING + np.arange(len(images)))
        print(f"{state}: {found:.0%} of {len(images)} cropped copies found in one of {CELLS} cells")


def copies_of(images: list[Image.Image]) -> list[Image.Image]:
    """Return the middle of each picture, three quarters of its edges."""
    boxes = [(w // 8, h // 8, w - w // 8, h - h // 8) for w, h in (image.size for image in images)]
    return [image.crop(box) for image, box in zip(images, boxes, strict=True)]


if __name__ == "__main__":
    main()
