"""Prepared pictures: what the loop needs of each, and the batch that it optimises.

A change is optimised on the grid that the descriptor sees (S×S), so its cost does not grow with the
picture. The descriptor sees of the full change about ``squash(tolerance) ⊙ gain``, which is what
the loop optimises. (Applying in the loop the low-pass of going up and down again was tried: it
gains nothing measurable.)
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from homing.activation.loop import Batch, LoopSettings
from homing.activation.masking.perceptual import PUBLISHED, Masking
from homing.activation.simulated_edits.edits import (
    NO_EDITS,
    DrawnEdits,
    EditPlan,
    draw_edits,
    stack_edits,
)
from homing.images.flat import flat_places
from homing.images.picture import Picture
from homing.images.pixels import upright
from homing.images.read_small import read_squashed
from homing.options import Limits

_FINER = 2  # times the descriptor's side, for edits that enlarge
_LAST_UNTURNED = 4  # EXIF orientations above exchange width and height
LOOP_DRAWS, LOOKAHEAD_DRAWS = 1, 2  # purposes of random draws, apart from the noise and each other

#: A picture to be activated: a path, an encoded file, or one decoded already.
PictureSource = Path | bytes | Picture


@dataclass(frozen=True)
class Grids:
    """A picture and its tolerance on the descriptor's grid, upright."""

    squashed: NDArray[np.uint8]  # (S, S, 3), as the descriptor sees the picture
    finer: NDArray[np.uint8] | None  # (T, T, 3); None where no simulated edit enlarges
    #: (S, S), in units of the full range, as far as it shows through transparency.
    tolerance: NDArray[np.float32]


@dataclass(frozen=True)
class Visibility:
    """Shares of a picture that show and that may change."""

    share: float  # of the pixels that are not wholly transparent, above 0
    changeable: float  # of all pixels, those that are neither transparent nor flat
    roughness: float  # root mean square of the full tolerance over that of the squashed one


@dataclass(frozen=True)
class FullSize:
    """A decoded picture and its tolerance, (H, W) float16, in units of the full range."""

    picture: Picture
    tolerance: NDArray[np.float16]


@dataclass(frozen=True)
class PreparedPicture:
    """A picture ready to be optimised: small arrays, unless the full picture is small as well."""

    source: PictureSource
    sha256: bytes  # of the source file
    orientation: int  # EXIF, 1 to 8
    aspect: float  # width over height, upright
    alike: bool  # whether its channels change alike: one channel, or luminance alone
    channels: NDArray[np.float32]  # (3,), share of the tolerance that each channel may take
    grids: Grids
    visibility: Visibility
    full: FullSize | None  # None: too large to be held meanwhile


def prepare(
    source: PictureSource,
    picture: Picture,
    size: int,
    *,
    limits: Limits,
    hold: bool,
    masking: Masking = PUBLISHED,
    enlarged: bool = False,
) -> PreparedPicture:
    """Prepare a picture for a grid of `size`.

    `hold`: hold the decoded picture; `enlarged`: a simulated edit enlarges.
    """
    encoded = picture.encoded
    squashed = read_squashed(encoded, size, limits=limits)
    alike = picture.pixels.shape[2] == 1 or masking.luminance_alone
    full = full_size(picture, masking)
    tolerance = upright(_reduce(full.tolerance, size), picture.orientation)
    opacity = picture.opacity
    if opacity is not None:
        seen = (full.tolerance * opacity).astype(np.float16)
        tolerance = upright(_reduce(seen, size), picture.orientation)
    small = _mean_square(tolerance)
    roughness = math.sqrt(_mean_square(full.tolerance) / small) if small > 0 else 1.0
    return PreparedPicture(
        source=source,
        sha256=hashlib.sha256(encoded).digest(),
        orientation=picture.orientation,
        aspect=_aspect(picture),
        alike=alike,
        channels=masking.weights(alike=alike),
        grids=Grids(
            squashed=squashed,
            finer=read_squashed(encoded, _FINER * size, limits=limits) if enlarged else None,
            tolerance=tolerance,
        ),
        visibility=Visibility(
            share=_visible_share(picture),
            changeable=np.count_nonzero(full.tolerance.view(np.uint16)) / full.tolerance.size,
            roughness=roughness,
        ),
        full=full if hold else None,
    )


def full_size(picture: Picture, masking: Masking) -> FullSize:
    """Compute the tolerance of a picture; zero where it is flat or wholly transparent."""
    shown, white = picture.samples.displayed(picture.pixels)
    tolerance = masking.tolerance(shown, peak=white)
    tolerance[flat_places(picture.pixels, blocks=picture.kind == "JPEG")] = 0
    if picture.alpha is not None:
        tolerance *= picture.alpha > 0
    return FullSize(picture, tolerance)


def _reduce(tolerance: NDArray[np.float16], size: int) -> NDArray[np.float32]:
    """Squash an (H, W) map to (S, S) by the rule that squashes pictures (bilinear)."""
    image = Image.fromarray(tolerance.astype(np.float32))
    resized = image.resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(resized, dtype=np.float32)


def _visible_share(picture: Picture) -> float:
    shown = 1.0 if picture.alpha is None else float(np.mean(picture.alpha > 0))
    return shown or 1.0  # a picture that does not show at all does not change


def _aspect(picture: Picture) -> float:
    height, width = map(int, picture.pixels.shape[:2])
    return height / width if picture.orientation > _LAST_UNTURNED else width / height


def _mean_square(array: NDArray[np.floating]) -> float:
    return float(np.mean(np.square(array, dtype=np.float32)))


def max_rms(prepared: PreparedPicture, psnr: float) -> float:
    """Return the largest root mean square of a change at full size, in units of the full range."""
    return rms_at(psnr_of_all(prepared, psnr))


def psnr_of_all(prepared: PreparedPicture, psnr: float) -> float:
    """Return the PSNR over all pixels at which the visible ones have that of `psnr`, dB."""
    return psnr - 10 * math.log10(prepared.visibility.share)


def rms_at(decibels: float) -> float:
    """Return the root mean square of a change of that PSNR, in units of the full range."""
    return float(10 ** (-decibels / 20))


def assemble(
    prepared: Sequence[PreparedPicture],
    *,
    settings: LoopSettings,
    psnr: float,
    masking: Masking,
    seed: int,
    device: torch.device,
) -> Batch:
    """Stack prepared pictures into a batch.

    Their changes keep a PSNR, dB. Where luminance alone changes, one channel stands for all.
    """
    channels = slice(0, 1 if masking.luminance_alone else None)
    unseen = masking.unseen_gain

    def tensor(arrays: Sequence[NDArray[np.floating]]) -> torch.Tensor:
        # Channels last in memory, as the network wants its input: mixed layouts cost more than
        # the arithmetic.
        return torch.from_numpy(np.stack(arrays).astype(np.float32)).to(device).permute(0, 3, 1, 2)

    grids = [p.grids for p in prepared]
    size = grids[0].squashed.shape[0]
    finer = [g.finer for g in grids if g.finer is not None]
    edits = None
    if settings.edits != NO_EDITS:
        edits = draw_for(prepared, settings.edits, settings.steps, seed=seed, purpose=LOOP_DRAWS)
    squashed_rms = [max_rms(p, psnr) / p.visibility.roughness for p in prepared]
    return Batch(
        pictures=tensor([g.squashed / np.float32(255) for g in grids]),
        allowed=tensor([p.grids.tolerance[:, :, None] * p.channels[channels] for p in prepared]),
        alike=torch.tensor([p.alike for p in prepared], device=device),
        max_rms=torch.tensor(squashed_rms, device=device),
        max_gain=None if unseen is None else torch.full((len(prepared),), unseen, device=device),
        offsets=tensor([_noise(p.sha256, seed, settings, size)[:, :, channels] for p in prepared]),
        edits=edits,
        finer=tensor([f / np.float32(255) for f in finer]) if finer else None,
    )


def draw_for(
    prepared: Sequence[PreparedPicture], plan: EditPlan, steps: int, *, seed: int, purpose: int
) -> DrawnEdits:
    """Draw the edits of pictures for a number of steps, each from its own bytes alone."""
    return stack_edits(
        [
            draw_edits(
                plan,
                steps,
                aspect=p.aspect,
                size=p.grids.squashed.shape[0],
                generator=_generator(p.sha256, seed, purpose),
            )
            for p in prepared
        ]
    )


def _noise(sha256: bytes, seed: int, settings: LoopSettings, size: int) -> NDArray[np.float64]:
    generator = _generator(sha256, seed)
    return generator.normal(scale=settings.initial_noise, size=(size, size, 3))


# Seeded by the picture's own bytes: neither its place in the run nor the pictures beside it matter.
def _generator(sha256: bytes, seed: int, *purpose: int) -> np.random.Generator:
    return np.random.default_rng([seed, int.from_bytes(sha256[:8], "big"), *purpose])
