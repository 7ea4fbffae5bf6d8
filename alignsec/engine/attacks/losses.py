"""Losses: what the searches climb, one number an image. Logits N x classes; labels and targets N, int64."""

import torch
from torch import Tensor
from torch.nn import functional as F


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Minus the log-probability of the label."""
    return F.cross_entropy(logits, labels, reduction="none")


def targeted_dlr(logits: Tensor, labels: Tensor, targets: Tensor) -> Tensor:
    """Difference of logits ratio towards a target (Croce & Hein 2020, eq. 9); needs four classes."""
    ranked = logits.sort(dim=1).values
    scale = ranked[:, -1] - (ranked[:, -3] + ranked[:, -4]) / 2
    return -gap(logits, labels, targets) / (scale + 1e-12)


def gap(logits: Tensor, labels: Tensor, others: Tensor) -> Tensor:
    """Logit of the label minus logit of the other class: at or below 0 where the other class wins."""
    every = torch.arange(len(logits), device=logits.device)
    return logits[every, labels] - logits[every, others]


def margin(logits: Tensor, labels: Tensor) -> Tensor:
    """Logit of the label minus the largest other logit: below 0 where the image is misclassified."""
    own = labels.unsqueeze(1)
    best_other = logits.scatter(1, own, -torch.inf).amax(1)
    return logits.gather(1, own).squeeze(1) - best_other
