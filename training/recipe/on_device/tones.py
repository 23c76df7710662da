"""Edits of colours and pixels."""

import math
from functools import cache

import numpy as np
import torch
from torch.nn import functional as F

from recipe.on_device.geometry import per_picture

_LUMA = (0.299, 0.587, 0.114)
_PUBLISHED_SIDE = 640.0
_RADIUS = 12  # of the widest blur, in pixels


def _grey_of(pictures: torch.Tensor) -> torch.Tensor:
    luma = pictures.new_tensor(_LUMA).view(1, 3, 1, 1)
    return (pictures * luma).sum(dim=1, keepdim=True)


def _grey(pictures: torch.Tensor, _rng: np.random.Generator) -> torch.Tensor:
    return _grey_of(pictures).expand_as(pictures)


def _strengths(pictures: torch.Tensor, rng: np.random.Generator, low: float, high: float):
    return per_picture(rng.uniform(low, high, size=len(pictures)), pictures)


def _log_strengths(pictures: torch.Tensor, rng: np.random.Generator, low: float, high: float):
    drawn = np.exp(rng.uniform(math.log(low), math.log(high), size=len(pictures)))
    return per_picture(drawn, pictures)


def _brightness(low: float, high: float):
    def edit(pictures: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        return (pictures * _strengths(pictures, rng, low, high)).clamp(0, 1)

    return edit


def _saturation(low: float, high: float):
    def edit(pictures: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        grey = _grey_of(pictures)
        return (grey + (pictures - grey) * _strengths(pictures, rng, low, high)).clamp(0, 1)

    return edit


def _wide_brightness(pictures: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    return (pictures * _log_strengths(pictures, rng, 0.3, 2.4)).clamp(0, 1)


def _wide_contrast(pictures: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    mean = _grey_of(pictures).mean(dim=(2, 3), keepdim=True)
    return (mean + (pictures - mean) * _log_strengths(pictures, rng, 0.3, 2.5)).clamp(0, 1)


def _wide_gamma(pictures: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    return pictures.clamp(min=1e-4) ** _log_strengths(pictures, rng, 0.4, 2.5)


# YIQ: a rotation of the plane of I and Q rotates the hue without changing the luma.
_YIQ = np.array([_LUMA, (0.595716, -0.274453, -0.321263), (0.211456, -0.522591, 0.311135)])


def _wide_hue(pictures: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    turn = rng.uniform(-np.pi, np.pi, size=len(pictures))
    turned = np.tile(np.eye(3), (len(pictures), 1, 1))
    turned[:, 1, 1] = turned[:, 2, 2] = np.cos(turn)
    turned[:, 1, 2], turned[:, 2, 1] = -np.sin(turn), np.sin(turn)
    return _mix_channels(pictures, np.linalg.inv(_YIQ) @ turned @ _YIQ)


def _mix_channels(pictures: torch.Tensor, matrices: np.ndarray) -> torch.Tensor:
    matrix = torch.as_tensor(matrices, dtype=pictures.dtype, device=pictures.device)
    return torch.einsum("bij,bjhw->bihw", matrix, pictures).clamp(0, 1)


def _tint(pictures: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Apply sepia, a colour cast, a channel permutation, or solarisation."""
    count = len(pictures)
    kind = rng.integers(4, size=count)
    matrices = np.tile(np.eye(3), (count, 1, 1))
    matrices *= (
        np.where(kind == 1, 1.0, 0.0)[:, None, None] * rng.uniform(0.5, 1.5, (count, 1, 3))
        + (np.where(kind == 1, 0.0, 1.0)[:, None, None])
    )
    matrices[kind == 0] = np.outer((1.07, 0.95, 0.75), _LUMA)
    for row in np.flatnonzero(kind == 2):
        matrices[row] = np.eye(3)[rng.permutation(3)]
    mixed = _mix_channels(pictures, matrices)
    threshold = per_picture(np.where(kind == 3, rng.uniform(0.4, 1, count), 2.0), pictures)
    return torch.where(mixed >= threshold, 1 - mixed, mixed)


def _uneven(pictures: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Apply light that falls off to one side or to the corners."""
    count, side = len(pictures), pictures.shape[-1]
    axis = torch.linspace(-1, 1, side, device=pictures.device, dtype=pictures.dtype)
    x, y = axis.view(1, 1, 1, -1), axis.view(1, 1, -1, 1)
    angle = rng.uniform(0, 2 * np.pi, count)
    along = per_picture(np.cos(angle), pictures) * x + per_picture(np.sin(angle), pictures) * y + 1
    round_ = (x**2 + y**2).expand(count, 1, -1, -1)
    chosen = per_picture((rng.random(count) < 0.5).astype(float), pictures)
    falloff = chosen * round_ + (1 - chosen) * along
    return (pictures * (1 - _strengths(pictures, rng, 0.3, 0.9) * falloff / 2)).clamp(0, 1)


def _gaussian_blur(pictures: torch.Tensor, sigma: np.ndarray) -> torch.Tensor:
    """Blur each picture with its own standard deviation `sigma`, in pixels."""
    count, _, height, width = pictures.shape
    taps = torch.arange(-_RADIUS, _RADIUS + 1, device=pictures.device, dtype=pictures.dtype)
    spread = torch.as_tensor(np.maximum(sigma, 0.2), dtype=pictures.dtype, device=pictures.device)
    kernel = torch.exp(-(taps**2) / (2 * spread[:, None] ** 2))
    kernel = (kernel / kernel.sum(dim=1, keepdim=True)).repeat_interleave(3, dim=0)
    flat = pictures.reshape(1, 3 * count, height, width)
    flat = F.pad(flat, (_RADIUS,) * 4, mode="reflect")
    flat = F.conv2d(flat, kernel[:, None, None, :], groups=3 * count)
    flat = F.conv2d(flat, kernel[:, None, :, None], groups=3 * count)
    return flat.reshape(count, 3, height, width)


def _blur(low: float, high: float):
    def edit(pictures: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        scale = pictures.shape[-1] / _PUBLISHED_SIDE
        return _gaussian_blur(pictures, rng.uniform(low, high, size=len(pictures)) * scale)

    return edit


def _sharpen(pictures: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    soft = _gaussian_blur(pictures, rng.uniform(0.5, 2, size=len(pictures)))
    return (pictures + (pictures - soft) * _strengths(pictures, rng, 0.5, 5)).clamp(0, 1)


def _noise(pictures: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Add Gaussian noise, coloured or grey, and sometimes salt and pepper."""
    count = len(pictures)
    source = _generator(pictures, rng)
    grains = torch.randn(pictures.shape, generator=source, device=pictures.device)
    grey = per_picture((rng.random(count) < 0.5).astype(float), pictures)
    grains = grey * grains[:, :1] + (1 - grey) * grains
    noisy = pictures + _strengths(pictures, rng, 4 / 255, 40 / 255) * grains
    salted = rng.random(count) < 0.3
    share = per_picture(np.where(salted, rng.uniform(0.01, 0.1, count), 0.0), pictures)
    drawn = torch.rand(pictures[:, :1].shape, generator=source, device=pictures.device)
    clean = torch.where(per_picture(salted.astype(float), pictures) > 0, pictures, noisy)
    clean = torch.where(drawn < share / 2, torch.zeros_like(clean), clean)
    return torch.where(drawn > 1 - share / 2, torch.ones_like(clean), clean).clamp(0, 1)


def _generator(pictures: torch.Tensor, rng: np.random.Generator) -> torch.Generator:
    return torch.Generator(pictures.device).manual_seed(int(rng.integers(2**62)))


def _shuffle(low: float, high: float):
    def edit(pictures: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        """Exchange some pixels, averaged as if at 640 pixels of side and then shrunk."""
        count, _, height, width = pictures.shape
        share = _strengths(pictures, rng, low, high)
        order = torch.randint(
            height * width,
            (count, 1, height * width),
            generator=_generator(pictures, rng),
            device=pictures.device,
        )
        flat = pictures.flatten(2)
        drawn = flat.gather(2, order.expand(-1, 3, -1)).view_as(pictures)
        mean = pictures.mean(dim=(2, 3), keepdim=True)
        deviation = (drawn - mean) * share.sqrt() * (width / _PUBLISHED_SIDE)
        return ((1 - share) * pictures + share * mean + deviation).clamp(0, 1)

    return edit


def _palette(most: int):
    def edit(pictures: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        """Reduce to a few colours by three rounds of k-means from random pixels."""
        count, _, height, width = pictures.shape
        flat = pictures.flatten(2).transpose(1, 2)  # (b, n, 3)
        chosen = torch.as_tensor(
            rng.integers(height * width, size=(count, most)), device=flat.device
        )
        colours = flat.gather(1, chosen[:, :, None].expand(-1, -1, 3))
        used = torch.as_tensor(rng.integers(2, most + 1, size=count), device=flat.device)
        spare = torch.arange(most, device=flat.device)[None, :] >= used[:, None]
        for _ in range(3):
            distance = torch.cdist(flat.float(), colours.float())
            nearest = distance.masked_fill(spare[:, None, :], torch.inf).argmin(dim=2)
            sums = torch.zeros_like(colours).scatter_add_(
                1, nearest[:, :, None].expand(-1, -1, 3), flat
            )
            counts = torch.zeros_like(colours[:, :, 0]).scatter_add_(
                1, nearest, torch.ones_like(flat[:, :, 0])
            )
            colours = torch.where(
                counts[:, :, None] > 0, sums / counts[:, :, None].clamp(min=1), colours
            )
        painted = colours.gather(1, nearest[:, :, None].expand(-1, -1, 3))
        return painted.transpose(1, 2).reshape(pictures.shape)

    return edit


def _blocks(low: float, high: float, *, smooth: bool):
    def edit(pictures: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        """Shrink to a share of the sides and enlarge again, in blocks or smoothly.

        Shares are drawn from a grid of eight values, each applied to a batch.
        """
        side = pictures.shape[-1]
        shares = np.linspace(low, high, 8)
        which = rng.integers(len(shares), size=len(pictures))
        edited = pictures.clone()
        for number in np.unique(which):
            rows = np.flatnonzero(which == number)
            small = max(4, round(side * shares[number]))
            part = F.interpolate(pictures[rows], (small, small), mode="area")
            mode = {"mode": "bilinear", "align_corners": False} if smooth else {"mode": "nearest"}
            edited[rows] = F.interpolate(part, (side, side), **mode)
        return edited

    return edit


_QUANTISATION = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)  # of luminance: ITU-T T.81, table K.1
_COARSE = np.full((8, 8), 99)
_COARSE[:4, :4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]  # K.2


@cache
def _cosines() -> np.ndarray:
    k, n = np.meshgrid(np.arange(8), np.arange(8), indexing="ij")
    matrix = np.cos(np.pi * (2 * n + 1) * k / 16) / 2
    matrix[0] /= np.sqrt(2)
    return matrix


def coding(low: int, high: int, *, enlarge: float):
    """Return an edit: JPEG of a quality in [low, high) on pictures enlarged by this factor."""

    def edit(pictures: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        """Apply JPEG without entropy coding: YCbCr, chroma halved, 8×8 DCT, quantised."""
        count, side = len(pictures), pictures.shape[-1]
        quality = rng.integers(low, high, size=count)
        large = -(-round(side * enlarge) // 16) * 16
        coded = pictures
        if large != side:
            coded = F.interpolate(pictures, (large, large), mode="bilinear", align_corners=False)
        luma = _grey_of(coded)
        blue, red = (coded[:, 2:] - luma) / 1.772, (coded[:, :1] - luma) / 1.402
        luma = _quantise(luma - 0.5, _QUANTISATION, quality) + 0.5
        chroma = torch.cat([F.avg_pool2d(c, 2) for c in (blue, red)], dim=1)
        chroma = _quantise(chroma, _COARSE, quality)
        chroma = F.interpolate(chroma, scale_factor=2, mode="bilinear", align_corners=False)
        blue, red = luma + 1.772 * chroma[:, :1], luma + 1.402 * chroma[:, 1:]
        green = (luma - _LUMA[0] * red - _LUMA[2] * blue) / _LUMA[1]
        decoded = torch.cat([red, green, blue], dim=1).clamp(0, 1)
        if large != side:
            decoded = F.interpolate(decoded, (side, side), mode="area")
        return decoded

    return edit


def _quantise(channels: torch.Tensor, table: np.ndarray, quality: np.ndarray) -> torch.Tensor:
    """Quantise the 8×8 DCT of zero-centred channels (b, c, H, W), sides multiples of 8."""
    factor = np.where(quality < 50, 5000 / quality, 200 - 2 * quality)[:, None, None]
    steps = np.clip(np.floor((table[None] * factor + 50) / 100), 1, 255) / 255
    step = torch.as_tensor(steps, dtype=channels.dtype, device=channels.device)[:, None, None, None]
    cosines = torch.as_tensor(_cosines(), dtype=channels.dtype, device=channels.device)
    b, c, height, width = channels.shape
    blocks = channels.reshape(b, c, height // 8, 8, width // 8, 8).permute(0, 1, 2, 4, 3, 5)
    spectrum = cosines @ blocks @ cosines.T
    spectrum = (spectrum / step).round() * step
    blocks = cosines.T @ spectrum @ cosines
    return blocks.permute(0, 1, 2, 4, 3, 5).reshape(b, c, height, width)


TONES = {
    "published brightness": _brightness(0.1, 1.9),
    "published saturation": _saturation(2, 5),
    "published blur": _blur(5, 10),
    "published palette": _palette(16),
    "published jpeg": coding(5, 26, enlarge=2.0),
    "published pixels": _blocks(0.2, 0.9, smooth=False),
    "published shuffle": _shuffle(0.1, 0.3),
    "wide brightness": _wide_brightness,
    "wide contrast": _wide_contrast,
    "wide gamma": _wide_gamma,
    "wide hue": _wide_hue,
    "wide saturation": _saturation(0, 4),
    "wide blur": _blur(0.5, 8),
    "wide shrink": _blocks(0.2, 0.6, smooth=True),
    "wide shuffle": _shuffle(0.05, 0.25),
    "wide palette": _palette(32),
    "wide pixels": _blocks(0.12, 0.5, smooth=False),
    "wide coding": coding(3, 60, enlarge=1.0),
    "grey": _grey,
    "sharpen": _sharpen,
    "noise": _noise,
    "tint": _tint,
    "uneven": _uneven,
}
"""Edits by their name in :mod:`recipe.mixes`."""
