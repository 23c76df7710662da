"""Losses of the descriptors of a batch.

P pictures with V views each give B = P·V descriptors of D dimensions, those of one picture together
and the light view first. The bank has one descriptor of each unedited training picture, from an
earlier step; it represents the archive in which a copy is searched for.
"""

from dataclasses import dataclass

import torch
from torch.nn import functional as F

from recipe.batches import Batch

_TINY = 1e-8


@dataclass
class Bank:
    """Descriptors of the unedited training pictures, and pairs that the losses do not separate.

    Near duplicates are similar before training; separating them would teach the wrong thing.
    """

    vectors: torch.Tensor  # (n, D), unit length
    near_duplicates: torch.Tensor  # (pairs, 2), int64: numbers of pictures

    @classmethod
    def of(cls, vectors: torch.Tensor, *, alike: float) -> "Bank":
        """Make a bank; pairs of at least this cosine are near duplicates."""
        pairs = []
        for first in range(0, len(vectors), 1024):
            similar = vectors[first : first + 1024] @ vectors.T
            rows, columns = torch.nonzero(similar >= alike, as_tuple=True)
            rows = rows + first
            pairs.append(torch.stack([rows[rows != columns], columns[rows != columns]], dim=1))
        return cls(vectors.clone(), torch.cat(pairs))

    def hidden(self, owners: torch.Tensor) -> torch.Tensor:
        """Return the near duplicates of each view's picture, bool (B, n)."""
        mask = torch.zeros(len(owners), len(self.vectors), dtype=torch.bool, device=owners.device)
        if len(self.near_duplicates):
            first, second = self.near_duplicates.unbind(1)
            rows, pairs = torch.nonzero(owners[:, None] == first[None, :], as_tuple=True)
            mask[rows, second[pairs]] = True
        return mask

    @torch.no_grad()
    def update(self, numbers: torch.Tensor, vectors: torch.Tensor, *, momentum: float) -> None:
        """Move the descriptors of pictures towards newer ones."""
        moved = torch.lerp(vectors.detach(), self.vectors[numbers], momentum)
        self.vectors[numbers] = F.normalize(moved)


def contrast_with_bank(
    vectors: torch.Tensor, batch: Batch, bank: Bank, *, temperature: float
) -> torch.Tensor:
    """Return the cross-entropy of each view's picture among all training pictures (InfoNCE).

    `vectors` is (B, D). If a view shows two pictures, both are positives, weighted by their areas
    (the soft labels of mixup and cutmix, as in SSCD).
    """
    # Positives stay unmasked: a picture may be a near duplicate of its guest.
    unmasked = vectors @ bank.vectors.T / temperature
    logits = unmasked.masked_fill(bank.hidden(batch.owner) | bank.hidden(batch.guest), -torch.inf)
    rows = torch.arange(len(vectors), device=vectors.device)
    normaliser = torch.logsumexp(logits, dim=1)
    of_owner, of_guest = unmasked[rows, batch.owner], unmasked[rows, batch.guest]
    positive = batch.share * of_owner + (1 - batch.share) * of_guest
    loss: torch.Tensor = (torch.maximum(normaliser, of_owner) - positive).mean()
    return loss


def contrast_within(
    vectors: torch.Tensor, batch: Batch, bank: Bank, *, temperature: float
) -> torch.Tensor:
    """Return InfoNCE within a batch: views of one picture are positives, other pictures negatives.

    Near duplicates are neither.
    """
    logits = vectors @ vectors.T / temperature
    same = batch.owner[:, None] == batch.owner[None, :]
    shown = batch.guest[:, None] == batch.owner[None, :]
    shown = (
        shown
        | (batch.owner[:, None] == batch.guest[None, :])
        | (batch.guest[:, None] == batch.guest[None, :])
    )
    itself = torch.eye(len(vectors), dtype=torch.bool, device=vectors.device)
    near_duplicates = bank.hidden(batch.owner)[:, batch.owner]
    negatives = logits.masked_fill(same | shown | near_duplicates, -torch.inf)
    against = torch.logsumexp(negatives, dim=1, keepdim=True)
    each = torch.logaddexp(logits, against) - logits  # −log(positive / (positive + negatives))
    weight = (same & ~itself) * (batch.share[:, None] * batch.share[None, :])
    return (each * weight).sum() / weight.sum().clamp(min=_TINY)


def spread(vectors: torch.Tensor, batch: Batch, bank: Bank, *, views: int) -> torch.Tensor:
    """Return the negative differential entropy of the light views (Kozachenko and Leonenko).

    It is the mean of −log of the distance to the nearest other picture in the bank.
    """
    light = vectors[::views]
    owners = batch.owner[::views]
    similar = light @ bank.vectors.T
    similar = similar.masked_fill(bank.hidden(owners), -torch.inf)
    similar[torch.arange(len(owners), device=owners.device), owners] = -torch.inf
    nearest = similar.max(dim=1).values
    distance = (2 - 2 * nearest).clamp(min=_TINY).sqrt()
    return -distance.log().mean()
