"""Run: `evaluate` runs the engine on a task."""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from alignsec.engine.attacks.components import build_table, plan_stages
from alignsec.engine.audit import AuditScheduler, build_audit_scheduler
from alignsec.engine.audit_extension import extend_evaluation
from alignsec.engine.engine import Engine
from alignsec.engine.ledger import Ledger
from alignsec.engine.noise import KeyedNoise, Noise
from alignsec.engine.problem import Problem
from alignsec.engine.replay import ReplayNoise
from alignsec.engine.replay_scheduler import ReplayScheduler
from alignsec.engine.scheduler import Scheduler
from alignsec.engine.search import Stage
from alignsec.engine.settings import Settings
from alignsec.engine.snapshot import Snapshot, save_snapshot
from alignsec.evaluation.evaluation import Evaluation
from alignsec.evaluation.passes import clean_pass, memory, precision, warnings
from alignsec.evaluation.passes.compiled import CompiledNetwork
from alignsec.evaluation.passes.frozen import frozen_parameters
from alignsec.evaluation.passes.model_runner import ModelRunner
from alignsec.evaluation.task import Task


def evaluate(
    task: Task, resume_from: Evaluation | None = None, settings: Settings | None = None
) -> Iterator[Evaluation]:
    """Run the attack of a task.

    The model is in evaluation mode with frozen parameters while the iterator runs, and is restored afterwards.

    Args:
        task: Classifier, images, labels and attack.
        resume_from: An earlier evaluation of the same task and settings, with its state. Without a state, or in a
            replay, the evaluation starts from scratch.
        settings: Settings of the engine; `Settings()` by default.

    Yields:
        An evaluation after the clean pass, then one every `settings.seconds_between_yields`. The last one is
        complete.

    Raises:
        ValueError: If images are outside [0,1] or have no labels, or if a replay has too few slots.
        ModelError: If logits are not finite, if there is no gradient, or if a label is outside the classes.
        SnapshotError: If the state of `resume_from` cannot be read.
    """
    settings = settings or Settings()
    clean_pass.check_task(task)
    if settings.replay and settings.slots < task.attack.batch:
        raise ValueError(f"a replay of batches of {task.attack.batch} needs as many slots, got {settings.slots}")
    with frozen_parameters(task.classifier):
        if resume_from is not None and resume_from.complete:
            yield resume_from
        elif resume_from is not None and resume_from.state and not settings.replay:
            yield from _resume(task, settings, resume_from, resume_from.state).finish()
        else:
            yield from _start(task, settings).finish()


@dataclass
class _Run:
    """An engine, and the evaluation from which it started."""

    first: Evaluation
    engine: Engine
    settings: Settings

    def finish(self) -> Iterator[Evaluation]:
        """Run rounds until every cell has a verdict."""
        yield self._evaluation()
        yielded = time.monotonic()
        try:
            while self.engine.scheduler.undecided:
                self.engine.run_round()
                undecided = self.engine.scheduler.undecided
                if time.monotonic() - yielded >= self.settings.seconds_between_yields or not undecided:
                    yield self._evaluation()
                    yielded = time.monotonic()
        finally:
            if self.engine.model_runner.compiled:
                self.engine.model_runner.compiled.release()

    def _evaluation(self) -> Evaluation:
        """Return the present evaluation, whose state is made only if it is asked for before the next round."""
        engine, scheduler = self.engine, self.engine.scheduler
        budgets = engine.ledger.budget_verdicts(tuple(one.eps for one in self.first.budgets), scheduler.verdicts)
        undecided, round_now = scheduler.undecided, scheduler.round
        final_warnings = [] if undecided else warnings.find_search_warnings(engine.counters, budgets)
        now = self.first.model_copy(
            update={
                "budgets": budgets,
                "steps_done": self.first.steps - undecided,
                "undecided": undecided,
                "passes_left": scheduler.passes_left,
                "notes": (*self.first.notes, *self._compile_notes(), *final_warnings),
                "adversarial_images": tuple(engine.ledger.adversarial_images),
                "max_batch": engine.model_runner.max_batch,
                "state": None,
            }
        )

        if isinstance(scheduler, AuditScheduler):
            now = scheduler.annotate(now)

        def make_state() -> bytes:
            if scheduler.round != round_now:
                raise RuntimeError("the engine has run on; read the evaluation's state before the next evaluation")
            return save_snapshot(scheduler, engine.tables, engine.problem.ranking, engine.counters)

        return now.with_lazy_state(make_state) if undecided else now

    def _compile_notes(self) -> list[str]:
        """Return why the search ran without torch.compile although the attack asks for it, unless noted before."""
        compiled = self.engine.model_runner.compiled
        if compiled is None:
            return []
        if compiled.failure:
            note = f"the search went on without torch.compile: {compiled.failure}"
        elif not self.engine.scheduler.undecided and not self.engine.counters["compared"]:
            note = "the search did without torch.compile: no batch was nearly full"
        else:
            return []
        return [] if note in self.first.notes else [note]


def _start(task: Task, settings: Settings) -> _Run:
    """Run the clean pass and start all searches."""
    model_runner = _build_model_runner(task, settings)
    clean = clean_pass.run_clean_pass(task, model_runner, settings.memory_bytes)
    attack, logits = task.attack, clean.logits
    classes = logits.shape[1]
    # Searches only read the last columns: the label's and the targets'.
    targets = max((max(stage.targets, stage.candidates) for stage in plan_stages(attack, classes)), default=1)
    ranking = logits.sort(dim=1).indices[:, -1 - targets :]
    first = extend_evaluation(clean_pass.start_evaluation(task, clean), task.earlier)
    engine = _build_engine(task, settings, model_runner, first, ranking, Counter())
    engine.scheduler.start(engine.problem.eps)
    return _Run(first.model_copy(update={"steps": engine.scheduler.undecided}), engine, settings)


def _resume(task: Task, settings: Settings, first: Evaluation, state: bytes) -> _Run:
    """Restore the searches of an earlier evaluation."""
    snapshot = Snapshot(state)
    model_runner = _build_model_runner(task, settings)
    image_bytes = first.image_bytes * model_runner.memory_pools
    model_runner.max_batch = memory.fit_batch_size(
        settings.slots, image_bytes, task.pixels[0], settings.memory_bytes
    )
    ranking = snapshot.ranking.to(task.pixels.device)
    engine = _build_engine(task, settings, model_runner, first, ranking, snapshot.counters)
    snapshot.restore(engine.scheduler, engine.tables)
    return _Run(first, engine, settings)


def _build_model_runner(task: Task, settings: Settings) -> ModelRunner:
    search = precision.effective_precision(task.attack.search, task.pixels.device)
    compiled = CompiledNetwork(task.classifier.network, search, settings.backend) if task.attack.compile else None
    return ModelRunner(task.classifier, search, settings.slots, compiled)


def _build_engine(
    task: Task,
    settings: Settings,
    model_runner: ModelRunner,
    first: Evaluation,
    ranking: Tensor,
    counters: Counter[str],
) -> Engine:
    """Return an engine without searches."""
    attack = task.attack
    norm = attack.norm or "Linf"  # The clean attack has no norm, and no stage that uses one.
    noise: Noise = KeyedNoise(task.seed, norm, task.pixels)
    if settings.replay:
        channels, height, width = task.pixels.shape[1:]
        noise = ReplayNoise(task.seed, norm, (channels, height, width), attack.batch)
    eps = tuple(float(budget) for budget in attack.budgets)
    problem = Problem(task.pixels, task.labels, ranking, eps, norm, noise)
    stages = plan_stages(attack, first.classes)
    tables = [build_table(stage, problem, counters) for stage in stages]
    scheduler = _build_scheduler(task, settings, stages, first)
    ledger = Ledger.from_evaluation(first)
    if attack.audit is not None and not settings.replay:
        scheduler = build_audit_scheduler(task, first, problem, stages, counters, model_runner.max_batch)
    return Engine(
        model_runner, problem, scheduler, ledger, tables, counters, settings.slots, settings.on_adversarial
    )


def _build_scheduler(task: Task, settings: Settings, stages: tuple[Stage, ...], first: Evaluation) -> Scheduler:
    verdicts = [list(budget.verdicts) for budget in first.budgets]
    if settings.replay:
        return ReplayScheduler(stages, verdicts, task.attack.carry, batch=task.attack.batch)
    return Scheduler(stages, verdicts, task.attack.carry)
