"""Square: random search over square windows, with forward passes only.

The settings are AutoAttack's: windows start at 0.8 of the image and shrink by the schedule of 10,000 queries
for any number of queries. The loss is the margin.

Reference: Andriushchenko et al. 2020 (arXiv 1912.00049).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from alignsec.engine import noise
from alignsec.engine.attacks import l1_ball, losses
from alignsec.engine.attacks.square_windows import tile, window_mask, window_patterns, window_positions
from alignsec.engine.norms import Rows, length, normalize, per_row
from alignsec.engine.search import Schedule, Search
from alignsec.engine.table import StepInput, Table
from alignsec.spec.components import Norm, Parameters

_FIRST_SHARE = 0.8
"""Share of the image that the first window covers."""
_SHRINKS_AFTER = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
"""Queries after which the window's area is halved."""
_L1_SHARE = 1 - 1e-6
"""Share of an L1 budget that the reference lets Square use."""


@dataclass
class SquareRows(Rows):
    """State of each search. Images are N x C x H x W, the rest N."""

    clean: Tensor
    labels: Tensor
    eps: Tensor
    x: Tensor
    """Point whose logits are needed next."""
    best: Tensor
    margin: Tensor
    """Margin at the best point."""
    numbers: Tensor
    """Uniform random numbers for the coming steps, N x chunk x numbers per step."""


def start_rows(
    clean: Tensor, labels: Tensor, eps: Tensor, drawn: Tensor, numbers: Tensor, norm: Norm
) -> SquareRows:
    """Return searches at their starts: vertical stripes for Linf, else a grid of tiles.

    Args:
        clean: Clean images, N x C x H x W.
        labels: Labels, N.
        eps: Radii, N.
        drawn: Uniform numbers as `Noise.square_start` draws them.
        numbers: Initial content of the field `numbers`.
        norm: Norm of the attack.
    """
    if norm == "Linf":
        x = (clean + per_row(eps, clean) * _signs(drawn)).clamp(0, 1)
    else:
        turned, signs = drawn[..., 0] > 0.5, _signs(drawn[..., 1:])
        x = _scale(clean, tile(clean, turned, signs, norm), eps, norm)
    infinite = torch.full_like(eps, torch.inf)
    return SquareRows(clean, labels, eps, x, x, infinite, numbers)


def keep_improved(rows: SquareRows, margins: Tensor) -> None:
    """Make x the best point of each row whose margin is lower or at most 0."""
    better = (margins < rows.margin) | (margins <= 0)
    rows.best = torch.where(per_row(better, rows.x), rows.x, rows.best)
    rows.margin = torch.where(better, margins, rows.margin)


def propose(rows: SquareRows, steps: list[int], norm: Norm) -> None:
    """Set x to the best point with one more window changed; rows at their start keep x.

    Args:
        rows: The searches.
        steps: Passes of each row so far.
        norm: Norm of the attack.
    """
    device, chunk = rows.x.device, rows.numbers.shape[1]
    queries = torch.tensor(steps) - 1
    numbers = rows.numbers[torch.arange(len(steps), device=device), (queries % chunk).to(device)]
    sides = window_sides(queries, rows.x.shape[-2], rows.x.shape[-1], norm)
    if norm == "Linf":
        moved = _push_window(rows, numbers, sides.to(device))
    else:
        moved = torch.empty_like(rows.x)
        for size in sides.unique().tolist():
            group = (sides == size).nonzero().squeeze(1).to(device)
            clean, best, eps = rows.clean[group], rows.best[group], rows.eps[group]
            moved[group] = _move_window(clean, best, eps, numbers[group], size, norm)
    started = (queries >= 0).to(device)
    rows.x = moved if min(steps) else torch.where(per_row(started, moved), moved, rows.x)


def window_sides(queries: Tensor, height: int, width: int, norm: Norm) -> Tensor:
    """Return the side of the window of each query in pixels; odd and at least 3 for L2 and L1.

    Args:
        queries: Queries from 0, int64, N, on the CPU.
        height: Height of the images.
        width: Width of the images.
        norm: Norm of the attack.
    """
    return _sides_by_level(height, width, norm)[torch.bucketize(queries, torch.tensor(_SHRINKS_AFTER))]


@lru_cache(maxsize=8)
def _sides_by_level(height: int, width: int, norm: Norm) -> Tensor:
    """Return the side after each number of halvings."""
    found = []
    for halvings in range(len(_SHRINKS_AFTER) + 1):
        wanted = round(math.sqrt(_FIRST_SHARE / 2**halvings * height * width))
        wanted = max(wanted, 1) if norm == "Linf" else max(wanted, 3) | 1
        found.append(min(wanted, height, width))
    return torch.tensor(found)


def _signs(numbers: Tensor) -> Tensor:
    return (2 * numbers - 1).sign()


def _corner(numbers: Tensor, room: int | Tensor) -> Tensor:
    """Return positions from 0 to room - 1 for uniform numbers."""
    return (room * numbers).long()


def _push_window(rows: SquareRows, numbers: Tensor, sides: Tensor) -> Tensor:
    """Return the best points with a window of each channel moved to one side of the ball (Linf)."""
    height, width = rows.x.shape[-2:]
    top, left = _corner(numbers[:, 0], height - sides), _corner(numbers[:, 1], width - sides)
    mask = window_mask(rows.x, top, left, sides)
    radius = per_row(rows.eps, rows.x)
    push = 2 * radius * _signs(numbers[:, 2:])[..., None, None] * mask
    pushed = (rows.best + push).maximum(rows.clean - radius).minimum(rows.clean + radius)
    return pushed.clamp(0, 1)


def _move_window(clean: Tensor, best: Tensor, eps: Tensor, numbers: Tensor, size: int, norm: Norm) -> Tensor:
    """Return the best points with the perturbation of one window moved into another (L2 and L1).

    The other window gets the shape of a two-sided pyramid.
    """
    channels, height, width = clean.shape[1:]
    room = torch.tensor([height - size, width - size], device=numbers.device)
    to, away = _corner(numbers[:, 0:2], room), _corner(numbers[:, 2:4], room)
    delta = best - clean
    gaining = window_positions(to[:, 0], to[:, 1], size, width)
    losing = window_positions(away[:, 0], away[:, 1], size, width)
    sides = torch.full_like(to[:, 0], size)
    gained = window_mask(delta, to[:, 0], to[:, 1], sides)
    either = gained | window_mask(delta, away[:, 0], away[:, 1], sides)

    flat = delta.flatten(2)
    old = flat.gather(2, gaining.expand(-1, channels, -1))
    shapes = window_patterns(size, norm, delta.device)[(numbers[:, 4] > 0.5).long()].flatten(1).unsqueeze(1)
    new = shapes * _signs(numbers[:, 5:]).unsqueeze(-1) + old / (1e-12 + _channel_norms(old, norm))
    new = new / (1e-12 + _channel_norms(new, norm)) * _allowed_norms(delta, either, eps, norm)
    flat = flat.scatter(2, losing.expand(-1, channels, -1), 0.0)
    flat = flat.scatter(2, gaining.expand(-1, channels, -1), new)
    return _scale(clean, flat.view_as(delta), eps, norm)


def _channel_norms(windows: Tensor, norm: Norm) -> Tensor:
    """Return the norm of each channel of the windows, N x C x 1."""
    if norm == "L1":
        return windows.abs().sum(-1, keepdim=True)
    return windows.square().sum(-1, keepdim=True).sqrt()


def _allowed_norms(delta: Tensor, either: Tensor, eps: Tensor, norm: Norm) -> Tensor:
    """Return the norm that each channel's new window may have, N x C x 1: that of both windows and a share of the
    rest.

    In L1, the reference gives each channel this norm times the number of channels, which its projection corrects.
    """
    channels, spent = delta.shape[1], delta * either
    if norm == "L1":
        left = (eps - length(delta, norm)).clamp(min=0)
        return (left.view(-1, 1, 1) / channels + _channel_norms(spent.flatten(2), norm)) * channels
    left = (eps.square() - length(delta, norm).square()).clamp(min=0)
    return (left.view(-1, 1, 1) / channels + spent.square().sum((-2, -1)).unsqueeze(-1)).sqrt()


def _scale(clean: Tensor, delta: Tensor, eps: Tensor, norm: Norm) -> Tensor:
    """Return the clean images plus perturbations scaled to the radius, or in L1 projected to the ball."""
    if norm == "L1":
        return clean + delta + l1_ball.project_delta(clean, delta, eps * _L1_SHARE)
    return (clean + normalize(delta, norm) * per_row(eps, delta)).clamp(0, 1)


class SquareTable(Table[SquareRows]):
    """Square on the margin loss."""

    passes = ("forward",)
    judged_after = "forward"

    @classmethod
    def schedule(cls, parameters: Parameters) -> Schedule:
        """Return the start and the queries; each takes a forward pass."""
        return Schedule(parameters["queries"], 1 + parameters["queries"])

    def _start(self, searches: Sequence[Search]) -> SquareRows:
        problem, images = self.problem, self.problem.image_indices(searches)
        clean = problem.pixels[images]
        drawn = problem.noise.square_start(searches).to(problem.pixels.device)
        numbers = self._empty_numbers(clean)
        return start_rows(clean, problem.labels[images], problem.radii(searches), drawn, numbers, problem.norm)

    def points(self) -> Tensor:
        """Return the start of new searches, and a new window on the best point of the others."""
        if any(self.steps):
            chunk = self.rows.numbers.shape[1]
            self._draw([row for row, step in enumerate(self.steps) if step and (step - 1) % chunk == 0])
            propose(self.rows, self.steps, self.problem.norm)
        return self.rows.x.clamp(0, 1) if self.problem.norm == "L1" else self.rows.x

    def losses(self, rows: slice, logits: Tensor) -> Tensor:
        """Return the margin. Its gradient is never used."""
        return losses.margin(logits, self.rows.labels[rows])

    def update(self, step: StepInput) -> list[bool]:
        """Keep improved points. As in the reference, a tie that still goes to the label also ends a search."""
        ends = [last or tied for last, tied in zip(self.ends_now(), step.tied, strict=True)]
        keep_improved(self.rows, self.losses(slice(None), step.logits))
        self._count_step()
        return ends

    def ends_now(self) -> list[bool]:
        """Return True for searches at their last query."""
        return [taken + 1 >= self.stage.schedule.forward for taken in self.steps]

    def save_rows(self) -> dict[str, Tensor]:
        """See Table. Random numbers are drawn again, and between passes only the best point matters."""
        return {name: value for name, value in super().save_rows().items() if name not in {"x", "numbers"}}

    def load_rows(self, searches: list[Search], steps: list[int], rows: dict[str, Tensor]) -> None:
        """See Table."""
        numbers = self._empty_numbers(rows["clean"])
        super().load_rows(searches, steps, {**rows, "x": rows["best"], "numbers": numbers})
        self._draw([row for row, step in enumerate(steps) if step])

    def row_type(self) -> type[SquareRows]:
        """Return the class of the rows."""
        return SquareRows

    def _empty_numbers(self, clean: Tensor) -> Tensor:
        each = noise.numbers_per_step(clean.shape[1:], self.problem.norm)
        return torch.zeros(len(clean), self.problem.noise.chunk, each, device=clean.device)

    def _draw(self, due: Sequence[int]) -> None:
        """Draw the numbers of the chunk that each of some rows is in."""
        if due:
            rows, chunk = self.rows, self.rows.numbers.shape[1]
            firsts = [(self.steps[row] - 1) // chunk * chunk + 1 for row in due]
            drawn = self.problem.noise.square_steps([self.searches[row] for row in due], firsts)
            at = torch.tensor(due, device=rows.numbers.device)
            rows.numbers = rows.numbers.index_copy(0, at, drawn.to(at.device))
