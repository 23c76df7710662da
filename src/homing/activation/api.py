"""Activating pictures in memory: Pillow in, Pillow out."""

import io
from collections.abc import Iterable, Iterator
from typing import Unpack

from PIL import Image

from homing.activation.activator import Activator
from homing.codebooks import Codebook
from homing.descriptors import Descriptor
from homing.errors import PictureError, UsageError
from homing.options import Activation, ActivationKeywords


def activate(
    images: Iterable[Image.Image],
    descriptor: Descriptor,
    codebook: Codebook,
    **options: Unpack[ActivationKeywords],
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
    psnr : float, default 42
        Least peak signal-to-noise ratio of each result against its original, dB.
    method : str, default "robust"
        Name of the activation method: `homing.activation.METHODS`.
    seed : int, default 0
        Of the initial noise and of the edits drawn. Same seed, same result, whatever the other
        pictures are.
    also : sequence of Codebook, default none
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
        A codebook is given twice, there is no such method, or an option is out of range.
    """
    activation = Activation(**options)
    if activation.format is not None:
        raise UsageError("pictures in memory have no format: save the results in one")
    activator = Activator.of(descriptor, codebook, activation)
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
