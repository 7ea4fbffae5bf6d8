"""The engine: searches of all kinds side by side in slots, each freed the moment its image is decided."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from operator import or_
from typing import Any

import torch
from torch import Tensor

from alignsec.engine.claims import Claim, PointFlags, find_claims, point_flags
from alignsec.engine.ledger import Ledger
from alignsec.engine.problem import Problem
from alignsec.engine.scheduler import Scheduler
from alignsec.engine.search import Search
from alignsec.engine.table import Kind, StepInput, Table
from alignsec.evaluation.evaluation import AdversarialImage
from alignsec.evaluation.passes.model_runner import ModelRunner, PassResult, concatenate, non_finite_error


@dataclass
class Engine:
    """Runs an agenda to its end, a round at a time: one gradient pass and one forward pass of the model."""

    passage: ModelRunner
    ground: Problem
    agenda: Scheduler
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
        # To replay the reference, the searches of a batch must be side by side even where they are seen in lots.
        most = self.slots if self.agenda.batch else min(self.slots, self.passage.max_batch)
        free = most - sum(len(table.searches) for table in self.tables)
        blocks = list(self.agenda.take(free))
        if self.agenda.batch is None:
            # Each admission copies a table. To replay the reference, each batch must draw its numbers by itself.
            searches = [search for block in blocks for search in block]
            blocks = [[s for s in searches if s.course.place == place] for place in range(len(self.tables))]
        for block in filter(None, blocks):
            self.tables[block[0].course.place].admit(block)

    def _pass(self, kind: Kind, spent: Counter[int]) -> None:
        """Every search that wants it sees its point: judge the points, and let the searches learn."""
        tables = [table for table in self.tables if table.searches and kind in table.passes]
        if not tables:
            return
        searches = [search for table in tables for search in table.searches]
        edges = [slice(*ends) for ends in pairwise(accumulate((len(t.searches) for t in tables), initial=0))]
        points, labels = concatenate([t.points() for t in tables]), concatenate([t.rows.labels for t in tables])
        if kind == "gradient":
            seen = self.passage.forward_backward(points, lambda lot, logits: _losses(tables, edges, lot, logits))
        else:
            seen = self.passage.forward(points)
        self._charge(searches, spent, backward=kind == "gradient")
        if again := self.passage.take_compared():
            self._charge(searches[:again], spent, backward=kind == "gradient")
            self.facts["compared"] += again
        signs = self._checked(seen, point_flags(seen, labels, self.passage.rounding))

        counting = [may and kind == table.judged_after for table in tables for may in table.counting()]
        doubtful = signs.doubtful
        if self.passage.search != "fp32":
            # What a search in less than float32 is left with may be what it took for a near miss.
            doubtful = list(map(or_, doubtful, [last for table in tables for last in table.ending()]))
        places = [at for at, doubt in enumerate(doubtful) if doubt and counting[at]]
        steps = [step for table in tables for step in table.steps]
        claims = find_claims(self.ground, points, searches, steps, places)
        if not self.passage.is_exact:
            signs = self._judge_again(
                points, labels, seen, signs, [claim for claim in claims if claim.within], spent
            )
        for claim in claims:
            self._decide(claim, confirmed=signs.wrong[claim.place])

        ended = list[Search]()
        for table, edge in zip(tables, edges, strict=True):
            lesson = StepInput(
                seen.logits[edge],
                signs.tied[edge],
                losses=None if seen.losses is None else seen.losses[edge],
                gradients=None if seen.gradients is None else seen.gradients[edge],
            )
            ended += [search for search, end in zip(table.searches, table.learn(lesson), strict=True) if end]
        if ended or claims:
            self._settle(ended)

    def _charge(self, searches: Sequence[Search], spent: Counter[int], backward: bool) -> None:
        for (budget, _), passes in self.ledger.charge(searches, backward).items():
            spent[budget] += passes

    def _checked(self, seen: PassResult, signs: PointFlags) -> PointFlags:
        """Refuse logits that are no numbers; take gradients that are none as 0."""
        if bad := sum(signs.unsound):
            raise non_finite_error(bad, len(signs.unsound), self.passage)
        if (wild := sum(signs.wild)) and seen.gradients is not None:
            self.facts["wild gradients"] += wild
            seen.gradients = seen.gradients.nan_to_num(0, 0, 0)
        return signs

    def _judge_again(
        self,
        points: Tensor,
        labels: Tensor,
        seen: PassResult,
        signs: PointFlags,
        claims: list[Claim],
        spent: Counter[int],
    ) -> PointFlags:
        """Put the points of claims through the float32 model; its logits take the place of the search's."""
        if not claims:
            return signs
        at = torch.tensor([claim.place for claim in claims], device=points.device)
        exact = PassResult(self.passage.classify(points[at]))
        self._charge([claim.search for claim in claims], spent, backward=False)
        seen.logits = seen.logits.index_copy(0, at, exact.logits)
        found = point_flags(exact, labels[at])
        if bad := sum(found.unsound):
            raise non_finite_error(bad, len(claims))
        claimed = [claim for claim in claims if signs.wrong[claim.place]]
        self.facts["judged again"] += len(claims)
        for row, claim in enumerate(claims):
            signs.tied[claim.place] = found.tied[row]
            if claim in claimed and not found.wrong[row]:
                self._reject(claim.search, claim.within)
            signs.wrong[claim.place] = found.wrong[row]
        return signs

    def _reject(self, search: Search, budgets: Sequence[int]) -> None:
        """An image was claimed to be broken and is not: counted once for each course."""
        if not search.course.doubted:
            search.course.doubted = True
            self.ledger.rejected.update(budgets)

    def _decide(self, claim: Claim, confirmed: bool) -> None:
        """Give the verdicts that a claim is worth."""
        if not confirmed:
            return
        course = claim.search.course
        beyond = [budget for budget in course.budgets if budget not in claim.within]
        for budget in claim.within:
            if budget not in course.budgets:
                continue
            for decided in self.agenda.broken(course, budget):
                self.ledger.adversarial_images.append(
                    AdversarialImage(
                        budget=decided,
                        image=course.image,
                        component=course.stage.component.name,
                        target=claim.search.target,
                        step=claim.step,
                        distance=claim.distance,
                    )
                )
        if beyond and not course.stage.component.shared:
            self._reject(claim.search, beyond)

    def _settle(self, ended: list[Search]) -> None:
        """Free the slots of searches that have ended, or whose images are decided."""
        over = {id(search) for search in ended}
        for table in self.tables:
            wanted = [search.course.open and id(search) not in over for search in table.searches]
            if not all(wanted):
                table.keep(wanted)
        for search in ended:
            self.agenda.ended(search)


def _losses(tables: Sequence[Table[Any]], edges: Sequence[slice], lot: slice, logits: Tensor) -> Tensor:
    """Losses of the points at a lot's positions, which may begin and end amid a table's."""
    parts = []
    for table, edge in zip(tables, edges, strict=True):
        start, stop = max(lot.start, edge.start), min(lot.stop, edge.stop)
        if start < stop:
            rows = slice(start - edge.start, stop - edge.start)
            parts.append(table.losses(rows, logits[start - lot.start : stop - lot.start]))
    return concatenate(parts)
