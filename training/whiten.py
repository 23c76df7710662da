r"""End a trained descriptor with a discriminant map, fitted to views of the training pictures.

    python training/whiten.py PHOTOS --work runs/first --weights trained.safetensors \
        --out homing-s.safetensors

Training leaves the directions that edits change, and those that separate pictures, at arbitrary
scales. The map equalises the variance due to edits over all directions (``recipe/whitening.py``).
It is fitted to the input of the last layer and replaces that layer, without an offset; the rest of
the network is unchanged. R@1 on the held-out photographs is printed before and after.
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

_SHRINKAGE = 1.0  # best of 0 to 3 on held-out photographs (log.md)
_BLOCKS = 16  # parts of a vector with equal shares of its norm: for PQ codes of 8 and of 16 bytes


def main() -> int:
    """Describe views, fit the map, write the weights, and validate them."""
    options = _options()
    torch.set_num_threads(1)  # one thread for each part of a batch
    settings = Settings(seed=options.seed + 1)  # other views than in training
    work = options.work.parent
    material = pack(options.photos, work, generated=options.generated, seed=options.seed)
    count = len(material) - options.held_back
    weights = load_weights(options.weights)
    layer = weights["projection.weight"]
    without_projection = weights | _layer(torch.eye(layer.shape[1]))
    features = _views(partial(describe, without_projection), material, count, settings)
    save_weights(weights | _last_layer(features, len(layer)), options.out)
    print(f"wrote {options.out}", flush=True)
    validation = make_validation(
        material, options.held_back, work, size=settings.size, seed=options.seed
    )
    for name, path in (("before", options.weights), ("after", options.out)):
        network = partial(describe, load_weights(path))
        others = describe_recorded(network, material, count, settings.size, parts=settings.parts)
        found = validation.recall(network, others)
        print(name, {edit: round(share, 4) for edit, share in found.items()}, flush=True)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("photos", type=Path, nargs="+", help="as in train_descriptor.py")
    parser.add_argument("--work", type=Path, required=True, help="as in train_descriptor.py")
    parser.add_argument("--weights", type=Path, required=True, help="output of train_descriptor.py")
    parser.add_argument(
        "--out", type=Path, required=True, help="file for the weights, half precision"
    )
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
    """Return unit features (n, V, F) of light and strong views, each picture once.

    Pictures with a view that also shows a second picture are left out: it would count as an edit.
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
    """Return the map as the last layer, at any scale since unit length follows."""
    weight = discriminant(*scatter(features), dimension, shrinkage=_SHRINKAGE).float()
    variances = F.normalize(features.flatten(0, 1) @ weight.T).square().mean(dim=0)
    weight = weight[balanced_order(variances, _BLOCKS)]
    return _layer(weight * dimension**0.5 / weight.norm())


if __name__ == "__main__":
    sys.exit(main())
