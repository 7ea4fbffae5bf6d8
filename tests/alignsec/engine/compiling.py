"""Searches through torch.compile, with backends that count and change what they compile."""

import weakref
from functools import cache

from alignsec.engine import Settings, evaluate
from alignsec.evaluation.passes.compiled import CompiledNetwork
from alignsec.evaluation.passes.model_runner import ModelRunner
from alignsec.evaluation.task import Task
from tests.alignsec.engine import small

BUDGETS = {"Linf": ("0.05", "0.12"), "L2": ("0.4", "0.9")}
SLOTS = 8
FELL_BACK = "the search went on without torch.compile: "


class Backend:
    """A backend of torch.compile that counts what it compiles, and may change or break it."""

    def __init__(self, change=lambda results: results, error=None):
        self.change, self.error, self.compiled, self.run, self.programs = change, error, 0, 0, []

    def __call__(self, graph, examples):
        """Return the function that runs in place of the graph."""
        self.compiled += 1
        if self.error:
            raise self.error

        def run(*inputs):
            self.run += 1
            return self.change(graph.forward(*inputs))

        self.programs.append(weakref.ref(run))
        return run


def run_search(attack, backend, network=None, images=12, **settings):
    subject = small.task(False, attack, images)
    model = small.classifier(network or small.network(False))
    task = Task(model, subject.pixels, subject.labels, attack, 0)
    *_, last = evaluate(task, settings=Settings(**{"slots": SLOTS, "backend": backend, **settings}))
    return last, model


def attack(method="autoattack", norm="Linf", **more):
    return small.attack(method, norm, BUDGETS[norm], compile=True, **more)


@cache
def eager(method="autoattack", norm="Linf"):
    return small.finished(small.task(False, small.attack(method, norm, BUDGETS[norm]), 12), slots=SLOTS)


def spent(evaluation):
    parts = [part for budget in evaluation.budgets for part in budget.passes.values()]
    return sum(part.forward for part in parts), sum(part.backward for part in parts)


def fallback_reasons(evaluation):
    return [note.removeprefix(FELL_BACK) for note in evaluation.notes if note.startswith(FELL_BACK)]


def model_runner(backend, search="fp32", most=SLOTS):
    model = small.classifier(small.network(False))
    return ModelRunner(model, search, most, CompiledNetwork(model.network, search, backend))
