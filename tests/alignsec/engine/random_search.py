"""A toy attack component, as a contributor would add one: random points of the ball around the image.

The whole component is this file: a table, and the record that goes into `alignsec.spec.components.COMPONENTS`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from alignsec.engine.attacks import losses
from alignsec.engine.norms import Rows, normalize, per_row
from alignsec.engine.search import Schedule, Search
from alignsec.engine.table import StepInput, Table
from alignsec.spec.components import Component, ImagePasses, Parameters


@dataclass
class RandomRows(Rows):
    """State of each search. Images N x C x H x W, the rest N."""

    clean: Tensor
    labels: Tensor
    eps: Tensor
    x: Tensor


class RandomTable(Table[RandomRows]):
    """Searches that try one random point after another."""

    passes = ("forward",)
    judged_after = "forward"

    @classmethod
    def schedule(cls, parameters: Parameters) -> Schedule:
        """Return one forward pass for each query."""
        return Schedule(parameters["queries"], parameters["queries"])

    def _start(self, searches: Sequence[Search]) -> RandomRows:
        images = self.problem.image_indices(searches)
        clean = self.problem.pixels[images]
        return RandomRows(clean, self.problem.labels[images], self.problem.radii(searches), clean)

    def points(self) -> Tensor:
        """Return a new random point for each search, on the sphere of radius eps."""
        rows = self.rows
        for row, (search, step) in enumerate(zip(self.searches, self.steps, strict=True)):
            shape = tuple(rows.clean.shape[1:])
            direction = 2 * self.problem.noise.uniform([search], str(step), shape).to(rows.clean.device) - 1
            radius = per_row(rows.eps[row : row + 1], direction)
            rows.x = rows.x.clone()
            rows.x[row] = (rows.clean[row] + radius * normalize(direction, self.problem.norm)[0]).clamp(0, 1)[0]
        return rows.x

    def losses(self, rows: slice, logits: Tensor) -> Tensor:
        """Return the margin, of which no gradient is needed."""
        return losses.margin(logits, self.rows.labels[rows])

    def update(self, step: StepInput) -> list[bool]:
        """Count the query; the point was not a success."""
        ends = self.ends_now()
        self._count_step()
        return ends

    def ends_now(self) -> list[bool]:
        """Return True for searches at their last query."""
        return [taken + 1 >= self.stage.schedule.forward for taken in self.steps]

    def row_type(self) -> type[RandomRows]:
        """Return the type of the rows."""
        return RandomRows


RANDOM_SEARCH = Component(
    name="random-search",
    letter="r",
    label="Random search",
    colour="#56b4e9",
    parameters=("queries",),
    gradient=False,
    table=f"{__name__}:RandomTable",
    passes=lambda parameters: ImagePasses(parameters["queries"], 0),
)
