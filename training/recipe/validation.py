"""Recall of copies of held-out pictures, while training goes on.

Held-out photographs are edited as in the benchmark (AugLy's random mix, and the hardest fixed
edits), once, and stored. They are searched for among all training
pictures, whose descriptors are in the bank, and among themselves. Ablations are
compared by it, so that the photographs for measurements stay unused.
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

#: Unit descriptors (B, D) of squashed pictures (B, S, S, 3), uint8.
Describe = Callable[[torch.Tensor], torch.Tensor]

_LONGER_SIDE = 640  # the published edits count in pixels of pictures of about that size
_HARD = ("brightness 2.0", "contrast 2.0", "rotation 25", "rotation 90", "crop 0.5", "meme")


@dataclass(frozen=True)
class Similarity:
    """Cosines of n copies.

    Attributes
    ----------
    own : Tensor (n,)
        To the descriptor of the picture that each is a copy of.
    other : Tensor (n,)
        To the nearest of any other picture.
    """

    own: torch.Tensor
    other: torch.Tensor

    @property
    def found(self) -> torch.Tensor:
        """Bool (n,): a search by nearness answers with the original first."""
        return self.own > self.other

    def told(self, alarms: float = 0.01) -> torch.Tensor:
        """Bool (n,): nearer to its picture than all but a share of copies are to any other."""
        return self.own > torch.quantile(self.other, 1 - alarms)


@dataclass(frozen=True)
class Validation:
    """Held-out pictures and edited copies of them, squashed.

    Attributes
    ----------
    originals : array (n, S, S, 3), uint8
    copies : mapping of str to array (n, S, S, 3), uint8
        By edit.
    """

    originals: NDArray[np.uint8]
    copies: Mapping[str, NDArray[np.uint8]]

    def nearest(self, describe: Describe, others: torch.Tensor) -> dict[str, Similarity]:
        """How near each copy comes to its original and to any other picture, by edit.

        Parameters
        ----------
        others : Tensor (m, D)
            Descriptors searched beside the originals'.
        """
        base = torch.cat([_in_parts(describe, self.originals), others])
        found = {}
        for name, copies in self.copies.items():
            similar = _in_parts(describe, copies) @ base.T
            own = similar.diagonal().clone()
            similar.fill_diagonal_(-1.0)
            found[name] = Similarity(own, similar.amax(dim=1))
        return found

    def recall(self, describe: Describe, others: torch.Tensor) -> dict[str, float]:
        """R@1 of each edit among the originals and `others`, (m, D) descriptors."""
        near = self.nearest(describe, others)
        return {name: float(similar.found.float().mean()) for name, similar in near.items()}


@torch.no_grad()
def _in_parts(describe: Describe, pictures: NDArray[np.uint8], part: int = 64) -> torch.Tensor:
    return torch.cat(
        [describe(torch.from_numpy(pictures[i : i + part])) for i in range(0, len(pictures), part)]
    )


def make_validation(
    material: Material, count: int, work: Path, *, size: int, seed: int, draws: int = 3
) -> Validation:
    """Edit the last `count` pictures of the material, or find them edited in `work`."""
    mixed = "" if random_available() else "-without-random"
    kept = work / f"{material.path.stem}-validation-{count}-{size}-{seed}-{draws}{mixed}.npz"
    if not kept.exists():
        made = _make(material, count, size, seed, draws)
        with replacing(kept) as file:
            np.savez(file, **made)
    with np.load(kept, allow_pickle=False) as arrays:
        loaded = {name: arrays[name] for name in arrays.files}
    return Validation(loaded.pop("originals"), loaded)


def _make(
    material: Material, count: int, size: int, seed: int, draws: int
) -> dict[str, NDArray[np.uint8]]:
    edits = paper_edits(with_random=random_available())
    wanted = [(e.name, e, 0) for e in edits if e.name in _HARD]
    wanted += [(f"random {d}", e, d) for e in edits if e.random for d in range(draws)]
    pictures = [_enlarged(material, len(material) - count + n) for n in range(count)]
    made = {"originals": np.stack([finish(np.asarray(p), size) for p in pictures])}
    for name, edit, draw in wanted:
        made[name] = np.stack(
            [_copy(edit, picture, [seed, draw, n], size) for n, picture in enumerate(pictures)]
        )
    return made


def _enlarged(material: Material, number: int) -> Image.Image:
    picture = Image.fromarray(material.picture(number))
    factor = _LONGER_SIDE / max(picture.size)
    size = (round(picture.width * factor), round(picture.height * factor))
    return picture.resize(size, Image.Resampling.BICUBIC)


def _copy(edit: Edit, picture: Image.Image, seed: list[int], size: int) -> NDArray[np.uint8]:
    for attempt in range(10):
        try:
            edited = edit.apply(picture, np.random.default_rng([*seed, attempt]))
        except PictureError:  # a draw that this picture is too small for: the next one
            continue
        return finish(np.asarray(edited), size)
    raise AssertionError(f"ten draws of {edit.name!r} failed")
