"""Batches of views, each made from its number alone, so that any worker can make any batch."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset

from recipe.geometry import Pixels
from recipe.material import Material
from recipe.mixes import collage_or_inset
from recipe.overlays import Overlays, load_overlays
from recipe.views import collage, finish, light_view, picture_in_picture, strong_view


@dataclass(frozen=True, kw_only=True)
class BatchPlan:
    """Composition of a batch."""

    pictures: int = 32  # P, different pictures in a batch
    strong: int = 3  # V − 1, strong views of each (repeated augmentation), beside one light view
    size: int = 160  # S, side of a view in pixels
    mixed: float = 0.15  # share of strong views that also show a second picture
    seed: int = 0


@dataclass(frozen=True)
class Batch:
    """Views of P pictures, those of one picture together, the light one first."""

    views: torch.Tensor  # (P·V, S, S, 3), uint8
    owner: torch.Tensor  # (P·V,), int64: number of the picture shown
    guest: torch.Tensor  # (P·V,), int64: number of the second picture; the owner if there is none
    share: torch.Tensor  # (P·V,), float32: share of the owner; 1 without a second picture


class Batches(Dataset[Batch]):
    """Batch number i of a training run, for i from 0.

    Pictures are drawn without replacement, in a new order in each epoch.
    """

    def __init__(self, material: Material, count: int, plan: BatchPlan, steps: int) -> None:
        self._material, self._count, self._plan, self._steps = material, count, plan, steps

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, step: int) -> Batch:
        cv2.setNumThreads(1)
        plan, overlays = self._plan, load_overlays(self._plan.seed)
        rng = np.random.default_rng([plan.seed, step])
        views: list[Pixels] = []
        owner: list[int] = []
        guest: list[int] = []
        share: list[float] = []
        for number in picture_numbers(step, plan, self._count):
            picture = self._material.picture(number)
            views.append(finish(light_view(picture, rng), plan.size))
            owner.append(number)
            guest.append(number)
            share.append(1.0)
            for _ in range(plan.strong):
                other = int(rng.integers(self._count)) if rng.random() < plan.mixed else number
                view, part = self._strong(picture, number, other, overlays, rng)
                views.append(finish(view, plan.size))
                owner.append(number)
                guest.append(other)
                share.append(part)
        return Batch(
            torch.from_numpy(np.stack(views)),
            torch.tensor(owner),
            torch.tensor(guest),
            torch.tensor(share, dtype=torch.float32),
        )

    def _strong(
        self,
        picture: Pixels,
        number: int,
        other: int,
        overlays: Overlays,
        rng: np.random.Generator,
    ) -> tuple[Pixels, float]:
        if other == number:
            return strong_view(picture, overlays, rng), 1.0
        second = self._material.picture(other)
        if collage_or_inset(rng) == "collage":
            return collage(picture, second, rng)
        return picture_in_picture(strong_view(picture, overlays, rng), second, rng)


def picture_numbers(step: int, plan: BatchPlan, count: int) -> list[int]:
    """Return the picture numbers of a batch: a slice of the epoch's order of all `count`."""
    numbers = []
    for place in range(step * plan.pictures, (step + 1) * plan.pictures):
        epoch, rest = divmod(place, count)
        numbers.append(int(_order(count, plan.seed, epoch)[rest]))
    return numbers


@lru_cache(maxsize=2)
def _order(count: int, seed: int, epoch: int) -> np.ndarray:
    return np.random.default_rng([seed, epoch, count]).permutation(count)
