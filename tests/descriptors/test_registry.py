"""The registry of descriptors, against the files that it describes."""

import hashlib
from importlib import resources

from homing.descriptors import registry

WEIGHTS = resources.files("homing.descriptors") / "weights" / "homing-s.safetensors"


def test_registry_agrees_with_the_file():
    info = next(info for info in registry() if info.name == "homing-s")
    data = WEIGHTS.read_bytes()
    assert info.bundled
    assert info.size_bytes == len(data)
    assert info.sha256 == hashlib.sha256(data).hexdigest()
    assert str(info.input_rule).startswith("RGB squashed to 160x160")


def test_registry_names_what_is_published():
    sscd = [info for info in registry() if info.name.startswith("sscd_")]
    assert {info.name for info in sscd} == {
        f"sscd_{data}_{kind}"
        for data in ("disc", "imagenet")
        for kind in ("mixup", "advanced", "blur")
    }
    for info in sscd:
        assert info.url == (
            f"https://dl.fbaipublicfiles.com/sscd-copy-detection/{info.name}.torchvision.pt"
        )
        assert info.licence == "MIT"
        assert info.size_bytes is None
        assert info.sha256 is None
        assert not info.bundled
