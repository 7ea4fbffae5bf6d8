"""Which table takes the searches of a stage."""

from collections import Counter
from typing import Any

from alignsec.engine.apgd_l1_table import ApgdL1Table
from alignsec.engine.apgd_table import ApgdTable
from alignsec.engine.fab_table import FabTable
from alignsec.engine.ground import Ground
from alignsec.engine.plan import Stage
from alignsec.engine.square_table import SquareTable
from alignsec.engine.table import Table


def empty_table(stage: Stage, ground: Ground, facts: Counter[str]) -> Table[Any]:
    """A table of the stage's kind with no searches in it."""
    kind: type[Table[Any]]
    match stage.component:
        case "fab-t":
            kind = FabTable
        case "square":
            kind = SquareTable
        case "apgd-ce" | "apgd-t":
            kind = ApgdL1Table if ground.norm == "L1" else ApgdTable
    return kind(stage, ground, facts)
