"""Square: random search over squares, by forward passes alone (Andriushchenko et al. 2020, arXiv 1912.00049).

AutoAttack's settings: squares start at 0.8 of the image and shrink by the schedule of 10,000 queries, whatever
the number of queries; the loss is the margin.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from alignsec.engine import noise
from alignsec.engine.attacks import l1_ball, losses
from alignsec.engine.norms import Rows, length, spread, unit
from alignsec.engine.search import Schedule, Search
from alignsec.engine.table import StepInput, Table
from alignsec.spec.components import Norm, Parameters

_SHARE = 0.8
_JUST_INSIDE = 1 - 1e-6
"""Share of an L1 budget that the reference lets Square use."""
_SHRINKS_AFTER = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)


@dataclass
class SquareRows(Rows):
    """Where each search stands. Images N x C x H x W, the rest N."""

    clean: Tensor
    labels: Tensor
    eps: Tensor
    x: Tensor
    """The point whose logits are wanted next."""
    best: Tensor
    margin: Tensor
    """At best."""
    numbers: Tensor
    """Uniform random numbers for the coming steps, N x chunk x numbers a step."""


def start(clean: Tensor, labels: Tensor, eps: Tensor, drawn: Tensor, numbers: Tensor, norm: Norm) -> SquareRows:
    """Searches at their starts: vertical stripes for Linf (drawn N x C x 1 x W), else a grid of tiles."""
    if norm == "Linf":
        x = (clean + spread(eps, clean) * _signs(drawn)).clamp(0, 1)
    else:
        turned, signs = drawn[..., 0] > 0.5, _signs(drawn[..., 1:])
        x = _scaled(clean, grid(clean, turned, signs, norm), eps, norm)
    everywhere = torch.full_like(eps, torch.inf)
    return SquareRows(clean, labels, eps, x, x, everywhere, numbers)


def learn(rows: SquareRows, margins: Tensor) -> None:
    """Keep each point that lowered the margin, or crossed the boundary."""
    better = (margins < rows.margin) | (margins <= 0)
    rows.best = torch.where(spread(better, rows.x), rows.x, rows.best)
    rows.margin = torch.where(better, margins, rows.margin)


def move(rows: SquareRows, steps: list[int], norm: Norm) -> None:
    """Try another square on each best point; starts stay. steps: passes so far of each row."""
    device, chunk = rows.x.device, rows.numbers.shape[1]
    queries = torch.tensor(steps) - 1
    numbers = rows.numbers[torch.arange(len(steps), device=device), (queries % chunk).to(device)]
    of_each = sides(queries, rows.x.shape[-2], rows.x.shape[-1], norm)
    if norm == "Linf":
        moved = _linf(rows, numbers, of_each.to(device))
    else:
        moved = torch.empty_like(rows.x)
        for size in of_each.unique().tolist():
            group = (of_each == size).nonzero().squeeze(1).to(device)
            clean, best, eps = rows.clean[group], rows.best[group], rows.eps[group]
            moved[group] = _windows(clean, best, eps, numbers[group], size, norm)
    begun = (queries >= 0).to(device)
    rows.x = moved if min(steps) else torch.where(spread(begun, moved), moved, rows.x)


def sides(queries: Tensor, height: int, width: int, norm: Norm) -> Tensor:
    """Side of the square that each query tries, in pixels; odd and at least 3 for L2 and L1.

    queries: int64 N, from 0, on the CPU.
    """
    return _sides(height, width, norm)[torch.bucketize(queries, torch.tensor(_SHRINKS_AFTER))]


@lru_cache(maxsize=8)
def _sides(height: int, width: int, norm: Norm) -> Tensor:
    """After so many shrinkings."""
    found = []
    for shrunk in range(len(_SHRINKS_AFTER) + 1):
        wanted = round(math.sqrt(_SHARE / 2**shrunk * height * width))
        wanted = max(wanted, 1) if norm == "Linf" else max(wanted, 3) | 1
        found.append(min(wanted, height, width))
    return torch.tensor(found)


def _signs(numbers: Tensor) -> Tensor:
    return (2 * numbers - 1).sign()


def _corner(numbers: Tensor, room: int | Tensor) -> Tensor:
    """A position from a uniform number: 0 to room - 1."""
    return (room * numbers).long()


def _linf(rows: SquareRows, numbers: Tensor, sides: Tensor) -> Tensor:
    """Push a square of each channel to one side of the ball."""
    height, width = rows.x.shape[-2:]
    top, left = _corner(numbers[:, 0], height - sides), _corner(numbers[:, 1], width - sides)
    mask = inside(rows.x, top, left, sides)
    radius = spread(rows.eps, rows.x)
    push = 2 * radius * _signs(numbers[:, 2:])[..., None, None] * mask
    pushed = (rows.best + push).maximum(rows.clean - radius).minimum(rows.clean + radius)
    return pushed.clamp(0, 1)


def _windows(clean: Tensor, best: Tensor, eps: Tensor, numbers: Tensor, size: int, norm: Norm) -> Tensor:
    """Move the perturbation out of one window into another, in the shape of a two-sided pyramid."""
    channels, height, width = clean.shape[1:]
    room = torch.tensor([height - size, width - size], device=numbers.device)
    to, away = _corner(numbers[:, 0:2], room), _corner(numbers[:, 2:4], room)
    delta = best - clean
    gaining = positions(to[:, 0], to[:, 1], size, width)
    losing = positions(away[:, 0], away[:, 1], size, width)
    sides = torch.full_like(to[:, 0], size)
    gained = inside(delta, to[:, 0], to[:, 1], sides)
    either = gained | inside(delta, away[:, 0], away[:, 1], sides)

    flat = delta.flatten(2)
    old = flat.gather(2, gaining.expand(-1, channels, -1))
    shapes = pyramids(size, norm, delta.device)[(numbers[:, 4] > 0.5).long()].flatten(1).unsqueeze(1)
    new = shapes * _signs(numbers[:, 5:]).unsqueeze(-1) + old / (1e-12 + _lengths(old, norm))
    new = new / (1e-12 + _lengths(new, norm)) * _allowed(delta, either, eps, norm)
    flat = flat.scatter(2, losing.expand(-1, channels, -1), 0.0)
    flat = flat.scatter(2, gaining.expand(-1, channels, -1), new)
    return _scaled(clean, flat.view_as(delta), eps, norm)


def _lengths(windows_of: Tensor, norm: Norm) -> Tensor:
    """Norm of each channel, N x C x 1."""
    if norm == "L1":
        return windows_of.abs().sum(-1, keepdim=True)
    return windows_of.square().sum(-1, keepdim=True).sqrt()


def _allowed(delta: Tensor, either: Tensor, eps: Tensor, norm: Norm) -> Tensor:
    """Norm that each channel's new window may have, N x C x 1: what both windows held, and a share of the rest.

    In L1 the reference gives every channel that, times the number of channels; its projection puts it right.
    """
    channels, spent = delta.shape[1], delta * either
    if norm == "L1":
        left = (eps - length(delta, norm)).clamp(min=0)
        return (left.view(-1, 1, 1) / channels + _lengths(spent.flatten(2), norm)) * channels
    left = (eps.square() - length(delta, norm).square()).clamp(min=0)
    return (left.view(-1, 1, 1) / channels + spent.square().sum((-2, -1)).unsqueeze(-1)).sqrt()


def _scaled(clean: Tensor, delta: Tensor, eps: Tensor, norm: Norm) -> Tensor:
    """The clean images and these perturbations brought to the budget's length; in L1, brought into its ball."""
    if norm == "L1":
        return clean + delta + l1_ball.inward(clean, delta, eps * _JUST_INSIDE)
    return (clean + unit(delta, norm) * spread(eps, delta)).clamp(0, 1)


def inside(images: Tensor, top: Tensor, left: Tensor, sides: Tensor) -> Tensor:
    """Which pixels lie in each image's window, bool N x 1 x H x W; corners and sides N."""
    height, width = images.shape[-2:]
    down = torch.arange(height, device=images.device) - top.unsqueeze(1)
    across = torch.arange(width, device=images.device) - left.unsqueeze(1)
    end = sides.unsqueeze(1)
    rows, columns = (down >= 0) & (down < end), (across >= 0) & (across < end)
    return (rows.unsqueeze(2) & columns.unsqueeze(1)).unsqueeze(1)


def positions(top: Tensor, left: Tensor, size: int, width: int) -> Tensor:
    """Flat positions of the pixels of each image's window, N x 1 x size^2."""
    reach = torch.arange(size, device=top.device)
    rows, columns = top.unsqueeze(1) + reach, left.unsqueeze(1) + reach
    return (rows.unsqueeze(2) * width + columns.unsqueeze(1)).flatten(1).unsqueeze(1)


@lru_cache(maxsize=64)
def pyramids(size: int, norm: Norm, device: torch.device) -> Tensor:
    """The pattern of a window and its transpose, 2 x size x size, norm 1: one half up, the other half down."""
    half = size // 2
    pattern = torch.cat([_pyramid(half, size, norm), -_pyramid(size - half, size, norm)])
    pattern = pattern / length(pattern.unsqueeze(0), norm)
    return torch.stack([pattern, pattern.T]).to(device)


def _pyramid(height: int, width: int, norm: Norm) -> Tensor:
    """Nested rectangles around the centre, the r-th adding 1 / r^2 (in L1 1 / r^4), norm 1."""
    middle, centre = height // 2, width // 2
    ring = (torch.arange(height) - middle).abs().unsqueeze(1).maximum((torch.arange(width) - centre).abs())
    heights = torch.zeros(height, width)
    for reach in range(max(middle, centre) + 1):
        heights += (ring <= reach) / (reach + 1.0) ** (4 if norm == "L1" else 2)
    return heights / length(heights.unsqueeze(0), norm)


def grid(clean: Tensor, turned: Tensor, signs: Tensor, norm: Norm) -> Tensor:
    """Pyramids tiling the images: turned N x tiles says which lie on their side, signs N x tiles x C."""
    height, width = clean.shape[-2:]
    size = max(height // 5, 1)
    margin = max((height - 5 * size) // 2, 0)
    delta = torch.zeros_like(clean)
    shapes = pyramids(size, norm, clean.device)
    corners = [(margin + i * size, margin + j * size) for i in range(height // size) for j in range(width // size)]
    for tile, (top, left) in enumerate(corners):
        place = delta[:, :, top : top + size, left : left + size]
        shape = shapes[turned[:, tile].long(), : place.shape[2], : place.shape[3]]
        place += shape.unsqueeze(1) * signs[:, tile, :, None, None]
    return delta


class SquareTable(Table[SquareRows]):
    """Square on the margin loss."""

    passes = ("forward",)
    judged_after = "forward"

    @classmethod
    def schedule(cls, parameters: Parameters) -> Schedule:
        """Return the start and the queries; each takes a forward pass."""
        return Schedule(parameters["queries"], 1 + parameters["queries"])

    def _begin(self, searches: Sequence[Search]) -> SquareRows:
        ground, images = self.ground, self.ground.images_of(searches)
        device, clean = ground.pixels.device, ground.pixels[images]
        each = noise.per_step(clean.shape[1:], ground.norm)
        numbers = torch.zeros(len(images), ground.noise.chunk, each, device=device)
        drawn = ground.noise.square_start(searches).to(device)
        return start(clean, ground.labels[images], ground.eps_of(searches), drawn, numbers, ground.norm)

    def points(self) -> Tensor:
        """A new square on each best point; the start as it is."""
        if any(self.steps):
            self._draw()
            move(self.rows, self.steps, self.ground.norm)
        return self.rows.x.clamp(0, 1) if self.ground.norm == "L1" else self.rows.x

    def _draw(self) -> None:
        """Fresh numbers for rows that have used theirs up."""
        chunk = self.rows.numbers.shape[1]
        self._drawn([row for row, step in enumerate(self.steps) if step and (step - 1) % chunk == 0])

    def _drawn(self, due: Sequence[int]) -> None:
        """The numbers of the chunks that some rows are in."""
        if due:
            rows, chunk = self.rows, self.rows.numbers.shape[1]
            firsts = [(self.steps[row] - 1) // chunk * chunk + 1 for row in due]
            drawn = self.ground.noise.square_steps([self.searches[row] for row in due], firsts)
            at = torch.tensor(due, device=rows.numbers.device)
            rows.numbers = rows.numbers.index_copy(0, at, drawn.to(at.device))

    def stored(self) -> dict[str, Tensor]:
        """As every table, less the random numbers and the last point: between passes only the best one counts."""
        return {name: value for name, value in super().stored().items() if name not in {"x", "numbers"}}

    def revive(self, searches: list[Search], steps: list[int], rows: dict[str, Tensor]) -> None:
        """As every table; the numbers are drawn again."""
        clean = rows["clean"]
        each = noise.per_step(clean.shape[1:], self.ground.norm)
        numbers = torch.zeros(len(clean), self.ground.noise.chunk, each, device=clean.device)
        super().revive(searches, steps, {**rows, "x": rows["best"], "numbers": numbers})
        self._drawn([row for row, step in enumerate(steps) if step])

    def losses(self, rows: slice, logits: Tensor) -> Tensor:
        """The margin, of which no gradient is ever asked."""
        return losses.margin(logits, self.rows.labels[rows])

    def learn(self, lesson: StepInput) -> list[bool]:
        """Keep what helped. As in the reference, a search also ends on a tie that still goes to the label."""
        ends = [last or tied for last, tied in zip(self.ending(), lesson.tied, strict=True)]
        learn(self.rows, self.losses(slice(None), lesson.logits))
        self._step()
        return ends

    def ending(self) -> list[bool]:
        """After the last query."""
        return [step + 1 >= self.stage.schedule.forward for step in self.steps]

    def row_type(self) -> type[SquareRows]:
        """Square's."""
        return SquareRows
