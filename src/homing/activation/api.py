"""Activating pictures in memory: Pillow in, Pillow out."""

import io
from collections.abc import Iterable, Iterator, Sequence

from PIL import Image

from homing.activation.activator import Activator
from homing.activation.methods import find_method
from homing.codebooks import Codebook
from homing.descriptors import Descriptor
from homing.errors import PictureError
from homing.options import METHOD


def activate(
    images: Iterable[Image.Image],
    descriptor: Descriptor,
    codebook: Codebook,
    *,
    psnr: float = 42.0,
    method: str = METHOD,
    seed: int = 0,
    also: Sequence[Codebook] = (),
) -> list[Image.Image]:
    """Activate pictures held in memory.

    Parameters
    ----------
    images : iterable of PIL.Image.Image
        Grey or RGB, with or without alpha, 8 or 16 bit. Any sizes.
    descriptor : Descriptor
        The network whose descriptors are indexed.
    codebook : Codebook
        The frozen codebook of that index.
    psnr : float
        Least peak signal-to-noise ratio of each result against its original, dB.
    method : str
        Name of the activation method: `homing.activation.METHODS`.
    seed : int
        Of the initial noise and of the edits drawn. Same seed, same result, whatever the other
        pictures are.
    also : sequence of Codebook
        Further codebooks of the descriptor that the same change serves: a new generation beside the
        old one, or a partner's.

    Returns
    -------
    list of PIL.Image.Image
        In the order given, of the same sizes and modes (a palette becomes RGB). Save them in a
        lossless format, or as JPEG of quality 90 or better without chroma subsampling.

    Raises
    ------
    PictureError
        An image is of a kind that cannot be activated.
    CodebookError
        A codebook is of another descriptor.
    UsageError
        A codebook is given twice, or there is no such method.
    """
    activator = Activator(
        descriptor, codebook, find_method(method), budget=psnr, seed=seed, also=tuple(also)
    )
    return [_image(result) for result in activator.run(_as_png(images))]


def _as_png(images: Iterable[Image.Image]) -> Iterator[bytes]:
    for image in images:
        buffer = io.BytesIO()
        try:
            image.save(buffer, "PNG", compress_level=1, exif=image.getexif())
        except (OSError, ValueError) as error:
            raise PictureError(
                f"an image of mode {image.mode} cannot be activated ({error}); convert it to RGB"
            ) from error
        yield buffer.getvalue()


def _image(result: object) -> Image.Image:
    if isinstance(result, PictureError):
        raise result
    image = Image.open(io.BytesIO(result.data))  # type: ignore[attr-defined]
    image.load()
    return image
