"""What happens to one picture before and after its batch is optimised."""

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from homing.activation.budget import Coded, Coder, fit_to_budget
from homing.activation.grids import full_change, reduce_map
from homing.activation.loop import Batch, LoopSettings, Muting
from homing.activation.masking.perceptual import PUBLISHED, Masking
from homing.activation.simulated_edits.looks import (
    NO_EDITS,
    DrawnEdits,
    EditPlan,
    draw_edits,
    stack_edits,
)
from homing.errors import PictureError
from homing.images import (
    SHOWS_NOTHING,
    Encoding,
    Picture,
    as_stored,
    decode_pixels,
    encode,
    encodings,
    read_squashed,
    round_trip,
    shows_nothing,
    ssim,
    upright,
)
from homing.options import Limits

_FINER = 2  # times the descriptor's side, for looks that enlarge
_STRICTER = 3  # times that a picture is coded again to be more alike
_STRICTER_BY = 0.99  # of the estimate, so that the first is mostly enough
_TINY = 1e-6  # least change to divide by
_COLOURLESS = 2  # levels between channels that coding leaves in a picture without colour
_LAST_UNTURNED = 4  # EXIF orientations above exchange width and height
FOR_EDITS, FOR_AIMS = 1, 2  # numbers drawn for them are others than those of the noise

#: A picture to be activated: a path, an encoded file, or one decoded already.
Source = Path | bytes | Picture


@dataclass(frozen=True)
class Prepared:
    """A picture ready to be optimised: small arrays only, unless it was worth keeping more.

    Attributes
    ----------
    source : Source
        Where the pixels can be had again.
    squashed : array (S, S, 3), uint8
        What the descriptor sees, upright.
    finer : array (T, T, 3), uint8, or None
        The same, squashed to a larger square; None where no edit in the loop enlarges.
    tolerance : array (S, S), float32
        Just noticeable difference on that grid, upright, in units of the full range: what is seen
        of it through transparency.
    roughness : float
        Root mean square of the full map over that of the squashed one.
    visible : float
        Share of the pixels that are not wholly transparent, above 0.
    hidden : float
        Greatest root mean square that a change may have at full size and stay unseen, in units of
        the full range; infinite where the masking leaves it to the budget.
    luminance : array (S, S), float32, or None
        Share that the luminance of such a change may use of the tolerance; None: all.
    grey : bool
        Whether it has one colour channel, or three that are alike: it stays without colour.
    orientation : int
        EXIF, 1 to 8.
    aspect : float
        Width over height, upright.
    sha256 : bytes
        Of the source file.
    kept : (Picture, array (H, W) float16) or None
        The decoded picture and its full map, if small enough to wait in memory.
    """

    source: Source
    squashed: NDArray[np.uint8]
    finer: NDArray[np.uint8] | None
    tolerance: NDArray[np.float32]
    roughness: float
    visible: float
    hidden: float
    luminance: NDArray[np.float32] | None
    grey: bool
    orientation: int
    aspect: float
    sha256: bytes
    kept: tuple[Picture, NDArray[np.float16]] | None


@dataclass(frozen=True)
class Finished:
    """A picture coded within its budget; see :class:`~homing.activation.activator.Activated`.

    Its pixels at full size are not kept: a batch of them would be the peak of memory.
    """

    data: bytes
    psnr: float
    kind: str
    width: int
    height: int
    source_sha256: bytes
    ssim: float | None
    squashed: NDArray[np.uint8]
    notes: tuple[str, ...]


def prepare(
    source: Source,
    picture: Picture,
    size: int,
    *,
    limits: Limits,
    keep: bool,
    masking: Masking = PUBLISHED,
    enlarged: bool = False,
) -> Prepared:
    """Work out what the loop needs of a picture, on a grid of `size`; `enlarged`: looks enlarge."""
    encoded = picture.encoded
    squashed = read_squashed(encoded, size, limits=limits)
    full = _tolerance(picture, masking)
    reduced = upright(reduce_map(full, size), picture.orientation)
    tolerance = reduced
    if picture.alpha is not None:
        seen = (full * (picture.alpha / np.float32(picture.peak))).astype(np.float16)
        tolerance = upright(reduce_map(seen, size), picture.orientation)
    small = _mean_square(tolerance)
    roughness = math.sqrt(_mean_square(full) / small) if small > 0 else 1.0
    luminance = None if masking.luminance is None else masking.luminance(reduced)
    grey = picture.pixels.shape[2] == 1 or (not masking.tinting and _colourless(squashed))
    # A picture without colour has nothing but luminance to change.
    unseen = tolerance * luminance if grey and luminance is not None else tolerance
    return Prepared(
        source=source,
        squashed=squashed,
        finer=read_squashed(encoded, _FINER * size, limits=limits) if enlarged else None,
        tolerance=tolerance,
        roughness=roughness,
        visible=_visible(picture),
        hidden=_hidden(unseen, masking, grey=grey) * roughness,
        luminance=luminance,
        grey=grey,
        orientation=picture.orientation,
        aspect=_aspect(picture),
        sha256=hashlib.sha256(encoded).digest(),
        kept=(picture, full) if keep else None,
    )


def _colourless(squashed: NDArray[np.uint8]) -> bool:
    return int(np.ptp(squashed, axis=2).max()) <= _COLOURLESS


def _visible(picture: Picture) -> float:
    shown = 1.0 if picture.alpha is None else float(np.mean(picture.alpha > 0))
    return shown or 1.0  # of nothing, nothing changes


def _hidden(tolerance: NDArray[np.float32], masking: Masking, *, grey: bool) -> float:
    if masking.used is None:
        return math.inf
    channels = _mean_square(masking.weights(grey=grey))
    return masking.used * math.sqrt(_mean_square(tolerance) * channels)


def _aspect(picture: Picture) -> float:
    height, width = map(int, picture.pixels.shape[:2])
    return height / width if picture.orientation > _LAST_UNTURNED else width / height


def assemble(
    prepared: Sequence[Prepared],
    *,
    settings: LoopSettings,
    largest: Sequence[float],
    seed: int,
    device: torch.device,
    masking: Masking = PUBLISHED,
) -> Batch:
    """Stack prepared pictures into a batch for the loop; each with its :func:`largest_change`."""

    def tensor(arrays: Sequence[NDArray[np.floating]]) -> torch.Tensor:
        # Channels last in memory, as the network wants its input: mixed layouts cost more than
        # the arithmetic.
        return torch.from_numpy(np.stack(arrays).astype(np.float32)).to(device).permute(0, 3, 1, 2)

    size = prepared[0].squashed.shape[0]
    finer = [p.finer for p in prepared if p.finer is not None]
    edits = None
    if settings.edits != NO_EDITS:
        edits = draw_looks(prepared, settings.edits, settings.steps, seed=seed, purpose=FOR_EDITS)
    weights = [masking.weights(grey=p.grey) for p in prepared]
    muting = None
    if masking.luminance is not None:
        taken = [1 - _luminance_kept(p, most) for p, most in zip(prepared, largest, strict=True)]
        muting = Muting(tensor([each[None, None] for each in weights]), tensor(taken))
    squashed = [most / p.roughness for most, p in zip(largest, prepared, strict=True)]
    return Batch(
        pictures=tensor([p.squashed / np.float32(255) for p in prepared]),
        allowed=tensor(
            [p.tolerance[:, :, None] * w for p, w in zip(prepared, weights, strict=True)]
        ),
        grey=torch.tensor([p.grey for p in prepared], device=device),
        largest=torch.tensor(squashed, device=device),
        offsets=tensor([_noise(p.sha256, seed, settings, size) for p in prepared]),
        edits=edits,
        finer=tensor([f / np.float32(255) for f in finer]) if finer else None,
        muting=muting,
    )


def draw_looks(
    prepared: Sequence[Prepared], plan: EditPlan, steps: int, *, seed: int, purpose: int
) -> DrawnEdits:
    """Draw the edits of pictures for a number of steps, of each from its own bytes alone."""
    return stack_edits(
        [
            draw_edits(
                plan,
                steps,
                aspect=p.aspect,
                size=p.squashed.shape[0],
                generator=_generator(p.sha256, seed, purpose),
            )
            for p in prepared
        ]
    )


def _own_budget(prepared: Prepared, budget: float) -> float:
    """PSNR over all pixels at which those that are visible have the budget's, dB."""
    return budget - 10 * math.log10(prepared.visible)


def largest_change(prepared: Prepared, budget: float) -> float:
    """Greatest root mean square of a picture's change at full size, in units of the full range.

    The budget's, or less where little hides (:attr:`Prepared.hidden`).
    """
    return min(_change_at(_own_budget(prepared, budget)), prepared.hidden)


def level_of(prepared: Prepared, budget: float, change: float) -> float:
    """Share of its budget's root mean square that a change is."""
    return change / _change_at(_own_budget(prepared, budget))


def _change_at(decibels: float) -> float:
    """Root mean square of a change of that PSNR, in units of the full range."""
    return float(10 ** (-decibels / 20))


def _luminance_kept(prepared: Prepared, largest: float) -> NDArray[np.float32]:
    """Share of luminance that changes keep, (S, S, 1): more of smaller ones, which show less."""
    assert prepared.luminance is not None
    level = 1.0 if math.isinf(prepared.hidden) else largest / max(prepared.hidden, _TINY)
    share = prepared.luminance[:, :, None] / np.float32(max(level, _TINY))
    kept: NDArray[np.float32] = np.minimum(1, share)
    return kept


def finish(
    prepared: Prepared,
    picture: Picture,
    shares: NDArray[np.float32],
    *,
    budget: float,
    kind: str | None,
    limits: Limits,
    masking: Masking = PUBLISHED,
    least_ssim: float | None = None,
    level: float = 1.0,
) -> Finished:
    """Lay the change on the picture and code it within the budget.

    `shares`, (S, S, 3) and upright, are the signed shares of what each channel may change by. The
    change takes no more than `level` of the budget's root mean square, and less in a picture whose
    structural similarity would be below `least_ssim`. Both are those of what is visible.

    Raises
    ------
    PictureError
        `kind` differs from the picture's own and cannot hold it within the budget.
    """
    tolerance = prepared.kept[1] if prepared.kept else _tolerance(picture, masking)
    stored = as_stored(shares * masking.weights(grey=prepared.grey), prepared.orientation)
    channels = picture.pixels.shape[2]  # of a grey picture all three shares are alike
    change = full_change(stored[:, :, :channels], tolerance)
    kind = kind or picture.kind
    if kind == "WEBP" and channels == 1:  # which is always in colour
        picture = replace(picture, pixels=np.repeat(picture.pixels, 3, axis=2))
        change = np.repeat(change, 3, axis=2)
    whole = _own_budget(prepared, budget)
    coders = [_coder(picture, encoding, kind) for encoding in encodings(picture, kind=kind)]

    def fitted(share: float) -> tuple[Coded, float | None]:
        pixels, peak = picture.pixels, picture.peak
        coded = fit_to_budget(
            pixels, change, peak=peak, budget=whole, coders=coders, share=share
        ) or _unchanged(picture, kind, budget)
        return coded, ssim(pixels, coded.pixels, peak=peak)

    least = None if least_ssim is None else 1 - (1 - least_ssim) * prepared.visible
    coded, similarity = _alike_enough(fitted, level, least)
    notes = picture.notes
    if shows_nothing(prepared.squashed):
        notes = (*notes, SHOWS_NOTHING)
    if math.isinf(coded.psnr):
        unseen = f"left unchanged: rounding leaves nothing of what may change within {budget:g} dB"
        notes = (*notes, unseen)
    return Finished(
        data=coded.data,
        psnr=coded.psnr,
        kind=kind,
        width=picture.width,
        height=picture.height,
        source_sha256=prepared.sha256,
        ssim=similarity,
        squashed=read_squashed(coded.data, prepared.squashed.shape[0], limits=limits),
        notes=notes,
    )


def _alike_enough(
    fitted: Callable[[float], tuple[Coded, float | None]], level: float, least: float | None
) -> tuple[Coded, float | None]:
    """Change less until the file is alike enough; what coding itself costs stays."""
    coded, similarity = fitted(level)
    for _ in range(_STRICTER):
        if least is None or similarity is None or similarity >= least or coded.scale == 0:
            break
        # What is missing of similarity goes with the square of the change, nearly.
        level *= math.sqrt((1 - least) / (1 - similarity)) * _STRICTER_BY
        coded, similarity = fitted(level)
    return coded, similarity


def _tolerance(picture: Picture, masking: Masking) -> NDArray[np.float16]:
    """What may change unseen, zero where the picture is transparent and nothing shows."""
    tolerance = masking.tolerance(picture.pixels, peak=picture.peak)
    if picture.alpha is not None:
        tolerance *= picture.alpha > 0
    return tolerance


def _mean_square(array: NDArray[np.floating]) -> float:
    return float(np.mean(np.square(array, dtype=np.float32)))


# Drawn from the seed and the picture's own bytes: neither its place in the run nor the pictures
# beside it matter.
def _generator(sha256: bytes, seed: int, *purpose: int) -> np.random.Generator:
    return np.random.default_rng([seed, int.from_bytes(sha256[:8], "big"), *purpose])


def _noise(sha256: bytes, seed: int, settings: LoopSettings, size: int) -> NDArray[np.float64]:
    generator = _generator(sha256, seed)
    return generator.normal(scale=settings.initial_noise, size=(size, size, 3))


def _coder(picture: Picture, encoding: Encoding, kind: str) -> Coder:
    def code(pixels: NDArray[np.integer]) -> tuple[bytes, NDArray[np.integer]]:
        data = encode(picture, pixels, encoding=encoding, kind=kind)
        return data, decode_pixels(data)

    def preview(pixels: NDArray[np.integer]) -> NDArray[np.integer]:
        return round_trip(pixels, encoding)

    # A WebP block is predicted from its neighbours: of its rows alone, coding costs more.
    return Coder(encoding.name, encoding.lossy, code, preview if kind == "JPEG" else None)


def _unchanged(picture: Picture, kind: str, budget: float) -> Coded:
    if kind != picture.kind:
        raise PictureError(
            f"cannot be written as {kind} within {budget:g} dB, even without any change; "
            "choose a lossless format or a lower budget"
        )
    return Coded(picture.encoded, picture.pixels, math.inf, 0.0, "as it was")
