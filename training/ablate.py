"""Gain of each choice of the recipe, by short runs that differ from it in one thing.

    python training/ablate.py PHOTOS --work runs/ablations --start weights.safetensors

All start from the same weights and see the same pictures. Each is validated on held-out pictures:
R@1 of AugLy's random mix and of the hardest fixed edits, and the share of random copies (column
"told") that are nearer to their picture than 99 % of the copies are to any other. After an
interruption the same command resumes from the last checkpoint.
"""

import argparse
import hashlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from recipe.loop import Settings, begin, describe_recorded, processor_batches, train
from recipe.losses import Bank
from recipe.material import Material, pack, replacing
from recipe.trainable import load_weights
from recipe.validation import Similarity, Validation, make_validation
from safetensors.torch import load_file, save_file

CHANGES: Mapping[str, Mapping[str, float]] = {
    "the recipe": {},
    "without the bank": {"bank_weight": 0.0},
    "without the term within the batch": {"within_weight": 0.0},
    "without the entropy": {"spread_weight": 0.0},
    "without second pictures": {"mixed": 0.0},
    "twice the pictures, one strong view each": {"pictures": 64, "strong": 1},
    "all blocks trained": {"frozen_blocks": 0},
    "temperature .03": {"temperature": 0.03},
    "temperature .1": {"temperature": 0.1},
}
"""Changes of :class:`~recipe.loop.Settings` by name; all runs start with the same bank."""

_COLUMNS = ("change", "fixed edits", "random", "against the recipe", "told", "against the recipe")

Similarities = Mapping[str, Similarity]  # by edit


def main() -> int:
    """Run the missing runs, and print the table."""
    options = _options()
    torch.set_num_threads(1)  # one thread for each part of a batch
    options.work.mkdir(parents=True, exist_ok=True)
    material = pack(options.photos, options.work, generated=options.generated, seed=options.seed)
    print(f"| {' | '.join(_COLUMNS)} |\n|{'---|' * len(_COLUMNS)}", flush=True)
    plain = Settings(steps=options.steps, validate_every=0, seed=options.seed)
    common = _common(material, plain, options)
    recipe: Similarities | None = None
    for name in dict.fromkeys(["the recipe", *(options.only or CHANGES)]):
        folder = options.work / name.replace(" ", "-").replace(",", "")
        folder.mkdir(exist_ok=True)
        result = folder / "similarity.safetensors"
        if not result.exists():
            _run_and_validate(common, replace(plain, **CHANGES[name]), folder, result)
        similarities = _load(result)
        recipe = recipe or similarities
        print(_row(name, similarities, recipe), flush=True)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("photos", type=Path, nargs="+", help="photographs, or folders of them")
    parser.add_argument("--work", type=Path, required=True, help="folder for the runs")
    parser.add_argument("--start", type=Path, required=True, help="initial weights of all runs")
    parser.add_argument(
        "--only", choices=CHANGES, action="append", help="run these alone; repeatable"
    )
    parser.add_argument("--steps", type=int, default=100, help="batches of each run")
    parser.add_argument("--held-back", type=int, default=500, help="photographs for validation")
    parser.add_argument(
        "--others", type=int, default=4000, help="training pictures to search among"
    )
    parser.add_argument("--generated", type=int, default=1000, help="generated pictures to add")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


@dataclass(frozen=True)
class _Common:
    """Shared state of all runs."""

    material: Material
    weights: Mapping[str, torch.Tensor]
    bank: Bank
    validation: Validation
    others: int


def _common(material: Material, plain: Settings, options: argparse.Namespace) -> _Common:
    weights = load_weights(options.start)
    count = len(material) - options.held_back
    start = hashlib.sha256(options.start.read_bytes()).hexdigest()[:16]
    stored = options.work / f"{material.path.stem}-bank-{count}-{start}.pt"
    if not stored.exists():
        state = begin(weights, material, count, plain, device=torch.device("cpu"))
        with replacing(stored) as file:
            torch.save(state.bank.vectors, file)
    validation = make_validation(
        material, options.held_back, options.work, size=plain.size, seed=plain.seed
    )
    bank = Bank.of(torch.load(stored, weights_only=True), alike=plain.alike)
    return _Common(material, weights, bank, validation, options.others)


def _run_and_validate(common: _Common, settings: Settings, folder: Path, result: Path) -> None:
    material, count = common.material, len(common.bank.vectors)
    state = begin(
        dict(common.weights),
        material,
        count,
        settings,
        device=torch.device("cpu"),
        checkpoint=folder / "checkpoint.safetensors",
        bank=common.bank,
    )
    train(state, processor_batches(material, count, settings, state.step), None, settings, folder)
    describe = partial(state.describe, mean=True)
    base = describe_recorded(describe, material, common.others, settings.size, parts=settings.parts)
    near = common.validation.nearest(describe, base)
    own = {f"own/{edit}": similar.own for edit, similar in near.items()}
    save_file(own | {f"other/{edit}": similar.other for edit, similar in near.items()}, result)


def _load(result: Path) -> Similarities:
    stored = load_file(result)
    edits = [name.partition("/")[2] for name in stored if name.startswith("own/")]
    return {edit: Similarity(stored[f"own/{edit}"], stored[f"other/{edit}"]) for edit in edits}


def _row(name: str, similarities: Similarities, recipe: Similarities) -> str:
    """Format shares in percent, and differences over the same copies ± half their 95 % interval."""
    fixed = _join(similarities, random=False).found.float().mean()
    found, certain = _random_copies(similarities)
    found_before, certain_before = _random_copies(recipe)
    cells = [
        name,
        f"{100 * fixed:.1f}",
        f"{100 * found.mean():.1f}",
        _difference(found, found_before),
        f"{100 * certain.mean():.1f}",
        _difference(certain, certain_before),
    ]
    return f"| {' | '.join(cells)} |"


def _random_copies(similarities: Similarities) -> tuple[torch.Tensor, torch.Tensor]:
    copies = _join(similarities, random=True)
    return copies.found.float(), copies.certain().float()


def _join(similarities: Similarities, *, random: bool) -> Similarity:
    chosen = [s for edit, s in similarities.items() if edit.startswith("random") == random]
    return Similarity(torch.cat([s.own for s in chosen]), torch.cat([s.other for s in chosen]))


def _difference(changed: torch.Tensor, before: torch.Tensor) -> str:
    difference = changed - before
    half = 1.96 * difference.std() / len(difference) ** 0.5
    return f"{100 * difference.mean():+.1f} ± {100 * half:.1f}"


if __name__ == "__main__":
    sys.exit(main())
