"""Losses of the descriptors of a batch.

P pictures with V views each; B = P·V descriptors of D dimensions, those of one picture together
and the light view first. The bank holds one descriptor of each training picture as it is, from an
earlier step; it stands for the archive that a copy is searched in.
"""

from dataclasses import dataclass

import torch
from torch.nn import functional as F

from recipe.batches import Batch

_TINY = 1e-8


@dataclass
class Bank:
    """Descriptors of the training pictures, unedited.

    Attributes
    ----------
    vectors : Tensor (n, D)
        Unit vectors.
    twins : Tensor (pairs, 2), int64
        Pictures so alike from the start that to tell them apart would teach the wrong thing.
    """

    vectors: torch.Tensor
    twins: torch.Tensor

    @classmethod
    def of(cls, vectors: torch.Tensor, *, alike: float) -> "Bank":
        """Make a bank; pairs of at least that cosine count as twins."""
        pairs = []
        for first in range(0, len(vectors), 1024):
            similar = vectors[first : first + 1024] @ vectors.T
            rows, columns = torch.nonzero(similar >= alike, as_tuple=True)
            rows = rows + first
            pairs.append(torch.stack([rows[rows != columns], columns[rows != columns]], dim=1))
        return cls(vectors.clone(), torch.cat(pairs))

    def hidden(self, owners: torch.Tensor) -> torch.Tensor:
        """Bool (B, n): twins of each view's picture."""
        mask = torch.zeros(len(owners), len(self.vectors), dtype=torch.bool, device=owners.device)
        if len(self.twins):
            rows, which = torch.nonzero(owners[:, None] == self.twins[None, :, 0], as_tuple=True)
            mask[rows, self.twins[which, 1]] = True
        return mask

    @torch.no_grad()
    def update(self, numbers: torch.Tensor, vectors: torch.Tensor, *, momentum: float) -> None:
        """Move pictures' descriptors towards newer ones."""
        moved = torch.lerp(vectors.detach(), self.vectors[numbers], momentum)
        self.vectors[numbers] = F.normalize(moved)


def contrast_with_bank(
    vectors: torch.Tensor, batch: Batch, bank: Bank, *, temperature: float
) -> torch.Tensor:
    """Cross-entropy of finding each view's picture among all training pictures (InfoNCE).

    Where a view shows two pictures, both are right, in the shares of their areas (mixup's and
    cutmix's soft labels, as in SSCD).

    Parameters
    ----------
    vectors : Tensor (B, D)
    """
    right = vectors @ bank.vectors.T / temperature  # unmasked: a picture may be its guest's twin
    logits = right.masked_fill(bank.hidden(batch.owner) | bank.hidden(batch.guest), -torch.inf)
    rows = torch.arange(len(vectors), device=vectors.device)
    normaliser = torch.logsumexp(logits, dim=1)
    of_owner, of_guest = right[rows, batch.owner], right[rows, batch.guest]
    wanted = batch.share * of_owner + (1 - batch.share) * of_guest
    loss: torch.Tensor = (torch.maximum(normaliser, of_owner) - wanted).mean()
    return loss


def contrast_within(
    vectors: torch.Tensor, batch: Batch, bank: Bank, *, temperature: float
) -> torch.Tensor:
    """InfoNCE between the views of a batch: each view's others are right, other pictures wrong.

    Pictures that are twins in the bank are neither.
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
    twins = bank.hidden(batch.owner)[:, batch.owner]
    negatives = logits.masked_fill(same | shown | twins, -torch.inf)
    against = torch.logsumexp(negatives, dim=1, keepdim=True)
    each = torch.logaddexp(logits, against) - logits  # −log of right / (right + all wrong)
    weight = (same & ~itself) * (batch.share[:, None] * batch.share[None, :])
    return (each * weight).sum() / weight.sum().clamp(min=_TINY)


def spread(vectors: torch.Tensor, batch: Batch, bank: Bank, *, views: int) -> torch.Tensor:
    """Differential entropy (Kozachenko and Leonenko): light views keep away from their nearest.

    −mean log of the distance to the nearest other picture in the bank.
    """
    light = vectors[::views]
    own = batch.owner[::views]
    similar = light @ bank.vectors.T
    similar = similar.masked_fill(bank.hidden(own), -torch.inf)
    similar[torch.arange(len(own), device=own.device), own] = -torch.inf
    nearest = similar.max(dim=1).values
    distance = (2 - 2 * nearest).clamp(min=_TINY).sqrt()
    return -distance.log().mean()
