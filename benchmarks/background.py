"""Make the background that ships: `python benchmarks/background.py PHOTOS OUT.safetensors`.

Descriptors of photographs drawn at random, and of generated pages, charts, screens, drawings, skies
and greys in many colours and sizes. Of pictures that resemble another one too much, one stays.
"""

import argparse
from pathlib import Path

import numpy as np
from _strangers import STRANGERS
from PIL import Image, ImageOps
from safetensors.numpy import save_file

from homing.archive import find_files
from homing.descriptors import load_descriptor
from homing.images import squash

GENERATED = ("document", "scan", "chart", "line chart", "chat", "drawing", "logo", "x-ray", "sky")
ALIKE = 0.9  # similarity of photographs from which one is left out


def varied(picture: Image.Image, generator: np.random.Generator) -> Image.Image:
    """Return a generated picture in another colour, cut and size."""
    width, height = picture.size
    left, top = generator.uniform(0, 0.2, size=2) * (width, height)
    right, bottom = generator.uniform(0.75, 1, size=2) * (width, height)
    cut = picture.crop((int(left), int(top), int(right), int(bottom)))
    if generator.uniform() < 0.2:
        cut = ImageOps.invert(cut)
    tint = 1 - generator.uniform(0, 0.25) * generator.uniform(0, 1, size=3)
    levels = np.asarray(cut, np.float32) * tint
    return Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8))


def generated(count: int, size: int) -> np.ndarray:
    """Draw `count` pictures of every kind, squashed: (n, size, size, 3)."""
    blank = Image.new("RGB", (8, 8))
    pictures = []
    for kind, name in enumerate(GENERATED):
        for number in range(count):
            generator = np.random.default_rng([101, kind, number])
            drawn = STRANGERS[name](generator, blank)
            pictures.append(squash(varied(drawn, generator), size))
    return np.stack(pictures)


def distinct(vectors: np.ndarray) -> np.ndarray:
    """Return the vectors without those that resemble an earlier one too much."""
    alike = np.triu(vectors @ vectors.T, 1).max(axis=0)
    return vectors[alike < ALIKE]


def main() -> None:
    """Describe the pictures and write the file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=1600, help="photographs")
    parser.add_argument("--each", type=int, default=45, help="generated pictures of each kind")
    options = parser.parse_args()
    descriptor = load_descriptor("homing-s")
    paths = find_files([options.photos])
    chosen = np.random.default_rng(3).choice(len(paths), options.count, replace=False)
    photos = distinct(descriptor.describe([paths[number] for number in chosen]))
    pages = descriptor.describe_squashed(generated(options.each, descriptor.input_size))
    vectors = np.concatenate([photos, pages])
    scaled = np.rint(127 * vectors / np.abs(vectors).max(axis=1, keepdims=True)).astype(np.int8)
    metadata = {
        "descriptor": "homing-s",
        "descriptor_fingerprint": descriptor.fingerprint,
        "photographs": str(len(photos)),
        "generated": str(len(pages)),
        "source": "Descriptors, not pictures: of photographs that homing-s was trained on, "
        "drawn at random, and of generated pages, charts, screens, drawings, skies and greys. "
        "int8, each vector scaled by its largest component.",
    }
    save_file({"vectors": scaled}, options.out, metadata)
    print(
        f"{len(photos)} photographs, {len(pages)} generated; {options.out.stat().st_size:,} bytes"
    )


if __name__ == "__main__":
    main()
