"""Descriptors and pictures that the tests of homing.descriptors share."""

import numpy as np
import pytest
import torch
from torch import nn

from homing.descriptors import Descriptor, load_descriptor


@pytest.fixture(scope="session")
def homing_s() -> Descriptor:
    return load_descriptor("homing-s")


@pytest.fixture(scope="session")
def squashed() -> np.ndarray:
    """Twenty pictures with some structure, (20, 160, 160, 3) uint8."""
    generator = np.random.default_rng(7)
    coarse = generator.integers(0, 256, (20, 10, 10, 3))
    noise = generator.integers(-20, 20, (20, 160, 160, 3))
    return np.clip(coarse.repeat(16, 1).repeat(16, 2) + noise, 0, 255).astype(np.uint8)


class _Bottleneck(nn.Module):
    """A block with torchvision's names; its normalisation is not folded."""

    def __init__(self, inputs: int, width: int, stride: int, *, first: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.relu = nn.ReLU()
        self.downsample = None
        if first:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))


class _Backbone(nn.Module):
    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        inputs = 64
        for number, (count, width) in enumerate(((3, 64), (4, 128), (6, 256), (3, 512)), 1):
            layer = []
            for block in range(count):
                stride = 2 if number > 1 and block == 0 else 1
                layer.append(_Bottleneck(inputs, width, stride, first=block == 0))
                inputs = 4 * width
            setattr(self, f"layer{number}", nn.Sequential(*layer))
        self.fc = nn.Linear(2048, dimension)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.max_pool2d(torch.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        pooled = x.clamp(min=1e-6).pow(3).mean(dim=(2, 3)).pow(1 / 3)
        return self.fc(pooled)


class PublishedModel(nn.Module):
    """SSCD in torchvision's layout: the keys of its state are those of the published files."""

    def __init__(self, dimension: int = 512) -> None:
        super().__init__()
        self.backbone = _Backbone(dimension)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean = torch.tensor([0.485, 0.456, 0.406], dtype=x.dtype).view(3, 1, 1)
        std = torch.tensor([0.229, 0.224, 0.225], dtype=x.dtype).view(3, 1, 1)
        features = self.backbone((x - mean) / std)
        return features / features.norm(dim=1, keepdim=True)


@pytest.fixture(scope="session")
def published() -> PublishedModel:
    """The published network with random weights and statistics."""
    generator = torch.Generator().manual_seed(3)
    model = PublishedModel().eval()
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                for tensor, low, high in (
                    (module.weight, 0.5, 1.0),
                    (module.bias, -0.2, 0.2),
                    (module.running_mean, -0.3, 0.3),
                    (module.running_var, 0.3, 2.0),
                ):
                    tensor.uniform_(low, high, generator=generator)
                module.num_batches_tracked.fill_(1000)
            elif isinstance(module, nn.Conv2d | nn.Linear):
                module.weight.normal_(0, module.weight[0].numel() ** -0.5, generator=generator)
    return model


@pytest.fixture(scope="session")
def published_file(published, tmp_path_factory):
    """A file as published: `torch.save` of the state, under a published name."""
    path = tmp_path_factory.mktemp("published") / "sscd_disc_mixup.torchvision.pt"
    torch.save(published.state_dict(), path)
    return path
