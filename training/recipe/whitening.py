"""Linear maps fitted to training pictures that become the last layer of a descriptor."""

import math

import torch

_TINY = 1e-12


def principal(features: torch.Tensor, dimension: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return weight (dimension, F) and bias of the PCA whitening of features (n, F).

    n must exceed `dimension`.
    """
    mean = features.double().mean(dim=0)
    centred = features.double() - mean
    values, vectors = torch.linalg.eigh(centred.T @ centred / len(centred))
    variances, axes = values[-dimension:].flip(0), vectors[:, -dimension:].flip(1)
    weight = (axes / variances.clamp(min=_TINY).sqrt()).T
    return weight.float(), (-weight @ mean).float()


def scatter(vectors: torch.Tensor, *, part: int = 1024) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the scatter of views within their picture and that between pictures, (F, F) float64.

    `vectors` is (n, V, F), at least 2 views of each of at least 2 pictures. The first is the
    covariance of views about their picture's mean, the second that of the pictures' means, less the
    part that is due to the scatter of the views.
    """
    pictures, views, size = vectors.shape
    means = vectors.mean(dim=1, dtype=torch.float64)
    within = torch.zeros(size, size, dtype=torch.float64)
    for first in range(0, pictures, part):
        rows = slice(first, first + part)
        centred = (vectors[rows].double() - means[rows, None]).reshape(-1, size)
        within += centred.T @ centred
    within /= pictures * (views - 1)
    return within, torch.cov(means.T) - within / views


def discriminant(
    within: torch.Tensor, between: torch.Tensor, dimension: int, *, shrinkage: float
) -> torch.Tensor:
    """Return the linear discriminant map (dimension, F) of :func:`scatter`, dimension ≤ F.

    In its coordinates views scatter equally in all directions, and the variances b between pictures
    are along the axes, of which the largest remain. Each axis is scaled by √(b / (1 + b)), so that
    one with little variance beside the views' scatter counts little. `shrinkage` times the views'
    mean variance is added to that of every direction, since the training pictures underestimate
    some of them.
    """
    values, vectors = torch.linalg.eigh(within)
    values = values + shrinkage * values.mean()
    sphere = vectors / values.clamp(min=_TINY * float(values[-1])).sqrt()
    variances, axes = torch.linalg.eigh(sphere.T @ between @ sphere)
    variances, axes = variances.flip(0)[:dimension], axes.flip(1)[:, :dimension]
    ratios = variances.clamp(min=0.0)  # of the scatter between pictures to that within
    return ((sphere @ axes) * (ratios / (1 + ratios)).sqrt()).T


def balanced_order(variances: torch.Tensor, blocks: int) -> torch.Tensor:
    """Return an order of axes in which `blocks` equal parts have similar products of variances.

    `variances` is (D,), positive; `blocks` divides D; the result is (D,), int64. A product
    quantizer without a rotation gives each part of a vector the same number of bits, and its error
    is least if these products are equal (Ge et al. 2013, "Optimized Product Quantization", section
    3.1.3, eigenvalue allocation). Similarities do not change.
    """
    room = len(variances) // blocks
    assert room * blocks == len(variances), f"{blocks} parts of {len(variances)} axes"
    parts: list[list[int]] = [[] for _ in range(blocks)]
    logs = [0.0] * blocks
    lowest = float(variances.min())
    for axis in torch.argsort(variances, descending=True, stable=True).tolist():
        part = min((p for p in range(blocks) if len(parts[p]) < room), key=lambda p: logs[p])
        parts[part].append(axis)
        logs[part] += math.log(float(variances[axis]) / lowest)
    return torch.tensor([axis for part in parts for axis in part])
