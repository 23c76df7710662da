"""Generalised-mean pooling, its gradient free of overflow and underflow."""

import torch

_FLOOR = 1e-6


def generalised_mean(features: torch.Tensor, power: float = 3.0) -> torch.Tensor:
    r"""Pool each channel's map to one number, between its mean and its maximum.

    .. math:: y = \Big(\frac{1}{hw} \sum_i \max(x_i, 10^{-6})^p\Big)^{1/p}

    (Radenović, Tolias and Chum, "Fine-tuning CNN image retrieval with no human annotation", 2018.)

    `features` are channel maps (B, C, h, w), the result is (B, C), at least 1e-6. The power p is at
    least 1: 1 is the mean, infinity the maximum.
    """
    floored = features.clamp(min=_FLOOR)
    # Taken out of the powers, the maximum keeps them in [0, 1] with one of them 1: neither the
    # powers of an all but dark map vanish (and its root's gradient becomes infinite) nor those of
    # a bright one overflow. The pooling is homogeneous of degree one, so the gradient through the
    # maximum is zero as a whole and a constant gives the exact gradient.
    peak = floored.detach().amax(dim=(2, 3), keepdim=True)
    mean = (floored / peak).pow(power).mean(dim=(2, 3))
    return mean.pow(1 / power) * peak.flatten(1)
