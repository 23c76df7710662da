"""Training photographs: small encoded copies in one file, read on demand."""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from homing.demo.generated import generated_picture
from homing.images import find_pictures

_SIDE = 256  # pixels of the shorter side; views have 160, and crops need more detail
_QUALITY = 92
_GENERATED_SIZE = (256, 192)
_VERSION = 2  # of the packed file; a new number packs anew


@dataclass(frozen=True)
class Material:
    """Pictures packed one after the other in a file."""

    path: Path  # of the encoded pictures
    offsets: NDArray[np.int64]  # (n + 1,): start of each picture in the file, and the end

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def picture(self, number: int) -> NDArray[np.uint8]:
        """Read a picture, (H, W, 3) uint8 RGB."""
        first, last = int(self.offsets[number]), int(self.offsets[number + 1])
        encoded = np.fromfile(self.path, np.uint8, count=last - first, offset=first)
        decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR_RGB)
        assert decoded is not None, (
            f"picture {number} of {self.path} is damaged: delete {self.path.stem}.* and run again"
        )
        return decoded


def pack(photos: Sequence[Path], work: Path, *, generated: int, seed: int) -> Material:
    """Shrink photographs, add generated pictures, and write all to one file in `work`, or reuse it.

    Unreadable files are printed and skipped. `generated` pictures of text, flat graphics, charts
    and fractals are added, so that the descriptor separates such pictures too. Photographs are
    shuffled, so that any tail of them can serve for validation.
    """
    paths = [found.path for found in find_pictures(photos)]
    inputs = [_VERSION, generated, seed, *(f"{p}:{p.stat().st_size}" for p in paths)]
    key = hashlib.sha256(json.dumps(inputs).encode()).hexdigest()[:16]
    data, index = work / f"material-{key}.bin", work / f"material-{key}.npy"
    if not index.exists():
        order = np.random.default_rng(seed).permutation(len(paths)).tolist()
        _write(data, index, _encode([paths[i] for i in order], generated, seed))
    return Material(data, np.load(index, allow_pickle=False))


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Yield a temporary file that replaces `path` when complete; concurrent runs are safe."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{os.getpid()}-{path.name}")
    with beside.open("wb") as file:
        yield file
    beside.replace(path)


def _write(data: Path, index: Path, pictures: Iterator[bytes]) -> None:
    offsets = [0]
    with replacing(data) as file:
        for encoded in pictures:
            file.write(encoded)
            offsets.append(offsets[-1] + len(encoded))
    with replacing(index) as file:  # last: its presence marks the data as complete
        np.save(file, np.array(offsets))


def _encode(paths: Sequence[Path], generated: int, seed: int) -> Iterator[bytes]:
    """Yield generated pictures, then photographs, so that the tail for validation has these."""
    for number in range(generated):
        picture = generated_picture(np.random.default_rng([seed, number]), _GENERATED_SIZE)
        yield _as_webp(picture)
    for path in paths:
        try:
            with Image.open(path) as image:
                if image.format == "WEBP" and min(image.size) <= _SIDE:
                    yield path.read_bytes()
                    continue
                image.draft("RGB", (_SIDE, _SIDE))
                picture = ImageOps.exif_transpose(image).convert("RGB")
        except (OSError, ValueError) as error:
            print(f"skipped {path}: {error}", flush=True)
            continue
        scale = _SIDE / min(picture.size)
        if scale < 1:
            size = (round(picture.width * scale), round(picture.height * scale))
            picture = picture.resize(size, Image.Resampling.LANCZOS)
        yield _as_webp(picture)


def _as_webp(picture: Image.Image) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, "WEBP", quality=_QUALITY, method=1)
    return buffer.getvalue()
