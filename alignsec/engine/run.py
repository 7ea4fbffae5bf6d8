"""A run of the engine on a task: what alignsec.evaluator does through the reference, for fewer passes."""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from alignsec.engine import snapshot
from alignsec.engine.attacks.components import build_table, plan_stages
from alignsec.engine.engine import Engine
from alignsec.engine.ledger import Ledger
from alignsec.engine.noise import Keyed, Noise
from alignsec.engine.problem import Problem
from alignsec.engine.replay import Replay
from alignsec.engine.scheduler import Scheduler
from alignsec.engine.settings import Settings
from alignsec.evaluation.evaluation import Evaluation
from alignsec.evaluation.passes import clean_pass, memory, precision, warnings
from alignsec.evaluation.passes.compiled import CompiledNetwork
from alignsec.evaluation.passes.frozen import frozen_parameters
from alignsec.evaluation.passes.model_runner import ModelRunner
from alignsec.evaluation.task import Task


def evaluate(
    task: Task, resume_from: Evaluation | None = None, settings: Settings | None = None
) -> Iterator[Evaluation]:
    """Yield what is known after the clean images and then at short intervals; the last one is complete.

    known: a Evaluation of the same task and settings that was dumped, and is gone on with; any other is begun
    anew. The model is held in evaluation mode with frozen parameters meanwhile, and left as it was.
    Raises ValueError for images outside [0,1] or without labels; ModelError if the model gives no finite logits,
    or no gradient, or there are labels outside its classes; BadState if known's state cannot be read.
    """
    settings = settings or Settings()
    clean_pass.check_task(task)
    if settings.replay and settings.slots < task.attack.batch:
        raise ValueError(f"{settings.slots} slots cannot replay batches of {task.attack.batch}; give as many")
    with frozen_parameters(task.classifier):
        if resume_from is not None and resume_from.complete:
            yield resume_from
        elif resume_from is not None and resume_from.state and not settings.replay:
            yield from _taken_up(task, settings, resume_from, resume_from.state).to_the_end()
        else:
            yield from _begun(task, settings).to_the_end()


@dataclass
class _Run:
    """An engine at work, and what was known when it set out."""

    known: Evaluation
    engine: Engine
    settings: Settings

    def to_the_end(self) -> Iterator[Evaluation]:
        """Rounds of the engine, telling what is known now and then."""
        yield self._now()
        told = time.monotonic()
        try:
            while self.engine.agenda.undecided:
                self.engine.round()
                undecided = self.engine.agenda.undecided
                if time.monotonic() - told >= self.settings.seconds_between_yields or not undecided:
                    yield self._now()
                    told = time.monotonic()
        finally:
            if self.engine.passage.compiled:
                self.engine.passage.compiled.release()

    def _not_compiled(self) -> list[str]:
        """Why the search did without what it was to have, if that is not noted yet."""
        compiled = self.engine.passage.compiled
        if compiled is None:
            return []
        if compiled.failure:
            note = f"the search went on without torch.compile: {compiled.failure}"
        elif not self.engine.agenda.undecided and not self.engine.facts["compared"]:
            note = "the search did without torch.compile: no batch was nearly full"
        else:
            return []
        return [] if note in self.known.notes else [note]

    def _now(self) -> Evaluation:
        engine, agenda = self.engine, self.engine.agenda
        budgets = engine.ledger.verdicts(tuple(one.eps for one in self.known.budgets), agenda.letters)
        undecided, at = agenda.undecided, agenda.round
        found_out = warnings.find_search_warnings(engine.facts, budgets) if not undecided else []
        now = self.known.model_copy(
            update={
                "budgets": budgets,
                "steps_done": self.known.steps - undecided,
                "undecided": undecided,
                "passes_left": agenda.passes_left,
                "notes": (*self.known.notes, *self._not_compiled(), *found_out),
                "adversarial_images": tuple(engine.ledger.adversarial_images),
                "max_batch": engine.passage.max_batch,
                "state": None,
            }
        )

        def freeze() -> bytes:
            if agenda.round != at:
                raise RuntimeError("the evaluation has gone on; dump its progress before asking for the next")
            return snapshot.freeze(agenda, engine.tables, engine.ground.ranking, engine.facts)

        return now.with_lazy_state(freeze) if undecided else now


def _begun(task: Task, settings: Settings) -> _Run:
    """From nothing: the clean images first."""
    passage = _passage(task, settings)
    opened = clean_pass.run_clean_pass(task, passage, settings.memory_bytes)
    attack, logits = task.attack, opened.logits
    classes = logits.shape[1]
    # The last columns are all that searches look up: the label's and its targets'.
    targets = max((stage.targets for stage in plan_stages(attack, classes)), default=1)
    ranking = logits.sort(dim=1).indices[:, -1 - targets :]
    known = clean_pass.start_evaluation(task, opened)
    engine = _engine(task, settings, passage, known, ranking, Counter())
    engine.agenda.begin(engine.ground.eps)
    return _Run(known.model_copy(update={"steps": engine.agenda.undecided}), engine, settings)


def _taken_up(task: Task, settings: Settings, known: Evaluation, data: bytes) -> _Run:
    """From where it was left."""
    frozen = snapshot.Frozen(data)
    passage = _passage(task, settings)
    image_bytes = known.image_bytes * passage.memory_pools
    passage.max_batch = memory.fit_batch_size(settings.slots, image_bytes, task.pixels[0], settings.memory_bytes)
    engine = _engine(task, settings, passage, known, frozen.ranking.to(task.pixels.device), frozen.facts)
    frozen.thaw(engine.agenda, engine.tables)
    return _Run(known, engine, settings)


def _passage(task: Task, settings: Settings) -> ModelRunner:
    search = precision.effective_precision(task.attack.search, task.pixels.device)
    compiled = CompiledNetwork(task.classifier.network, search, settings.backend) if task.attack.compile else None
    return ModelRunner(task.classifier, search, settings.slots, compiled)


def _engine(
    task: Task, settings: Settings, passage: ModelRunner, known: Evaluation, ranking: Tensor, facts: Counter[str]
) -> Engine:
    """An engine with nothing under way."""
    attack, pixels = task.attack, task.pixels
    norm = attack.norm or "Linf"  # The clean attack has none, and no stage that would ask.
    noise: Noise = Keyed(task.seed, norm, pixels)
    if settings.replay:
        channels, height, width = pixels.shape[1:]
        noise = Replay(task.seed, norm, (channels, height, width), attack.batch)
    eps = tuple(float(budget) for budget in attack.budgets)
    ground = Problem(pixels, task.labels, ranking, eps, norm, noise)
    plan = plan_stages(attack, known.classes)
    agenda = Scheduler(
        plan,
        [list(budget.verdicts) for budget in known.budgets],
        batch=attack.batch if settings.replay else None,
        carry=attack.carry,
    )
    tables = [build_table(stage, ground, facts) for stage in plan]
    return Engine(passage, ground, agenda, Ledger.of(known), tables, facts, settings.slots)
