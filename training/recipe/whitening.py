"""Linear maps that end a descriptor: fitted to training pictures, folded into its last layer."""

import math

import torch

_TINY = 1e-12


def principal(features: torch.Tensor, dimension: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight (dimension, F) and bias of the PCA whitening of features (n, F), n > dimension."""
    mean = features.double().mean(dim=0)
    centred = features.double() - mean
    values, vectors = torch.linalg.eigh(centred.T @ centred / len(centred))
    kept, axes = values[-dimension:].flip(0), vectors[:, -dimension:].flip(1)
    weight = (axes / kept.clamp(min=_TINY).sqrt()).T
    return weight.float(), (-weight @ mean).float()


def scatter(vectors: torch.Tensor, *, part: int = 1024) -> tuple[torch.Tensor, torch.Tensor]:
    """Scatter of views about their picture, and of pictures.

    Parameters
    ----------
    vectors : Tensor (n, V, F)
        V at least 2 views of each of n at least 2 pictures.

    Returns
    -------
    within, between : Tensor (F, F), float64
        Covariance of views about their picture's mean, and that of the pictures' means, less what
        the views' scatter alone gives these.
    """
    pictures, views, size = vectors.shape
    means = vectors.mean(dim=1, dtype=torch.float64)
    within = torch.zeros(size, size, dtype=torch.float64)
    for first in range(0, pictures, part):
        some = slice(first, first + part)
        apart = (vectors[some].double() - means[some, None]).reshape(-1, size)
        within += apart.T @ apart
    within /= pictures * (views - 1)
    return within, torch.cov(means.T) - within / views


def discriminant(
    within: torch.Tensor, between: torch.Tensor, dimension: int, *, shrinkage: float
) -> torch.Tensor:
    """Linear discriminant map: directions of edits shrink, those between pictures grow.

    In its coordinates the views of a picture scatter alike in all directions, and the pictures'
    variances b are along the axes, of which the largest are kept; each axis is scaled by
    √(b / (1 + b)), so that one that tells little beside the views' scatter counts little.

    Parameters
    ----------
    within, between : Tensor (F, F)
        As :func:`scatter` gives them.
    dimension : int
        At most F.
    shrinkage : float
        The views' mean variance times this is added to that of every direction: those that edits
        hardly move, in the pictures at hand, are not trusted blindly.

    Returns
    -------
    Tensor (dimension, F), float64
    """
    values, vectors = torch.linalg.eigh(within)
    values = values + shrinkage * values.mean()
    sphere = vectors / values.clamp(min=_TINY * float(values[-1])).sqrt()
    variances, axes = torch.linalg.eigh(sphere.T @ between @ sphere)
    variances, axes = variances.flip(0)[:dimension], axes.flip(1)[:, :dimension]
    told = variances.clamp(min=0.0)
    return ((sphere @ axes) * (told / (1 + told)).sqrt()).T


def balanced_order(variances: torch.Tensor, blocks: int) -> torch.Tensor:
    """Order of axes in which each of `blocks` equal parts has about the same product of variances.

    A product quantizer without a rotation gives each part of a vector the same number of bits; it
    loses least where the parts carry alike (Ge et al. 2013, "Optimized Product Quantization",
    section 3.1.3, eigenvalue allocation). Similarities do not change.

    Parameters
    ----------
    variances : Tensor (D,)
        Positive.
    blocks : int
        Divides D.

    Returns
    -------
    Tensor (D,), int64
        Which axis comes first, second, and so on.
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
