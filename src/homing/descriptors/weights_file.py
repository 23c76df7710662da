"""Weights files: read once, so that the bytes hashed are those used; never unpickled freely."""

import hashlib
import io
import pickle
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import safetensors
import safetensors.torch
import torch

from homing.descriptors.networks import ScriptedNetwork
from homing.errors import DescriptorError


@dataclass(frozen=True)
class WeightsFile:
    """A file's bytes, and the name by which error messages call it."""

    name: str
    data: bytes

    @property
    def sha256(self) -> str:
        """SHA-256, hexadecimal."""
        return hashlib.sha256(self.data).hexdigest()


def read_weights_file(path: Path) -> WeightsFile:
    """Read a file; a :class:`DescriptorError` says why it cannot be read."""
    try:
        return WeightsFile(str(path), path.read_bytes())
    except OSError as error:
        reason = error.strerror or error
        raise DescriptorError(f"{path}: the weights cannot be read ({reason}).") from error


def parse_weights(file: WeightsFile) -> Mapping[str, torch.Tensor]:
    """Parse a file of named tensors: safetensors, or a checkpoint of PyTorch.

    A checkpoint is read by PyTorch's restricted reader, which makes tensors and nothing else.
    """
    try:
        if file.name.endswith(".safetensors"):
            return safetensors.torch.load(file.data)
        stored = torch.load(io.BytesIO(file.data), map_location="cpu", weights_only=True)
    except (
        safetensors.SafetensorError,
        pickle.UnpicklingError,
        RuntimeError,
        ValueError,
        EOFError,
        KeyError,
    ) as error:
        raise DescriptorError(
            f"{file.name}: damaged, or not a file of weights ({_first_line(error)}). "
            "Fetch it again; a TorchScript file is loaded by its path."
        ) from error
    named = isinstance(stored, Mapping) and all(
        isinstance(name, str) and isinstance(weight, torch.Tensor)
        for name, weight in stored.items()
    )
    if not named:
        raise DescriptorError(f"{file.name}: holds something other than named tensors.")
    found: Mapping[str, torch.Tensor] = stored
    return found


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def script_network(file: WeightsFile) -> ScriptedNetwork:
    """Read a TorchScript file, in float32 on the CPU; its operations run, so trust who made it."""
    try:
        with warnings.catch_warnings():
            # PyTorch discourages writing TorchScript; published files must still be read.
            warnings.simplefilter("ignore", DeprecationWarning)
            module = torch.jit.load(io.BytesIO(file.data), map_location="cpu")  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError) as error:
        raise DescriptorError(
            f"{file.name}: damaged, or not a TorchScript file ({_first_line(error)}). "
            "Named weights go into a folder with config.json."
        ) from error
    for parameter in module.parameters():
        parameter.requires_grad_(requires_grad=False)
    return ScriptedNetwork(module.eval()).to(torch.device("cpu"), torch.float32)
