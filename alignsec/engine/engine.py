"""The engine: searches of all kinds side by side in slots, each freed the moment its image is decided."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import torch
from torch import Tensor

from alignsec.classifier import Classifier
from alignsec.engine.agenda import Agenda
from alignsec.engine.course import Search
from alignsec.engine.ground import Ground
from alignsec.engine.judging import sound_distances, within
from alignsec.engine.ledger import Ledger
from alignsec.engine.passes import gradients_of, logits_of
from alignsec.engine.table import Kind, Seen, Table
from alignsec.evaluation import Found


@dataclass
class Engine:
    """Runs an agenda to its end, a round at a time: one gradient pass and one forward pass of the model."""

    classifier: Classifier
    ground: Ground
    agenda: Agenda
    ledger: Ledger
    tables: Sequence[Table[Any]]
    """One a stage, in the plan's order."""
    facts: Counter[str]
    slots: int

    @torch.no_grad()
    def round(self) -> None:
        """Fill the slots and take every search a pass further."""
        began, spent = time.perf_counter(), Counter[int]()
        self.agenda.round += 1
        self._fill()
        for kind in ("gradient", "forward"):
            self._pass(kind, spent)
        self.ledger.spend(time.perf_counter() - began, spent)

    def _fill(self) -> None:
        free = self.slots - sum(len(table.searches) for table in self.tables)
        for block in self.agenda.take(free):
            self.tables[block[0].course.place].admit(block)

    def _pass(self, kind: Kind, spent: Counter[int]) -> None:
        parts = [(table, due) for table in self.tables if len(due := table.due(kind))]
        if not parts:
            return
        points = torch.cat([table.points(due) for table, due in parts])
        edges = [slice(*pair) for pair in pairwise(accumulate((len(due) for _, due in parts), initial=0))]
        if kind == "gradient":
            logits, losses, gradients = self._climb(parts, points, edges)
        else:
            logits, losses, gradients = logits_of(self.classifier, points), None, None
        ended, decided = [], False
        for (table, due), edge in zip(parts, edges, strict=True):
            searches = [table.searches[row] for row in due.tolist()]
            self.ledger.charge(searches, backward=kind == "gradient")
            spent.update(search.payer for search in searches)
            wrong = logits[edge].argmax(1) != table.rows.labels[due]
            decided |= self._judge(table, due, points[edge], wrong)
            seen = Seen(
                due,
                logits[edge],
                wrong,
                losses=None if losses is None else losses[edge],
                gradients=None if gradients is None else gradients[edge],
            )
            finished = table.learn(seen).tolist()
            ended += [search for search, end in zip(table.searches, finished, strict=True) if end]
        if ended or decided:
            self._settle(ended)

    def _climb(
        self, parts: list[tuple[Table[Any], Tensor]], points: Tensor, edges: list[slice]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Logits, losses and gradients of the losses at the points."""
        with torch.enable_grad():
            images = points.requires_grad_()
            logits = logits_of(self.classifier, images)
            losses = [table.losses(due, logits[edge]) for (table, due), edge in zip(parts, edges, strict=True)]
            gradients, wild = gradients_of(losses, images)
        self.facts["wild gradients"] += wild
        points.requires_grad_(False)
        return logits.detach(), torch.cat(losses).detach(), gradients

    def _judge(self, table: Table[Any], due: Tensor, points: Tensor, wrong: Tensor) -> bool:
        """Give verdicts to the images whose misclassified points count. Returns whether there may be any."""
        counts = wrong & table.candidates(due)
        if not counts.any():
            return False
        hits = counts.nonzero().squeeze(1)
        clean, norm = table.rows.clean[due[hits]], self.ground.norm
        distances = sound_distances(clean, points[hits], norm)
        steps = table.steps()
        for row, image, distance in zip(due[hits].tolist(), clean, distances, strict=True):
            search = table.searches[row]
            for budget in list(search.course.budgets):
                if within(distance, self.ground.eps[budget], image, norm):
                    for decided in self.agenda.broken(search.course, budget):
                        self.ledger.found.append(
                            Found(
                                budget=decided,
                                image=search.course.image,
                                component=table.stage.component,
                                target=search.target,
                                step=steps[row],
                                distance=distance,
                            )
                        )
                elif not (table.stage.shared or search.course.doubted):
                    search.course.doubted = True
                    self.ledger.rejected[budget] += 1
        return True

    def _settle(self, ended: list[Search]) -> None:
        """Free the slots of searches that have ended, or whose images are decided."""
        over = {id(search) for search in ended}
        for table in self.tables:
            wanted = [search.course.open and id(search) not in over for search in table.searches]
            if not all(wanted):
                table.keep(wanted)
        for search in ended:
            self.agenda.ended(search)
