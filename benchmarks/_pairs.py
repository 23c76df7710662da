"""Released files and their sources: paired by name, read as equal samples."""

import io
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from homing.errors import PictureError
from homing.images import find_pictures, read_picture, upright


@dataclass(frozen=True)
class Pair:
    """A source and the file released of it."""

    name: str  # of the released file, beneath its folder
    source: Path
    released: Path | bytes


@dataclass(frozen=True, eq=False)
class Pixels:
    """A picture's samples, upright: (h, w, 1) or (h, w, 3) of 0..peak."""

    samples: np.ndarray
    peak: int
    quality: int | None  # estimated, of a JPEG


def pair_files(sources: Path, released: Path) -> tuple[list[Pair], list[str]]:
    """Pair the pictures of two folders; return the pairs, and names that have no source.

    A released file's source has its path beneath the folder, or else that path without the
    extension, or else its stem anywhere, if one source alone has it.
    """
    found = [each.path for each in find_pictures([sources])]
    named: dict[tuple[str, str], list[Path]] = defaultdict(list)
    for path in found:
        for key in _keys(path.relative_to(sources)):
            named[key].append(path)
    pairs, without = [], []
    for path in (each.path for each in find_pictures([released])):
        beneath = path.relative_to(released)
        fitting = (named.get(key, []) for key in _keys(beneath))
        source = next((paths[0] for paths in fitting if len(paths) == 1), None)
        if source is None:
            without.append(str(beneath))
        else:
            pairs.append(Pair(str(beneath), source, path))
    return pairs, without


def _keys(beneath: Path) -> tuple[tuple[str, str], ...]:
    bare = str(beneath.with_suffix(""))
    return ("path", str(beneath)), ("path without extension", bare), ("stem", beneath.stem)


def read_pair(pair: Pair) -> tuple[Pixels, Pixels]:
    """Read source and released file as samples of one shape and one peak.

    A grey source of a coloured file is repeated, and one of 8 bits scaled to a file's 16.
    """
    original, released = (read_pixels(path) for path in (pair.source, pair.released))
    peak = max(original.peak, released.peak)
    samples = [
        each.samples * (peak // each.peak) if each.peak < peak else each.samples
        for each in (original, released)
    ]
    channels = max(each.shape[2] for each in samples)
    a, b = (np.broadcast_to(each, (*each.shape[:2], channels)) for each in samples)
    if a.shape != b.shape:
        raise PictureError(f"{pair.name}: the source is {a.shape}, the released file {b.shape}")
    return Pixels(a, peak, original.quality), Pixels(b, peak, released.quality)


def read_pixels(source: Path | bytes) -> Pixels:
    """Read a picture as a release would; by Pillow, as RGB of 8 bits, if that refuses it."""
    try:
        picture = read_picture(source)
    except PictureError:
        try:
            with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
                samples = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
        except (OSError, Image.DecompressionBombError) as error:
            raise PictureError(str(error)) from error
        return Pixels(samples, 255, None)
    shown, peak = picture.samples.displayed(picture.pixels)
    samples = upright(shown, picture.orientation)
    return Pixels(samples, peak, picture.quality)


def spread_places(length: int, part: int, count: int) -> Sequence[int]:
    """Return evenly spaced starts of parts of a length, each once."""
    room = max(length - part, 0)
    return sorted({round(room * n / max(count - 1, 1)) for n in range(count)})
