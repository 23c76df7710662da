"""The descriptor: from pictures to unit vectors, the same for everything that homing does."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from os import PathLike

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional as F

from homing.descriptors.device import resolve_device
from homing.descriptors.networks import FunctionNetwork, Network
from homing.descriptors.rule import InputRule, make_fingerprint
from homing.errors import DescriptorError, PictureError, UsageError
from homing.images import read_squashed, shown, squash
from homing.options import DEFAULT_LIMITS, Limits

#: A PIL image, an encoded file's path or bytes, or (S, S, 3) uint8 squashed already.
PictureLike = Image.Image | str | PathLike[str] | bytes | NDArray[np.uint8]

_BATCH = 16  # a picture in sixteen takes half the time of a picture alone; more gains little
_READERS = 2  # threads that decode while the network computes


@dataclass(frozen=True, eq=False)
class Descriptor:
    """Maps pictures to unit vectors: two copies of a picture get near vectors.

    Immutable, and safe to use from several threads at once: its weights are fixed and nothing is
    kept between calls. Made by :func:`load_descriptor` and :func:`descriptor_from_callable`.

    Attributes
    ----------
    name, version : str
        ``"homing-s"``, ``"1"``.
    dimension : int
        D, the length of the vectors.
    rule : InputRule
        How pixels are prepared.
    fingerprint : str
        SHA-256 (hexadecimal) of the weights as stored, the architecture, the input rule and the
        version: equal on every machine, and never of a path.
    device : torch.device
    dtype : torch.dtype
        float32, or float64 after :meth:`double`.
    """

    name: str
    version: str
    dimension: int
    rule: InputRule
    fingerprint: str
    network: Network = field(repr=False)
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    dtype: torch.dtype = torch.float32

    @property
    def input_size(self) -> int:
        """S, the side in pixels of the square that pictures are squashed to."""
        return self.rule.size

    def to(
        self, device: str | torch.device | None = None, dtype: torch.dtype | None = None
    ) -> "Descriptor":
        """Copy the descriptor to another device or precision; the fingerprint stays.

        Parameters
        ----------
        device : str or torch.device, optional
            As :func:`load_descriptor` takes it.
        dtype : torch.dtype, optional
            torch.float32 or torch.float64.

        Raises
        ------
        UsageError
            There is no such device here.
        """
        where = self.device if device is None else resolve_device(device)
        what = self.dtype if dtype is None else dtype
        return replace(self, network=self.network.to(where, what), device=where, dtype=what)

    def double(self) -> "Descriptor":
        """Copy the descriptor to float64, for checks of gradients and of rounding."""
        return self.to(dtype=torch.float64)

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Describe pictures ready-made, differentiably.

        Parameters
        ----------
        batch : torch.Tensor
            (B, 3, S, S) RGB in [0, 1], upright, squashed; converted to the descriptor's device,
            precision and memory layout.

        Returns
        -------
        torch.Tensor
            (B, D) of unit length; differentiable with respect to `batch`. The weights take no part
            in the gradient.

        Raises
        ------
        UsageError
            The batch has another shape.
        DescriptorError
            The network gave something other than (B, D).
        """
        size = self.input_size
        if batch.dim() != 4 or tuple(batch.shape[1:]) != (3, size, size):
            raise UsageError(
                f"{self.name} takes (B, 3, {size}, {size}), not {tuple(batch.shape)}; "
                "squash the pictures first."
            )
        inputs = self.rule.apply(batch.to(self.device, self.dtype))
        features = self.network(inputs.contiguous(memory_format=torch.channels_last))
        if tuple(features.shape) != (len(batch), self.dimension):
            raise DescriptorError(
                f"{self.name}: the network gave {tuple(features.shape)} for {len(batch)} pictures "
                f"instead of {(len(batch), self.dimension)}; correct its dimension."
            )
        return F.normalize(features, dim=1)

    def describe(
        self, pictures: Sequence[PictureLike], *, limits: Limits = DEFAULT_LIMITS
    ) -> NDArray[np.float32]:
        """Describe pictures in memory or in files.

        Parameters
        ----------
        pictures : sequence
            Each a PIL image, a path, an encoded file's bytes, or an array (S, S, 3) uint8 squashed
            already.
        limits : Limits
            What is decoded at most.

        Returns
        -------
        numpy.ndarray
            (n, D) float32, of unit length.

        Raises
        ------
        PictureError
            A picture cannot be read; the message names it.
        UsageError
            An array is not (S, S, 3) uint8.
        """
        found = [
            self.describe_squashed(np.stack(chunk), pad=len(pictures) > 1)
            for chunk in self._squashed(pictures, limits)
        ]
        if not found:
            return np.empty((0, self.dimension), np.float32)
        return np.concatenate(found)

    def _squashed(
        self, pictures: Sequence[PictureLike], limits: Limits
    ) -> Iterator[list[NDArray[np.uint8]]]:
        """Read in chunks of a batch, the next while the caller computes with this one."""

        def read(place: int) -> NDArray[np.uint8]:
            try:
                return self._read(pictures[place], limits)
            except PictureError as error:
                picture = pictures[place]
                name = f"picture {place + 1} of {len(pictures)}"
                if isinstance(picture, str | PathLike):
                    name = shown(picture)
                raise PictureError(f"{name}: {error}") from error

        with ThreadPoolExecutor(_READERS) as readers:
            ahead = None
            for first in range(0, len(pictures), _BATCH):
                places = range(first, min(first + _BATCH, len(pictures)))
                chunk = [readers.submit(read, place) for place in places]
                if ahead is not None:
                    yield [picture.result() for picture in ahead]
                ahead = chunk
            if ahead is not None:
                yield [picture.result() for picture in ahead]

    def _read(self, picture: PictureLike, limits: Limits) -> NDArray[np.uint8]:
        if isinstance(picture, np.ndarray):
            squashed: NDArray[np.uint8] = self._checked(picture[None])[0]
            return squashed
        if isinstance(picture, Image.Image):
            return squash(picture, self.input_size)
        return read_squashed(picture, self.input_size, limits=limits)

    def describe_squashed(
        self, squashed: NDArray[np.uint8], *, batch: int = _BATCH, pad: bool = False
    ) -> NDArray[np.float32]:
        """Describe pictures squashed already.

        Several pictures go in chunks of exactly `batch`, the last one filled with zeros: at one
        fixed shape a row does not depend, to the last bit, on its companions or its place, so the
        same picture gets the same vector in every run. One picture goes alone, which is quicker
        and may differ in the last bits, unless `pad` asks otherwise.

        Parameters
        ----------
        squashed : numpy.ndarray
            (n, S, S, 3) uint8 RGB, upright.
        batch : int
            Pictures that go through the network together, at least 1.
        pad : bool
            Fill up a single picture's batch too.

        Returns
        -------
        numpy.ndarray
            (n, D) float32, of unit length.

        Raises
        ------
        UsageError
            The array has another shape or dtype, or `batch` is below 1.
        DescriptorError
            The network gave values that are not finite.
        """
        self._checked(squashed)
        if batch < 1:
            raise UsageError(f"a batch of {batch} pictures: give at least 1.")
        count = len(squashed)
        vectors = np.empty((count, self.dimension), np.float32)
        rows = 1 if count == 1 and not pad else batch
        for first in range(0, count, rows):
            chunk = squashed[first : first + rows]
            if len(chunk) < rows:
                filling = np.zeros((rows - len(chunk), *chunk.shape[1:]), np.uint8)
                chunk = np.concatenate([chunk, filling])
            vectors[first : first + rows] = self._describe_chunk(chunk)[: count - first]
        if not np.isfinite(vectors).all():
            raise DescriptorError(
                f"{self.name}: the network gave values that are not finite numbers; "
                "its weights or its function are at fault."
            )
        return vectors

    def _checked(self, squashed: NDArray[np.uint8]) -> NDArray[np.uint8]:
        size = self.input_size
        if squashed.dtype != np.uint8 or squashed.shape[1:] != (size, size, 3):
            raise UsageError(
                f"{self.name} takes squashed pictures ({size}, {size}, 3) uint8, "
                f"not {squashed.shape[1:]} {squashed.dtype}; use homing.images.read_small."
            )
        return squashed

    def _describe_chunk(self, chunk: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode():
            # A copy: torch warns of sharing memory with an array that is read-only.
            pixels = torch.tensor(chunk, device=self.device).permute(0, 3, 1, 2)
            vectors = self.forward(pixels.to(self.dtype) / 255)
            found: NDArray[np.float32] = vectors.float().cpu().numpy()
        return found


def descriptor_from_callable(
    function: Callable[[torch.Tensor], torch.Tensor],
    *,
    name: str,
    dimension: int,
    input_size: int,
    fingerprint: str | None = None,
) -> Descriptor:
    """Make a descriptor of a Python function.

    Parameters
    ----------
    function : callable
        Tensor (B, 3, S, S), RGB in [0, 1] -> tensor (B, D), of any length. To be activated for, it
        must be differentiable; to be used from threads, safe for that. It should be in evaluation
        mode, its parameters without gradients.
    name : str
        What archives call it.
    dimension : int
        D.
    input_size : int
        S, pixels.
    fingerprint : str, optional
        Names what the function computes; a change of weights must change it. Without one it is
        made of name, dimension and size only, since a function's bytes are not to be had: then
        give changed weights another name, or an archive takes them for the old ones.

    Returns
    -------
    Descriptor
        On the CPU; with :meth:`Descriptor.to` its inputs go to another device, where the function
        must be already.

    Raises
    ------
    DescriptorError
        The name is empty, or dimension or size are not positive.
    """
    if not name or dimension < 1:
        raise DescriptorError(
            f"name {name!r}, dimension {dimension}: a descriptor needs a name and a dimension "
            "above 0."
        )
    rule = InputRule(input_size)
    named = fingerprint or make_fingerprint(
        architecture="function",
        version="1",
        dimension=dimension,
        rule=rule,
        weights=hashlib.sha256(name.encode()).hexdigest(),
    )
    return Descriptor(name, "1", dimension, rule, named, FunctionNetwork(function))
