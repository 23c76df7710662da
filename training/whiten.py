r"""End a trained descriptor with a discriminant map, fitted to views of the training pictures.

    python training/whiten.py PHOTOS --work runs/first --weights trained.safetensors \
        --out homing-s.safetensors

Training leaves the directions that edits move, and those that tell pictures apart, as loud as they
happen to be. The map makes what edits move count alike in all directions (``recipe/whitening.py``).
It is fitted to what the last layer is given and takes that layer's place, without an offset: the
network stays what it was. R@1 of the pictures held back is printed before and after.
"""

import argparse
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from recipe.loop import Settings, describe_recorded, processor_batches
from recipe.material import Material, pack
from recipe.trainable import describe, load_weights, save_weights
from recipe.validation import make_validation
from recipe.whitening import balanced_order, discriminant, scatter
from torch.nn import functional as F

_SHRINKAGE = 1.0  # of 0 to 3 the best for pictures held back (log.md)
_BLOCKS = 16  # parts of a vector that carry alike: for product quantizers of 8 and of 16 bytes


def main() -> int:
    """Describe, fit, fold, check, write."""
    options = _options()
    torch.set_num_threads(1)  # of each part
    settings = Settings(seed=options.seed + 1)  # other views than those trained on
    work = options.work.parent
    material = pack(options.photos, work, generated=options.generated, seed=options.seed)
    count = len(material) - options.held_back
    weights = load_weights(options.weights)
    layer = weights["projection.weight"]
    bare = weights | _layer(torch.eye(layer.shape[1]))
    features = _views(partial(describe, bare), material, count, settings)
    save_weights(weights | _last_layer(features, len(layer)), options.out)
    print(f"wrote {options.out}", flush=True)
    held = make_validation(material, options.held_back, work, size=settings.size, seed=options.seed)
    for name, path in (("before", options.weights), ("after", options.out)):
        told = partial(describe, load_weights(path))
        others = describe_recorded(told, material, count, settings.size, parts=settings.parts)
        found = held.recall(told, others)
        print(name, {edit: round(share, 4) for edit, share in found.items()}, flush=True)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("photos", type=Path, nargs="+", help="those of train_descriptor.py")
    parser.add_argument("--work", type=Path, required=True, help="that of train_descriptor.py")
    parser.add_argument("--weights", type=Path, required=True, help="what it wrote")
    parser.add_argument("--out", type=Path, required=True, help="weights, half precision")
    parser.add_argument("--held-back", type=int, default=500, help="photographs for validation")
    parser.add_argument("--generated", type=int, default=1000, help="generated pictures to add")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


@torch.no_grad()
def _views(
    describe: Callable[[torch.Tensor], torch.Tensor],
    material: Material,
    count: int,
    settings: Settings,
) -> torch.Tensor:
    """Unit features (n, V, F) of light and strong views of pictures, each picture once.

    Those of which a view shows a second picture too are left out: it would pass for an edit.
    """
    steps = count // settings.pictures
    found = []
    with ThreadPoolExecutor(settings.parts) as pool:
        for step, batch in processor_batches(material, count, replace(settings, steps=steps), 0):
            parts = pool.map(describe, batch.views.chunk(settings.parts))
            vectors = torch.cat(list(parts)).unflatten(0, (settings.pictures, -1))
            alone = (batch.owner == batch.guest).unflatten(0, (settings.pictures, -1)).all(dim=1)
            found.append(vectors[alone])
            if step % 50 == 0:
                print(f"views of {step * settings.pictures} of {count} pictures", flush=True)
    return torch.cat(found)


def _layer(weight: torch.Tensor) -> dict[str, torch.Tensor]:
    return {"projection.weight": weight, "projection.bias": torch.zeros(len(weight))}


def _last_layer(features: torch.Tensor, dimension: int) -> dict[str, torch.Tensor]:
    """The map as the last layer; unit length comes after it, so its scale is free."""
    weight = discriminant(*scatter(features), dimension, shrinkage=_SHRINKAGE).float()
    carried = F.normalize(features.flatten(0, 1) @ weight.T).square().mean(dim=0)
    weight = weight[balanced_order(carried, _BLOCKS)]
    return _layer(weight * dimension**0.5 / weight.norm())


if __name__ == "__main__":
    sys.exit(main())
