"""Custom descriptors: a folder with ``config.json`` and weights, or a TorchScript file.

``config.json`` in the folder (for ``model.ts`` or ``model.pt`` given by itself: ``model.json``
beside it):

=================  =============================================================================
key                value
=================  =============================================================================
``dimension``      length of the vectors; required
``input_size``     side in pixels of the square that pictures are squashed to; required
``architecture``   ``"efficientnet-lite0"``, ``"resnet50"`` or ``"torchscript"``; required in a
                   folder
``weights``        file name in the folder; without it the only ``.safetensors`` (for torchscript
                   the only ``.ts`` or ``.pt``)
``name``           without it the folder's or the file's name
``version``        text, ``"1"`` without it; part of the fingerprint
``mean``, ``std``  three numbers each, for RGB in [0, 1]; 0 and 1 without them
``pooling_power``  of the generalised-mean pooling, at least 1; 3 without it
``note``           free text
=================  =============================================================================

Names and shapes of the weights: :func:`~homing.descriptors.efficientnet.efficientnet_lite0_shapes`,
and :func:`~homing.descriptors.resnet.resnet50_shapes` with or without ``backbone.`` before each. A
TorchScript module takes (B, 3, S, S) by the input rule and gives (B, D) of any length.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from homing.descriptors.descriptor import Descriptor, Network
from homing.descriptors.networks import ARCHITECTURES, weighted_network
from homing.descriptors.preprocessing import InputRule, make_fingerprint
from homing.descriptors.registry import published_script
from homing.descriptors.weights_file import (
    WeightsFile,
    parse_weights,
    read_weights_file,
    script_network,
)
from homing.errors import DescriptorError
from homing.files.small_json import parse

SCRIPT_SUFFIXES = (".ts", ".pt")
_SCRIPT = "torchscript"
_LARGEST = 1e9  # of numbers
_KEYS = {
    "architecture", "dimension", "input_size", "mean", "name", "note", "pooling_power", "std",
    "version", "weights",
}  # fmt: skip


@dataclass(frozen=True)
class _Config:
    """``config.json``, checked as it is read."""

    path: Path
    values: Mapping[str, Any]

    def text(self, key: str, default: str | None = None) -> str:
        value = self.values.get(key, default)
        if not isinstance(value, str) or not value:
            raise self.fault(key, "a text")
        return value

    def whole(self, key: str) -> int:
        value = self.values.get(key)
        if not isinstance(value, int) or not _is_number(value) or value < 1:
            raise self.fault(key, "a whole number above 0")
        return value

    def triple(self, key: str, default: float) -> tuple[float, float, float]:
        value = self.values.get(key, [default] * 3)
        numbers = isinstance(value, list) and all(_is_number(v) for v in value)
        if not numbers or len(value) != 3:
            raise self.fault(key, "a list of three numbers")
        red, green, blue = value
        return float(red), float(green), float(blue)

    def power(self) -> float:
        value = self.values.get("pooling_power", 3.0)
        if not _is_number(value) or not value >= 1:
            raise self.fault("pooling_power", "a number of at least 1")
        return float(value)

    def rule(self) -> InputRule:
        return InputRule(self.whole("input_size"), self.triple("mean", 0), self.triple("std", 1))

    def fault(self, key: str, wanted: str) -> DescriptorError:
        given = f"is {self.values[key]!r}" if key in self.values else "is missing"
        return DescriptorError(f"{self.path}: {key!r} {given}; give {wanted}.")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and abs(value) < _LARGEST and not isinstance(value, bool)


def _read_config(path: Path) -> _Config:
    try:
        values = parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DescriptorError(
            f"{path}: cannot be read ({error}). A custom descriptor needs it; write for "
            'example {"architecture": "efficientnet-lite0", "dimension": 256, "input_size": 160}.'
        ) from error
    if not isinstance(values, dict):
        raise DescriptorError(f"{path}: must hold a JSON object.")
    if foreign := sorted(set(values) - _KEYS):
        raise DescriptorError(
            f"{path}: unknown keys {', '.join(foreign)}; known are {', '.join(sorted(_KEYS))}."
        )
    return _Config(path, values)


def _weights_path(folder: Path, config: _Config, suffixes: tuple[str, ...]) -> Path:
    if "weights" in config.values:
        name = config.text("weights")
        if Path(name).name != name:
            raise config.fault("weights", "the name of a file in the same folder")
        return folder / name
    found = sorted(path for path in folder.iterdir() if path.suffix in suffixes)
    if len(found) != 1:
        raise DescriptorError(
            f"{folder}: {len(found)} files end in {' or '.join(suffixes)}; "
            "name the one meant as 'weights' in config.json."
        )
    return found[0]


def build_descriptor(
    file: WeightsFile,
    *,
    architecture: str,
    name: str,
    version: str,
    dimension: int,
    rule: InputRule,
    power: float = 3.0,
) -> Descriptor:
    """Build a descriptor of a file's bytes, in float32 on the CPU.

    `architecture` is a key of `ARCHITECTURES` or ``"torchscript"``; `power` is of the
    generalised-mean pooling, and does not concern a script.
    """
    network: Network
    if architecture == _SCRIPT:
        network, described = script_network(file), _SCRIPT
    elif architecture in ARCHITECTURES:
        stored = parse_weights(file)
        if architecture == "resnet50" and not any(key.startswith("backbone.") for key in stored):
            stored = {f"backbone.{key}": weight for key, weight in stored.items()}
        network = weighted_network(
            ARCHITECTURES[architecture], stored, dimension, power=power, source=file.name
        )
        described = f"{architecture}, pooling power {power:g}"
    else:
        raise DescriptorError(
            f"{file.name}: unknown architecture {architecture!r}; "
            f"known are {', '.join([*ARCHITECTURES, _SCRIPT])}."
        )
    fingerprint = make_fingerprint(
        architecture=described, version=version, dimension=dimension, rule=rule, weights=file.sha256
    )
    return Descriptor(name, version, dimension, rule, fingerprint, network)


def load_folder(folder: Path) -> Descriptor:
    """Load a descriptor from a folder with ``config.json``."""
    config = _read_config(folder / "config.json")
    architecture = config.text("architecture")
    suffixes = SCRIPT_SUFFIXES if architecture == _SCRIPT else (".safetensors",)
    return build_descriptor(
        read_weights_file(_weights_path(folder, config, suffixes)),
        architecture=architecture,
        name=config.text("name", folder.resolve().name),
        version=config.text("version", "1"),
        dimension=config.whole("dimension"),
        rule=config.rule(),
        power=config.power(),
    )


def load_script(path: Path) -> Descriptor:
    """Load a descriptor from a TorchScript file.

    A published SSCD file is known by its name; any other needs a ``.json`` of the same name beside
    it, since nothing in a script says how pixels are preprocessed.
    """
    file = read_weights_file(path)
    beside = path.with_suffix(".json")
    published = published_script(path.name)
    if published is not None and not beside.exists():
        name, dimension, rule = published
        version = "1"
    else:
        config = _read_config(beside)
        name, version = config.text("name", path.stem), config.text("version", "1")
        dimension, rule = config.whole("dimension"), config.rule()
    descriptor = build_descriptor(
        file, architecture=_SCRIPT, name=name, version=version, dimension=dimension, rule=rule
    )
    with torch.inference_mode():
        descriptor.forward(torch.zeros(1, 3, rule.size, rule.size))  # a wrong dimension shows now
    return descriptor
