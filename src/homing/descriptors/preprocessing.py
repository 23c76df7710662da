"""Preprocessing of a descriptor's input, and the fingerprint that it is a part of."""

import hashlib
import json
from dataclasses import asdict, dataclass

import torch

from homing.errors import DescriptorError

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
_LARGEST = 4096


@dataclass(frozen=True)
class InputRule:
    """RGB in [0, 1], upright, squashed to a square, then ``(x - mean) / std`` for each channel.

    The squash is :func:`homing.images.squash`, the same for every descriptor; it skews the picture
    rather than lose its borders, which an edit may have made anyway.
    """

    size: int  # pixels on a side, 1 to 4096
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def __post_init__(self) -> None:
        if not 1 <= self.size <= _LARGEST:
            raise DescriptorError(
                f"input size {self.size}: give the side in pixels, 1 to {_LARGEST}."
            )
        if len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0:
            raise DescriptorError(
                f"mean {self.mean} and std {self.std}: give three numbers each, "
                "for red, green and blue in [0, 1]; std above zero."
            )

    def __str__(self) -> str:
        text = f"RGB squashed to {self.size}x{self.size}"
        if (self.mean, self.std) == ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)):
            return f"{text}, in [0, 1]"
        mean, std = (
            ", ".join(f"{value:g}" for value in values) for values in (self.mean, self.std)
        )
        return f"{text}, (x - ({mean})) / ({std})"

    def apply(self, batch: torch.Tensor) -> torch.Tensor:
        """Normalise a batch, (B, 3, S, S) RGB in [0, 1]."""
        mean, std = (batch.new_tensor(v).view(1, 3, 1, 1) for v in (self.mean, self.std))
        return (batch - mean) / std


def make_fingerprint(
    *, architecture: str, version: str, dimension: int, rule: InputRule, weights: str
) -> str:
    """Return the SHA-256, hexadecimal, of what a descriptor computes, the same on every machine.

    `architecture` names the network and all that its weights do not say (pooling power);
    `weights` is the SHA-256 of the weights as stored.
    """
    parts = {
        "format": 1,
        "architecture": architecture,
        "version": version,
        "dimension": dimension,
        "input": asdict(rule),
        "weights": weights,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
