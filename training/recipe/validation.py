"""Recall of copies of held-out pictures, during training.

Held-out photographs are edited once as in the benchmark (AugLy's random mix, and the hardest fixed
edits). The copies are searched for among the originals and all training pictures, whose descriptors
are in the bank. Ablations are compared on them, so that the photographs for measurements stay
unused.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from homing.edits import Edit, paper_edits, random_available
from homing.errors import PictureError
from recipe.material import Material, replacing
from recipe.views import finish

#: Maps squashed pictures (B, S, S, 3), uint8, to unit descriptors (B, D).
Describe = Callable[[torch.Tensor], torch.Tensor]

_LONGER_SIDE = 640  # the published edits count in pixels of pictures of about this size
_HARD = ("brightness 2.0", "contrast 2.0", "rotation 25", "rotation 90", "crop 0.5", "meme")


@dataclass(frozen=True)
class Similarity:
    """Cosines of n copies."""

    own: torch.Tensor  # (n,): to the original of each
    other: torch.Tensor  # (n,): to the nearest other picture

    @property
    def found(self) -> torch.Tensor:
        """The original is the first hit, bool (n,)."""
        return self.own > self.other

    def certain(self, false_alarms: float = 0.01) -> torch.Tensor:
        """Return where `own` exceeds all but a share `false_alarms` of `other`, bool (n,)."""
        return self.own > torch.quantile(self.other, 1 - false_alarms)


@dataclass(frozen=True)
class Validation:
    """Held-out pictures and their edited copies, squashed."""

    originals: NDArray[np.uint8]  # (n, S, S, 3)
    copies: Mapping[str, NDArray[np.uint8]]  # by edit, (n, S, S, 3)

    def nearest(self, describe: Describe, others: torch.Tensor) -> dict[str, Similarity]:
        """Return by edit the cosines of copies to their original and to the nearest other picture.

        `others` (m, D) are further descriptors to search among.
        """
        base = torch.cat([_describe_in_parts(describe, self.originals), others])
        found = {}
        for name, copies in self.copies.items():
            similar = _describe_in_parts(describe, copies) @ base.T
            own = similar.diagonal().clone()
            similar.fill_diagonal_(-1.0)
            found[name] = Similarity(own, similar.amax(dim=1))
        return found

    def recall(self, describe: Describe, others: torch.Tensor) -> dict[str, float]:
        """Return R@1 by edit among the originals and `others`, (m, D) descriptors."""
        near = self.nearest(describe, others)
        return {name: float(similar.found.float().mean()) for name, similar in near.items()}


@torch.no_grad()
def _describe_in_parts(
    describe: Describe, pictures: NDArray[np.uint8], part: int = 64
) -> torch.Tensor:
    return torch.cat(
        [describe(torch.from_numpy(pictures[i : i + part])) for i in range(0, len(pictures), part)]
    )


def make_validation(
    material: Material, count: int, work: Path, *, size: int, seed: int, draws: int = 3
) -> Validation:
    """Edit the last `count` pictures of the material, or load the copies from `work`."""
    mixed = "" if random_available() else "-without-random"
    stored = work / f"{material.path.stem}-validation-{count}-{size}-{seed}-{draws}{mixed}.npz"
    if not stored.exists():
        made = _make(material, count, size, seed, draws)
        with replacing(stored) as file:
            np.savez(file, **made)
    with np.load(stored, allow_pickle=False) as arrays:
        loaded = {name: arrays[name] for name in arrays.files}
    return Validation(loaded.pop("originals"), loaded)


def _make(
    material: Material, count: int, size: int, seed: int, draws: int
) -> dict[str, NDArray[np.uint8]]:
    edits = paper_edits(with_random=random_available())
    draws_of_edits = [(e.name, e, 0) for e in edits if e.name in _HARD]
    draws_of_edits += [(f"random {d}", e, d) for e in edits if e.random for d in range(draws)]
    pictures = [_enlarge(material, len(material) - count + n) for n in range(count)]
    made = {"originals": np.stack([finish(np.asarray(p), size) for p in pictures])}
    for name, edit, draw in draws_of_edits:
        made[name] = np.stack(
            [_make_copy(edit, picture, [seed, draw, n], size) for n, picture in enumerate(pictures)]
        )
    return made


def _enlarge(material: Material, number: int) -> Image.Image:
    picture = Image.fromarray(material.picture(number))
    factor = _LONGER_SIDE / max(picture.size)
    size = (round(picture.width * factor), round(picture.height * factor))
    return picture.resize(size, Image.Resampling.BICUBIC)


def _make_copy(edit: Edit, picture: Image.Image, seed: list[int], size: int) -> NDArray[np.uint8]:
    for attempt in range(10):
        try:
            edited = edit.apply(picture, np.random.default_rng([*seed, attempt]))
        except PictureError:  # the picture is too small for this draw: try the next
            continue
        return finish(np.asarray(edited), size)
    raise AssertionError(f"ten draws of the edit {edit.name!r} failed")
