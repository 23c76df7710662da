"""Activation of tensors inside a PyTorch pipeline: a generator's last step."""

from collections.abc import Sequence
from typing import Unpack

import numpy as np
import torch
from PIL import Image

from homing.activation.activator import Activator
from homing.activation.api import as_image, as_png, in_memory
from homing.codebooks.codebook import Codebook
from homing.codebooks.faiss_codebook import FaissCodebook
from homing.descriptors.descriptor import Descriptor
from homing.errors import UsageError
from homing.options import ActivationKeywords

_PEAK = 255
_TYPES = (torch.uint8, torch.float16, torch.float32, torch.float64)


class ActivationLayer(torch.nn.Module):
    """Activate batches of pictures inside a pipeline, as its last step.

    It has no parameters, and no gradient passes through it. The network runs on the device of the
    pictures. Pictures are rounded to 8 bits, where the budget is kept: save them losslessly.

    Parameters
    ----------
    descriptor : Descriptor
    codebook : Codebook or FaissCodebook
    psnr, method, seed, also
        As for :func:`activate`.

    Raises
    ------
    CodebookError
        A codebook is of another descriptor.
    UsageError
        An option is out of range.

    Examples
    --------
    >>> generator = torch.nn.Sequential(
    ...     decoder, homing.ActivationLayer(descriptor, codebook)
    ... )  # doctest: +SKIP
    >>> pictures = generator(latents)  # doctest: +SKIP
    """

    def __init__(
        self,
        descriptor: Descriptor,
        codebook: Codebook | FaissCodebook,
        **options: Unpack[ActivationKeywords],
    ) -> None:
        super().__init__()
        self.descriptor = descriptor
        self.codebook = codebook
        self.options = in_memory(type(self), options)
        self._activator(descriptor)  # refuses, before the pipeline runs, what cannot be

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Activate a batch.

        Parameters
        ----------
        images : torch.Tensor
            (B, 3, H, W) RGB or (B, 1, H, W) grey, uint8, or float in [0, 1]; float values beyond
            are clipped.

        Returns
        -------
        torch.Tensor
            Of the same shape, type and device, without gradient; float values are whole 255ths.

        Raises
        ------
        UsageError
            The batch has another shape or type, or holds NaN.
        """
        pictures = _as_images(images)
        descriptor = self.descriptor
        if descriptor.device.type != images.device.type or (
            images.device.index not in (None, descriptor.device.index)
        ):
            self.descriptor = descriptor = descriptor.to(images.device)
        results = self._activator(descriptor).run(as_png(pictures))
        return _as_tensor([as_image(each) for each in results], images)

    def _activator(self, descriptor: Descriptor) -> Activator:
        return Activator.of(descriptor, self.codebook, self.options)


def activate_tensors(
    images: torch.Tensor,
    descriptor: Descriptor,
    codebook: Codebook | FaissCodebook,
    **options: Unpack[ActivationKeywords],
) -> torch.Tensor:
    """Activate a batch of pictures that is a tensor; see :class:`ActivationLayer`.

    Parameters
    ----------
    images : torch.Tensor
        (B, 3, H, W) RGB or (B, 1, H, W) grey, uint8, or float in [0, 1], on any device.
    descriptor : Descriptor
    codebook : Codebook or FaissCodebook
    psnr, method, seed, also
        As for :func:`activate`.

    Returns
    -------
    torch.Tensor
        Of the same shape, type and device, without gradient; float values are whole 255ths.

    Examples
    --------
    >>> released = homing.activate_tensors(images, descriptor, codebook)  # doctest: +SKIP
    """
    result: torch.Tensor = ActivationLayer(descriptor, codebook, **options)(images)
    return result


def _as_images(images: torch.Tensor) -> list[Image.Image]:
    if images.dim() != 4 or images.shape[1] not in (1, 3) or images.dtype not in _TYPES:
        raise UsageError(
            f"expected pictures (B, 3, H, W) or (B, 1, H, W), of type uint8, float16, float32 or "
            f"float64, not {tuple(images.shape)} {images.dtype}"
        )
    values = images.detach().cpu()
    if values.is_floating_point():
        if values.isnan().any():
            raise UsageError("the pictures hold NaN")
        values = (values.float().clamp(0, 1) * _PEAK).round().to(torch.uint8)
    arrays = values.permute(0, 2, 3, 1).contiguous().numpy()
    return [Image.fromarray(each[..., 0] if each.shape[2] == 1 else each) for each in arrays]


def _as_tensor(results: Sequence[Image.Image], like: torch.Tensor) -> torch.Tensor:
    if not results:
        return like.detach().clone()
    pixels = np.stack([np.asarray(each) for each in results])
    values = torch.from_numpy(pixels).reshape(len(results), *like.shape[2:], like.shape[1])
    values = values.permute(0, 3, 1, 2).contiguous()
    if like.is_floating_point():
        return (values.to(like.device).float() / _PEAK).to(like.dtype)
    return values.to(like.device)
