"""Losses of the searches, one number per image. Logits are N x classes; labels and targets are int64, N."""

import torch
from torch import Tensor
from torch.nn import functional as F


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the cross-entropy: minus the log-probability of the label."""
    return F.cross_entropy(logits, labels, reduction="none")


def targeted_dlr(logits: Tensor, labels: Tensor, targets: Tensor) -> Tensor:
    """Return the targeted difference of logits ratio, which needs four classes.

    Reference: Croce & Hein 2020 (arXiv 2003.01690), eq. 9.
    """
    ranked = logits.sort(dim=1).values
    scale = ranked[:, -1] - (ranked[:, -3] + ranked[:, -4]) / 2
    return -gap(logits, labels, targets) / (scale + 1e-12)


def dlr(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the difference of logits ratio, which needs three classes.

    Reference: Croce & Hein 2020 (arXiv 2003.01690), eq. 7.
    """
    ranked, order = logits.sort(dim=1)
    wins = (order[:, -1] == labels).float()
    own = logits[torch.arange(len(logits), device=logits.device), labels]
    return -(own - ranked[:, -2] * wins - ranked[:, -1] * (1 - wins)) / (ranked[:, -1] - ranked[:, -3] + 1e-12)


def gap(logits: Tensor, labels: Tensor, others: Tensor) -> Tensor:
    """Return the label's logit minus the other class's logit: at most 0 if the other class wins."""
    every = torch.arange(len(logits), device=logits.device)
    return logits[every, labels] - logits[every, others]


def margin(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the label's logit minus the largest other logit: below 0 if the image is misclassified."""
    own = labels.unsqueeze(1)
    best_other = logits.scatter(1, own, -torch.inf).amax(1)
    return logits.gather(1, own).squeeze(1) - best_other
