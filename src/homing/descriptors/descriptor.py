"""Descriptor: from pictures to unit vectors."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from os import PathLike
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional as F

from homing.descriptors.preprocessing import InputRule, make_fingerprint
from homing.errors import DescriptorError, PictureError, UsageError
from homing.images.limits import shown
from homing.images.read_small import read_squashed, squash
from homing.options import DEFAULT_LIMITS, Limits

PictureLike = Image.Image | str | PathLike[str] | bytes | NDArray[np.uint8]
"""A PIL image, an encoded file's path or bytes, or (S, S, 3) uint8 squashed already."""

_BATCH = 16  # a picture in sixteen takes half the time of a picture alone; more gains little
_READERS = 2  # threads that decode while the network computes


class Network(Protocol):
    """Computes features (B, D), of any length, of preprocessed pixels (B, 3, S, S)."""

    def __call__(self, inputs: torch.Tensor, /) -> torch.Tensor:
        """Compute the features, differentiably."""
        ...

    def to(self, device: torch.device, dtype: torch.dtype) -> "Network":
        """Copy to another device or precision."""
        ...


@dataclass(frozen=True, eq=False)
class _FunctionNetwork:
    """A user's Python function, who is in charge of its weights."""

    function: Callable[[torch.Tensor], torch.Tensor]

    def __call__(self, inputs: torch.Tensor, /) -> torch.Tensor:
        return self.function(inputs)

    def to(self, device: torch.device, dtype: torch.dtype) -> "_FunctionNetwork":  # noqa: ARG002
        return self  # inputs will come on that device and in that precision


def resolve_device(device: str | torch.device) -> torch.device:
    """Return the device of a name: "cpu", "cuda", "cuda:1", "mps", or "auto" (a GPU if any)."""
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        found = torch.device(device)
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UsageError(
            f"device {str(device)!r} cannot be used here; use 'auto' or 'cpu'."
        ) from error
    return found


@dataclass(frozen=True, eq=False)
class Descriptor:
    """Map from pictures to unit vectors: two copies of a picture get near vectors.

    Immutable, and safe to use from several threads at once: its weights are fixed and calls leave
    no trace. Made by :func:`load_descriptor` and :func:`descriptor_from_callable`.

    Attributes
    ----------
    name, version : str
        ``"homing-s"``, ``"1"``.
    dimension : int
        D, the length of the vectors.
    rule : InputRule
        Preprocessing of the pixels.
    fingerprint : str
        SHA-256 (hexadecimal) of the weights as stored, the architecture, the input rule and the
        version: equal on every machine, and independent of paths.
    device : torch.device
    dtype : torch.dtype
        float32, or float64 after :meth:`double`.

    Examples
    --------
    >>> import homing
    >>> descriptor = homing.load_descriptor("homing-s")
    >>> vectors = descriptor.describe(["a.jpg", "b.png"])
    >>> similarity = vectors[0] @ vectors[1]
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
            This machine has no such device.
        """
        device = self.device if device is None else resolve_device(device)
        dtype = self.dtype if dtype is None else dtype
        network = self.network.to(device, dtype)
        return replace(self, network=network, device=device, dtype=dtype)

    def double(self) -> "Descriptor":
        """Copy the descriptor to float64, for checks of gradients and of rounding."""
        return self.to(dtype=torch.float64)

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Describe a batch of pixels, differentiably.

        Parameters
        ----------
        batch : torch.Tensor
            (B, 3, S, S) RGB in [0, 1], upright, squashed; converted to the descriptor's device,
            precision and memory layout.

        Returns
        -------
        torch.Tensor
            (B, D) of unit length; differentiable with respect to `batch` alone, not the weights.

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
            The most pixels and bytes of one picture.

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
        chunks = [
            self.describe_squashed(np.stack(chunk), pad=len(pictures) > 1)
            for chunk in self._read_chunks(pictures, limits)
        ]
        if not chunks:
            return np.empty((0, self.dimension), np.float32)
        return np.concatenate(chunks)

    def _read_chunks(
        self, pictures: Sequence[PictureLike], limits: Limits
    ) -> Iterator[list[NDArray[np.uint8]]]:
        """Yield the pictures squashed, a batch at a time, and read the next batch meanwhile."""

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
            squashed: NDArray[np.uint8] = self._check_squashed(picture[None])[0]
            return squashed
        if isinstance(picture, Image.Image):
            return squash(picture, self.input_size)
        return read_squashed(picture, self.input_size, limits=limits)

    def describe_squashed(
        self, squashed: NDArray[np.uint8], *, batch: int = _BATCH, pad: bool = False
    ) -> NDArray[np.float32]:
        """Describe pictures that are squashed already.

        Several pictures go in chunks of exactly `batch`, the last one filled with zeros: at one
        fixed shape a row does not depend, to the last bit, on its companions or its place, so the
        same picture gets the same vector in every run. One picture goes alone, which is quicker
        and may differ in the last bits, unless `pad` is true.

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
        self._check_squashed(squashed)
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

    def _check_squashed(self, squashed: NDArray[np.uint8]) -> NDArray[np.uint8]:
        size = self.input_size
        if squashed.dtype != np.uint8 or squashed.shape[1:] != (size, size, 3):
            raise UsageError(
                f"{self.name} takes squashed pictures ({size}, {size}, 3) uint8, "
                f"not {squashed.shape[1:]} {squashed.dtype}; use homing.images.squash."
            )
        return squashed

    def _describe_chunk(self, chunk: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode():
            # A copy: torch warns of sharing memory with an array that is read-only.
            pixels = torch.tensor(chunk, device=self.device).permute(0, 3, 1, 2)
            features = self.forward(pixels.to(self.dtype) / 255)
            vectors: NDArray[np.float32] = features.float().cpu().numpy()
        return vectors


def descriptor_from_callable(
    function: Callable[[torch.Tensor], torch.Tensor],
    *,
    name: str,
    dimension: int,
    input_size: int,
    fingerprint: str | None = None,
) -> Descriptor:
    """Make a descriptor from a Python function.

    Parameters
    ----------
    function : callable
        Tensor (B, 3, S, S), RGB in [0, 1] -> tensor (B, D), of any length. It should be in
        evaluation mode, its parameters without gradients; for activation it must be
        differentiable, for use from several threads safe for that.
    name : str
        Name in archives.
    dimension : int
        D.
    input_size : int
        S, pixels.
    fingerprint : str, optional
        Identifies what the function computes; changed weights must change it. By default it is
        made of name, dimension and size only, since a function has no bytes to hash: then give
        changed weights another name, or an archive takes them for the old ones.

    Returns
    -------
    Descriptor
        On the CPU. :meth:`Descriptor.to` moves its inputs to another device; the function must be
        there already.

    Raises
    ------
    DescriptorError
        The name is empty, or dimension or size are not positive.

    Examples
    --------
    >>> import homing
    >>> descriptor = homing.descriptor_from_callable(
    ...     lambda batch: batch.mean(dim=(2, 3)), name="mean-colour", dimension=3, input_size=32
    ... )
    >>> descriptor.dimension
    3
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
    return Descriptor(name, "1", dimension, rule, named, _FunctionNetwork(function))
