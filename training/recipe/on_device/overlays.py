"""Overlay edits: stickers, text and captions on pictures, and pictures on screens."""

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from recipe.on_device.geometry import inset_matrix, per_picture, resample
from recipe.overlays import Overlays

_LETTERS = (32, 256)  # height and width of a line of letters


@dataclass(frozen=True, eq=False)
class DeviceOverlays:
    """Stickers, lettering and screens as tensors."""

    stickers: torch.Tensor  # (n, 4, S, S): colour and alpha in [0, 1], squashed to squares
    lettering: torch.Tensor  # (n, 1, 32, 256): coverage of lines of letters
    words: torch.Tensor  # the same, of readable words
    widths: np.ndarray  # (n,): width of each line of `lettering` over its height
    word_widths: np.ndarray  # the same, of `words`
    screens: torch.Tensor  # (n, 3, S, S)
    boxes: np.ndarray  # (n, 4): place of a screen's picture: left, upper, right, lower in [0, 1]

    def sticker(self, pictures: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        """Add an emoji, 0.1 to 0.8 of the height, at least half opaque."""
        count = len(pictures)
        size = np.where(
            rng.random(count) < 0.7, rng.uniform(0.4, 0.8, count), rng.uniform(0.1, 0.4, count)
        )
        boxes = _boxes(rng.uniform(0, 0.8, (count, 2)), size, size)
        chosen = self.stickers[torch.as_tensor(rng.integers(len(self.stickers), size=count))]
        layer = resample(chosen.to(pictures.dtype), inset_matrix(boxes))
        opacity = per_picture(rng.uniform(0.5, 1, count), pictures)
        return _blend(pictures, layer[:, :3], layer[:, 3:] * opacity)

    def text(self, pictures: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        """Add letters of any script and colour, 0.1 to 0.3 of the side high."""
        count = len(pictures)
        chosen = rng.integers(len(self.lettering), size=count)
        tall = rng.uniform(0.1, 0.3, count)
        boxes = _boxes(rng.uniform(0, 0.6, (count, 2)), tall * self.widths[chosen], tall)
        ink = per_picture(rng.random((count, 3)), pictures)
        return self._write(pictures, self.lettering[torch.as_tensor(chosen)], boxes, ink)

    def caption(self, pictures: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        """Add words on the picture, half of the time on a bar that dims it."""
        count = len(pictures)
        chosen = rng.integers(len(self.words), size=count)
        tall = np.minimum(rng.uniform(0.06, 0.18, count), 1 / self.word_widths[chosen])
        across = tall * self.word_widths[chosen]
        top = rng.uniform(0, 1 - tall)
        boxes = _boxes(np.stack([rng.uniform(0, 1 - across), top], axis=1), across, tall)
        dim = np.where(rng.random(count) < 0.5, rng.uniform(0, 0.7, count), 1.0)
        rows = (np.arange(pictures.shape[-1]) + 0.5) / pictures.shape[-1]
        bar = (rows >= top[:, None]) & (rows < (top + 1.3 * tall)[:, None])
        light = torch.as_tensor(
            np.where(bar, dim[:, None], 1.0), dtype=pictures.dtype, device=pictures.device
        )
        ink = per_picture((rng.random(count) < 0.7).astype(float), pictures)
        words = self.words[torch.as_tensor(chosen)]
        return self._write(pictures * light[:, None, :, None], words, boxes, ink)

    def meme(self, pictures: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        """Add a band with words above or below the picture."""
        count = len(pictures)
        above = rng.random(count) < 0.65
        band = rng.uniform(0.13, 0.4, count)  # share of the result, band included
        both = rng.random(count) < 0.25
        second = np.where(both, np.minimum(rng.uniform(0.1, 0.3, count), 0.8 - band), 0.0)
        top = np.where(above, band, second)
        bottom = np.where(above, second, band)
        zero = np.zeros(count)
        paper = per_picture((rng.random(count) < 0.8).astype(float), pictures)
        places = np.stack([zero, top, zero + 1, 1 - bottom], axis=1)
        framed = resample(pictures, inset_matrix(places), paper)
        chosen = rng.integers(len(self.words), size=count)
        tall = np.minimum(0.7 * band, 1.2 / self.word_widths[chosen])
        across = tall * self.word_widths[chosen]
        middle = np.where(above, band / 2, 1 - band / 2)
        corner = np.stack([np.maximum(0, (1 - across) / 2), middle - tall / 2], axis=1)
        words = self.words[torch.as_tensor(chosen)]
        return self._write(framed, words, _boxes(corner, across, tall), 1 - paper)

    def screenshot(self, pictures: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        """Put the picture on a screen, scaled or cropped to its place."""
        count = len(pictures)
        chosen = rng.integers(len(self.screens), size=count)
        boxes = self.boxes[chosen]
        # Crop to the place: the remaining share is drawn, since squashed pictures have lost their
        # aspect ratio.
        remaining = np.where(rng.random(count) < 0.7, rng.uniform(0.5, 1, count), 1.0)
        wide = rng.random(count) < 0.5
        matrices = inset_matrix(boxes)
        matrices[:, 0, :] *= np.where(wide, remaining, 1.0)[:, None]
        matrices[:, 1, :] *= np.where(wide, 1.0, remaining)[:, None]
        shown = resample(pictures, matrices)
        side = pictures.shape[-1]
        place = (np.arange(side) + 0.5) / side
        x = (place >= boxes[:, :1]) & (place < boxes[:, 2:3])
        y = (place >= boxes[:, 1:2]) & (place < boxes[:, 3:])
        inside = torch.as_tensor(y[:, :, None] & x[:, None, :], device=pictures.device)[:, None]
        screens = self.screens[torch.as_tensor(chosen)].to(pictures.dtype)
        return torch.where(inside, shown, screens)

    def _write(
        self, pictures: torch.Tensor, lines: torch.Tensor, boxes: np.ndarray, ink: torch.Tensor
    ) -> torch.Tensor:
        side = pictures.shape[-1]
        squared = F.interpolate(lines.to(pictures.dtype), (side, side), mode="bilinear")
        cover = resample(squared, inset_matrix(boxes))
        return _blend(pictures, ink.expand_as(pictures), cover)


def _boxes(corner: np.ndarray, across: np.ndarray, down: np.ndarray) -> np.ndarray:
    return np.concatenate([corner, corner + np.stack([across, down], axis=1)], axis=1)


def _blend(pictures: torch.Tensor, colour: torch.Tensor, cover: torch.Tensor) -> torch.Tensor:
    return pictures * (1 - cover) + colour * cover


def to_device(overlays: Overlays, side: int, device: torch.device) -> DeviceOverlays:
    """Convert overlays to tensors on a device."""

    def squash(arrays: list[np.ndarray], size: tuple[int, int]) -> torch.Tensor:
        made = []
        for array in arrays:
            pixels = torch.from_numpy(np.array(array)).float() / 255
            pixels = pixels[None] if pixels.dim() == 2 else pixels.permute(2, 0, 1)
            made.append(F.interpolate(pixels[None], size, mode="bilinear", antialias=True)[0])
        return torch.stack(made).to(device)

    def widths(lines: tuple[np.ndarray, ...]) -> np.ndarray:
        return np.array([line.shape[1] / line.shape[0] for line in lines])

    boxes = np.array(
        [
            (left / s.shape[1], upper / s.shape[0], right / s.shape[1], lower / s.shape[0])
            for s, (left, upper, right, lower) in overlays.screens
        ]
    )
    return DeviceOverlays(
        squash(list(overlays.stickers), (side, side)),
        squash(list(overlays.lettering), _LETTERS),
        squash(list(overlays.words), _LETTERS),
        widths(overlays.lettering),
        widths(overlays.words),
        squash([screen for screen, _ in overlays.screens], (side, side)),
        boxes,
    )
