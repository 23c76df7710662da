"""Batches of views made on the device."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import torch
from torch.nn import functional as F

from recipe.batches import Batch, BatchPlan, picture_numbers
from recipe.material import Material
from recipe.mixes import collage_or_inset, mix
from recipe.on_device import geometry
from recipe.on_device.geometry import inset_matrix, per_picture, resample, window
from recipe.on_device.overlays import DeviceOverlays, to_device
from recipe.on_device.tones import TONES, coding
from recipe.overlays import load_overlays
from recipe.views import finish

Edit = Callable[[torch.Tensor, np.random.Generator], torch.Tensor]

_light_coding = coding(50, 96, enlarge=1.0)

SIDE = 192  # pixels of a side during editing: a multiple of 16, larger than a view


def load_pictures(material: Material, count: int, device: torch.device) -> torch.Tensor:
    """Load all pictures squashed, (n, 3, 192, 192) uint8 on the device: 1.6 GB for 14,500."""
    made = torch.empty((count, 3, SIDE, SIDE), dtype=torch.uint8, device=device)
    for number in range(count):
        squashed = torch.from_numpy(finish(material.picture(number), SIDE).copy())
        made[number] = squashed.permute(2, 0, 1)
    return made


def device_batches(
    pictures: torch.Tensor, plan: BatchPlan, steps: range
) -> Iterator[tuple[int, Batch]]:
    """Yield the batches of `steps`, each made from the seed and its number alone."""
    edits = _edits(to_device(load_overlays(plan.seed), SIDE, pictures.device))
    for step in steps:
        yield step, _batch(pictures, plan, step, edits)


def _batch(pictures: torch.Tensor, plan: BatchPlan, step: int, edits: Mapping[str, Edit]) -> Batch:
    rng = np.random.default_rng([plan.seed, step])
    numbers = np.array(picture_numbers(step, plan, len(pictures)))
    owner = np.repeat(numbers, plan.strong + 1)
    light = np.arange(len(owner)) % (plan.strong + 1) == 0
    strong = np.flatnonzero(~light)
    guest, share = owner.copy(), np.ones(len(owner), np.float32)
    views = pictures[torch.as_tensor(owner)].float() / 255
    views[torch.as_tensor(np.flatnonzero(light))] = _make_light(views[torch.as_tensor(light)], rng)

    mixed = strong[rng.random(len(strong)) < plan.mixed]
    guest[mixed] = rng.integers(len(pictures), size=len(mixed))
    kinds = np.array([collage_or_inset(rng) for _ in mixed], dtype=object)
    collages, insets = mixed[kinds == "collage"], mixed[kinds == "inset"]
    to_edit = np.setdiff1d(strong, collages)
    views[torch.as_tensor(to_edit)] = edit_views(views[torch.as_tensor(to_edit)], edits, rng)
    for rows, combine in ((collages, _collage), (insets, _inset)):
        if len(rows):
            others = pictures[torch.as_tensor(guest[rows])].float() / 255
            views[torch.as_tensor(rows)], share[rows] = combine(
                views[torch.as_tensor(rows)], others, rng
            )
    small = F.interpolate(
        views, (plan.size, plan.size), mode="bilinear", antialias=True, align_corners=False
    )
    pixels = (255 * small.clamp(0, 1)).round().to(torch.uint8).permute(0, 2, 3, 1)
    return Batch(pixels, torch.from_numpy(owner), torch.from_numpy(guest), torch.from_numpy(share))


def edit_views(
    pictures: torch.Tensor, edits: Mapping[str, Edit], rng: np.random.Generator
) -> torch.Tensor:
    """Apply a separately drawn chain of edits to each picture, (b, 3, S, S).

    Chains advance together: at each position, pictures with the same edit form one batch.
    """
    chains = [mix(rng) for _ in range(len(pictures))]
    views = pictures.clone()
    for place in range(max(map(len, chains), default=0)):
        current = [chain[place] if place < len(chain) else None for chain in chains]
        for name in sorted({name for name in current if name}):
            rows = torch.tensor([i for i, other in enumerate(current) if other == name])
            views[rows] = edits[name](views[rows], rng)
    return views


def _make_light(pictures: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Make light views: half of them slightly cropped, brightened, or compressed."""
    count = len(pictures)
    touched = rng.random(count) < 0.5
    cropped = touched & (rng.random(count) < 0.5)
    sides = np.where(cropped[:, None], rng.uniform(0.9, 1, (count, 2)), 1.0)
    views = resample(pictures, window(sides[:, 0], sides[:, 1], rng))
    brighter = touched & (rng.random(count) < 0.3)
    factor = np.where(brighter, rng.uniform(0.85, 1.15, count), 1.0)
    views = (views * per_picture(factor, views)).clamp(0, 1)
    coded = torch.from_numpy(np.flatnonzero(touched & (rng.random(count) < 0.5)))
    if len(coded):
        views[coded] = _light_coding(views[coded], rng)
    return views


def _collage(
    pictures: torch.Tensor, others: torch.Tensor, rng: np.random.Generator
) -> tuple[torch.Tensor, np.ndarray]:
    """Blend or join two pictures; also return the first one's share of the area."""
    count, side = len(pictures), pictures.shape[-1]
    share = rng.uniform(0.4, 0.7, count)
    kind = rng.integers(3, size=count)
    line = (np.arange(side) + 0.5) / side
    first = (line < share[:, None]) ^ (rng.random(count) < 0.5)[:, None]
    rows, columns = first[:, :, None], first[:, None, :]
    shape = (count, side, side)
    cover = np.where(
        kind[:, None, None] == 1, np.broadcast_to(rows, shape), np.broadcast_to(columns, shape)
    )
    cover = np.where(kind[:, None, None] == 0, share[:, None, None], cover).astype(np.float32)
    weight = torch.as_tensor(cover, device=pictures.device)[:, None]
    shown = cover.mean(axis=(1, 2)).astype(np.float32)
    return weight * pictures + (1 - weight) * others, shown


def _inset(
    pictures: torch.Tensor, others: torch.Tensor, rng: np.random.Generator
) -> tuple[torch.Tensor, np.ndarray]:
    """Put pictures inside others; also return their share of the area."""
    count = len(pictures)
    size = rng.uniform(0.45, 0.85, count)
    corner = rng.uniform(0, 1, (count, 2)) * (1 - size)[:, None]
    matrices = inset_matrix(np.concatenate([corner, corner + size[:, None]], axis=1))
    cover = resample(torch.ones_like(pictures[:, :1]), matrices)
    inset = resample(pictures, matrices)
    return inset + (1 - cover) * others, (size**2).astype(np.float32)


def _published_crop(pictures: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    sides = rng.uniform(0.3, 0.6, (len(pictures), 2))
    return resample(pictures, window(sides[:, 0], sides[:, 1], rng))


def _wide_crop(pictures: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    area = rng.uniform(0.15, 1, len(pictures))
    aspect = np.exp(rng.uniform(-0.6, 0.6, len(pictures)))
    return resample(pictures, window(np.sqrt(area * aspect), np.sqrt(area / aspect), rng))


def _edits(overlays: DeviceOverlays) -> Mapping[str, Edit]:
    return {
        **TONES,
        "published crop": _published_crop,
        "published perspective": geometry.perspective,
        "published rotation": geometry.rotation,
        "wide crop": _wide_crop,
        "wide warp": geometry.warp,
        "mirror": geometry.mirror,
        "letterbox": geometry.letterbox,
        "sticker": overlays.sticker,
        "text": overlays.text,
        "meme": overlays.meme,
        "caption": overlays.caption,
        "screenshot": overlays.screenshot,
    }
