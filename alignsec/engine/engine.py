"""Engine: runs the searches of all components side by side in slots, one round at a time."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, pairwise
from operator import or_
from typing import Any

import torch
from torch import Tensor

from alignsec.engine.claims import Claim, PointFlags, compute_flags, find_claims
from alignsec.engine.ledger import Ledger
from alignsec.engine.problem import Problem
from alignsec.engine.scheduler import Scheduler
from alignsec.engine.search import Search
from alignsec.engine.table import PassKind, StepInput, Table
from alignsec.evaluation.evaluation import AdversarialImage
from alignsec.evaluation.passes.model_runner import ModelRunner, PassResult, concatenate, non_finite_error
from alignsec.evaluation.task import OnAdversarial


@dataclass(frozen=True)
class _Batch:
    """The points of all tables that take part in one pass, one table after another. N is their number."""

    kind: PassKind
    tables: list[Table[Any]]
    edges: list[slice]
    """Positions of each table's points."""
    searches: list[Search]
    points: Tensor
    """Images, N x C x H x W."""
    labels: Tensor


@dataclass
class Engine:
    """Runs a scheduler's searches. Each round makes one gradient pass and one forward pass of the model."""

    model_runner: ModelRunner
    problem: Problem
    scheduler: Scheduler
    ledger: Ledger
    tables: Sequence[Table[Any]]
    """One per stage, in the order of the stages."""
    counters: Counter[str]
    """Events for the warnings at the end of the evaluation."""
    slots: int
    on_adversarial: OnAdversarial | None = None
    """See Settings."""

    @torch.no_grad()
    def run_round(self) -> None:
        """Fill the free slots, then take every search one step further."""
        began, spent = time.perf_counter(), Counter[int]()
        self.scheduler.round += 1
        self._fill_slots()
        for kind in ("gradient", "forward"):
            tables = [table for table in self.tables if table.searches and kind in table.passes]
            if tables:
                self._run_pass(_gather(kind, tables), spent)
        self.ledger.add_seconds(time.perf_counter() - began, spent)

    def _fill_slots(self) -> None:
        slots = self.scheduler.slot_count(self.slots, self.model_runner.max_batch)
        free = slots - sum(len(table.searches) for table in self.tables)
        for block in self.scheduler.next_blocks(free):
            self.tables[block[0].stage_run.place].add(block)

    def _run_pass(self, batch: _Batch, spent: Counter[int]) -> None:
        """Run the model on the points, judge them, and let the searches move on."""
        result = self._run_model(batch, spent)
        flags = compute_flags(result, batch.labels, self.model_runner.rounding)
        self._check_finite(result, flags)
        claims = self._find_claims(batch, flags)
        doubted = [claim for claim in claims if claim.within and self._needs_second_pass(claim)]
        self._judge_in_float32(batch, result, flags, doubted, spent)
        for claim in claims:
            if flags.misclassified[claim.position]:
                self._accept(claim, batch.points[claim.position])
        ended = _update_tables(batch, result, flags)
        if ended or claims:
            self._free_slots(ended)

    def _run_model(self, batch: _Batch, spent: Counter[int]) -> PassResult:
        backward = batch.kind == "gradient"
        if backward:
            result = self.model_runner.forward_backward(batch.points, partial(_compute_losses, batch))
        else:
            result = self.model_runner.forward(batch.points)
        self._charge(batch.searches, spent, backward)
        if compared := self.model_runner.take_compared():
            self._charge(batch.searches[:compared], spent, backward)
            self.counters["compared"] += compared
        return result

    def _charge(self, searches: Sequence[Search], spent: Counter[int], backward: bool) -> None:
        for (budget, _), passes in self.ledger.charge(searches, backward).items():
            spent[budget] += passes

    def _check_finite(self, result: PassResult, flags: PointFlags) -> None:
        """Raise ModelError for logits that are not finite; replace gradients that are not finite by 0."""
        if bad := sum(flags.non_finite):
            raise non_finite_error(bad, len(flags.non_finite), self.model_runner)
        if (bad := sum(flags.bad_gradient)) and result.gradients is not None:
            self.counters["wild gradients"] += bad
            result.gradients = result.gradients.nan_to_num(0, 0, 0)

    def _find_claims(self, batch: _Batch, flags: PointFlags) -> list[Claim]:
        doubtful = flags.doubtful
        if self.model_runner.search != "fp32":
            # In lower precision, the last point of a search may be a success that looks like a near miss.
            doubtful = list(map(or_, doubtful, [end for table in batch.tables for end in table.ends_now()]))
        counting = [
            counts and batch.kind == table.judged_after for table in batch.tables for counts in table.counts_now()
        ]
        positions = [at for at, doubt in enumerate(doubtful) if doubt and counting[at]]
        steps = [step for table in batch.tables for step in table.steps]
        return find_claims(self.problem, batch.points, batch.searches, steps, positions)

    def _needs_second_pass(self, claim: Claim) -> bool:
        """Return True if the logits of the search do not decide: low precision, or perhaps a randomised model."""
        return not self.model_runner.is_exact or claim.search.stage_run.stage.component.judged_twice

    def _judge_in_float32(
        self, batch: _Batch, result: PassResult, flags: PointFlags, claims: list[Claim], spent: Counter[int]
    ) -> None:
        """Classify the points of claims with the float32 model, and replace their logits and flags."""
        if not claims:
            return
        at = torch.tensor([claim.position for claim in claims], device=batch.points.device)
        exact = PassResult(self.model_runner.classify(batch.points[at]))
        self._charge([claim.search for claim in claims], spent, backward=False)
        result.logits = result.logits.index_copy(0, at, exact.logits)
        found = compute_flags(exact, batch.labels[at])
        if bad := sum(found.non_finite):
            raise non_finite_error(bad, len(claims))
        self.counters["judged again"] += len(claims)
        for row, claim in enumerate(claims):
            if flags.misclassified[claim.position] and not found.misclassified[row]:
                self._reject(claim.search, claim.within)
            flags.tied[claim.position] = found.tied[row]
            flags.misclassified[claim.position] = found.misclassified[row]

    def _accept(self, claim: Claim, point: Tensor) -> None:
        """Record the verdicts that a confirmed claim gives, and pass its image on."""
        run = claim.search.stage_run
        beyond = [budget for budget in run.budgets if budget not in claim.within]
        for budget in claim.within:
            if budget not in run.budgets:
                continue
            for decided in self.scheduler.mark_broken(run, budget):
                found = AdversarialImage(
                    budget=decided,
                    image=run.image,
                    component=run.stage.component.name,
                    target=claim.search.target,
                    step=claim.step,
                    distance=claim.distance,
                )
                self.ledger.adversarial_images.append(found)
                if self.on_adversarial:
                    self.on_adversarial(found, point)
        if beyond and not run.stage.component.minimizes:
            self._reject(claim.search, beyond)

    def _reject(self, search: Search, budgets: Sequence[int]) -> None:
        """Count a claim that the judge rejected, once for each stage run."""
        if not search.stage_run.has_rejected_claim:
            search.stage_run.has_rejected_claim = True
            self.ledger.rejected.update(budgets)

    def _free_slots(self, ended: list[Search]) -> None:
        """Remove the searches that have ended and those whose image has a verdict."""
        over = {id(search) for search in ended}
        for table in self.tables:
            wanted = [search.stage_run.is_open and id(search) not in over for search in table.searches]
            if not all(wanted):
                table.keep(wanted)
        for search in ended:
            self.scheduler.finish(search)


def _gather(kind: PassKind, tables: list[Table[Any]]) -> _Batch:
    """Collect the points of some tables."""
    ends = pairwise(accumulate((len(table.searches) for table in tables), initial=0))
    return _Batch(
        kind,
        tables,
        edges=[slice(*pair) for pair in ends],
        searches=[search for table in tables for search in table.searches],
        points=concatenate([table.points() for table in tables]),
        labels=concatenate([table.rows.labels for table in tables]),
    )


def _compute_losses(batch: _Batch, positions: slice, logits: Tensor) -> Tensor:
    """Return the losses of the points at some positions, which may start and end within a table."""
    parts = []
    for table, edge in zip(batch.tables, batch.edges, strict=True):
        start, stop = max(positions.start, edge.start), min(positions.stop, edge.stop)
        if start < stop:
            rows = slice(start - edge.start, stop - edge.start)
            parts.append(table.losses(rows, logits[start - positions.start : stop - positions.start]))
    return concatenate(parts)


def _update_tables(batch: _Batch, result: PassResult, flags: PointFlags) -> list[Search]:
    """Give each table its part of the results. Return the searches that have ended."""
    ended = list[Search]()
    for table, edge in zip(batch.tables, batch.edges, strict=True):
        step = StepInput(
            result.logits[edge],
            flags.tied[edge],
            losses=None if result.losses is None else result.losses[edge],
            gradients=None if result.gradients is None else result.gradients[edge],
        )
        ended += [search for search, end in zip(table.searches, table.update(step), strict=True) if end]
    return ended
