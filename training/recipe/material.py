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

_SIDE = 256  # pixels of the shorter side; views are 160, and a crop should keep its detail
_QUALITY = 92
_GENERATED_SIZE = (256, 192)
_VERSION = 2  # of the packed file; another number packs again


@dataclass(frozen=True)
class Material:
    """Pictures packed one after the other in a file.

    Attributes
    ----------
    path : Path
        The file of encoded pictures.
    offsets : array (n + 1,), int64
        Where each begins in it.
    """

    path: Path
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def picture(self, number: int) -> NDArray[np.uint8]:
        """One picture, (H, W, 3) RGB."""
        first, last = int(self.offsets[number]), int(self.offsets[number + 1])
        encoded = np.fromfile(self.path, np.uint8, count=last - first, offset=first)
        decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR_RGB)
        assert decoded is not None, f"picture {number} of {self.path} is damaged: pack again"
        return decoded


def pack(photos: Sequence[Path], work: Path, *, generated: int, seed: int) -> Material:
    """Shrink photographs, add generated pictures, and write all into one file; or find it there.

    Parameters
    ----------
    photos : sequence of Path
        Files and folders. What cannot be read is named and left out.
    work : Path
        Folder for the packed file.
    generated : int
        Number of pictures of text, flat graphics, charts and fractals to add, so that the
        descriptor separates such pictures too.
    seed : int
        Of the generated pictures and of the order: pictures are shuffled, so that any tail of them
        may serve for validation.
    """
    paths = [found.path for found in find_pictures(photos)]
    asked = [_VERSION, generated, seed, *(f"{p}:{p.stat().st_size}" for p in paths)]
    key = hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:16]
    data, index = work / f"material-{key}.bin", work / f"material-{key}.npy"
    if not index.exists():
        order = np.random.default_rng(seed).permutation(len(paths)).tolist()
        _write(data, index, _encoded([paths[i] for i in order], generated, seed))
    return Material(data, np.load(index, allow_pickle=False))


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file beside `path` that takes its place once it is whole; runs may write at once."""
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
    with replacing(index) as file:  # last: its presence says that the data are whole
        np.save(file, np.array(offsets))


def _encoded(paths: Sequence[Path], generated: int, seed: int) -> Iterator[bytes]:
    """Generated pictures first, then photographs: the tail, for validation, is photographs."""
    for number in range(generated):
        picture = generated_picture(np.random.default_rng([seed, number]), _GENERATED_SIZE)
        yield _as_webp(picture)
    for path in paths:
        try:
            with Image.open(path) as opened:
                if opened.format == "WEBP" and min(opened.size) <= _SIDE:
                    yield path.read_bytes()
                    continue
                opened.draft("RGB", (_SIDE, _SIDE))
                picture = ImageOps.exif_transpose(opened).convert("RGB")
        except (OSError, ValueError) as error:
            print(f"left out {path}: {error}", flush=True)
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
