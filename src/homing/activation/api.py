"""Activation of pictures in memory: Pillow in, Pillow out."""

import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Unpack

from PIL import Image

from homing.activation.activator import Activated, Activator
from homing.codebooks.codebook import Codebook
from homing.codebooks.faiss_codebook import FaissCodebook
from homing.descriptors.descriptor import Descriptor
from homing.errors import PictureError, UsageError
from homing.options import Activation, ActivationKeywords


def activate(
    images: Iterable[Image.Image],
    descriptor: Descriptor,
    codebook: Codebook | FaissCodebook,
    **options: Unpack[ActivationKeywords],
) -> list[Image.Image]:
    """Activate pictures in memory.

    Parameters
    ----------
    images : iterable of PIL.Image.Image
        Grey or RGB, with or without alpha, 8 or 16 bit. Any sizes.
    descriptor : Descriptor
        The network whose descriptors are indexed.
    codebook : Codebook or FaissCodebook
        The frozen codebook of that index.
    psnr : float, default 42
        Least peak signal-to-noise ratio of each result against its original, dB. Methods named
        robust also keep SSIMULACRA2 above a floor, and mostly stay above this PSNR.
    method : str, default "robust"
        Name of the activation method: `homing.activation.METHODS`.
    seed : int, default 0
        Seed for randomness. Same seed, same result, whatever the
        other pictures are.
    also : sequence of Codebook, default none
        Further codebooks of the descriptor that the same change serves: a new generation beside the
        old one, or a partner's.

    Returns
    -------
    list of PIL.Image.Image
        In the order of `images`, of the same sizes and modes (a palette becomes RGB). Places of
        exactly one colour are unchanged. Save the results in a lossless format, or as JPEG of
        quality 90 or better; `paper` changes colour too, of which chroma subsampling loses part.
        A JPEG file keeps its own coding only by :meth:`homing.Archive.release` or ``homing
        activate``.

    Raises
    ------
    PictureError
        An image is of a kind that cannot be activated.
    CodebookError
        A codebook is of another descriptor.
    UsageError
        A codebook is given twice, the method is unknown, or an option is out of range.

    Examples
    --------
    >>> import homing
    >>> from PIL import Image
    >>> descriptor = homing.load_descriptor("homing-s")  # doctest: +SKIP
    >>> codebook = homing.load_codebook("homing-s-IVF1024-PQ8x8")  # doctest: +SKIP
    >>> photo = Image.open("photo.jpg")  # doctest: +SKIP
    >>> (activated,) = homing.activate([photo], descriptor, codebook)  # doctest: +SKIP
    >>> activated.save("photo.png")  # doctest: +SKIP
    """
    activator = Activator.of(descriptor, codebook, in_memory(activate, options))
    return [as_image(result) for result in activator.run(as_png(images))]


def in_memory(function: Callable[..., Any], options: ActivationKeywords) -> Activation:
    """Return the options of an activation in memory; UsageError if they name a format."""
    activation = Activation.of(function, options)
    if activation.format is not None:
        raise UsageError("pictures in memory have no format: save the results in one")
    return activation


def as_png(images: Iterable[Image.Image]) -> Iterator[bytes]:
    """Encode images, with the orientation that their EXIF gives."""
    for image in images:
        if not isinstance(image, Image.Image):
            raise UsageError(
                f"give a list of Pillow's pictures, opened with PIL.Image.open, not {image!r:.80}"
            )
        buffer = io.BytesIO()
        try:
            image.save(buffer, "PNG", compress_level=1, exif=image.getexif())
        except (OSError, ValueError) as error:
            raise PictureError(
                f"an image of mode {image.mode} cannot be activated ({error}); convert it to RGB"
            ) from error
        yield buffer.getvalue()


def as_image(result: Activated | PictureError) -> Image.Image:
    """Decode a result, or raise its error."""
    if isinstance(result, PictureError):
        raise result
    image = Image.open(io.BytesIO(result.data))
    image.load()
    return image
