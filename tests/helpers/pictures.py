"""Seeded pictures, and the PSNR between two of them."""

import math
from pathlib import Path

import numpy as np
from PIL import Image


def picture(seed: int = 0, size: tuple[int, int] = (96, 72)) -> Image.Image:
    """Return smooth coloured noise, which leaves an activation room; every seed gives another."""
    coarse = np.random.default_rng(seed).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def make_pictures(
    folder: Path, count: int, *, first: int = 0, suffix: str = ".jpg", digits: int = 3
) -> Path:
    """Write pictures 000.jpg, 001.jpg … to a folder; the number of each is its seed."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(first, first + count):
        picture(number).save(folder / f"{number:0{digits}}{suffix}", quality=92)
    return folder


def decibels(a: np.ndarray, b: np.ndarray, peak: int = 255) -> float:
    """Return the PSNR between two arrays of pixels in dB, by its definition."""
    error = np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2)
    return math.inf if error == 0 else 10 * math.log10(peak**2 / error)
