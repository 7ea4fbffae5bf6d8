"""Searches through torch.compile: the eager network gives the verdicts, and failures to compile cost no pair."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from alignsec.engine import Settings, evaluate
from alignsec.evaluation.evaluation import Evaluation
from alignsec.evaluation.passes import compiled
from alignsec.evaluation.task import Task
from tests.alignsec.engine import small
from tests.alignsec.engine.compiling import (
    BUDGETS,
    SLOTS,
    Backend,
    attack,
    eager,
    fallback_reasons,
    run_search,
    spent,
)

pytestmark = pytest.mark.usefixtures("inductor_folder")


@pytest.mark.parametrize("norm", ["Linf", "L2"])
def test_verdicts_equal_those_of_the_eager_network(norm):
    backend = Backend()
    evaluation, _ = run_search(attack(norm=norm), backend)
    assert small.verdicts(evaluation) == small.verdicts(eager(norm=norm))
    assert not fallback_reasons(evaluation)
    assert backend.run > 100, "the compiled network was hardly used"


def test_inductor_gives_the_same_verdicts(inductor_folder):
    """Expect this on a CPU with a compiler. On a GPU, the same call replays CUDA graphs."""
    torch.manual_seed(0)
    before = {*inductor_folder.rglob("*.so")}
    network, pixels = (
        nn.Sequential(nn.Flatten(), nn.Linear(64, 40), nn.ReLU(), nn.Linear(40, 10)),
        small.digits()[0],
    )
    model, points = small.classifier(network), pixels[:12]
    evaluation, exact = (
        small.finished(Task(model, points, model(points).argmax(1), attack, 0), slots=SLOTS)
        for attack in (attack("apgd-ce", norm="L2"), small.attack("apgd-ce", "L2", BUDGETS["L2"]))
    )
    assert exact.budgets[0].robust > 0
    assert small.verdicts(evaluation) == small.verdicts(exact)
    assert not fallback_reasons(evaluation)
    assert {*inductor_folder.rglob("*.so")} > before, "nothing was compiled"


@pytest.mark.parametrize("search", ["fp32", "bf16"])
def test_every_pass_is_counted_once_and_noted(search):
    evaluation, model = run_search(attack(search=search), "aot_eager")
    forward, backward = spent(evaluation)
    assert (forward + evaluation.clean_passes.forward, backward) == (model.passes.forward, model.passes.backward)
    compared = [
        note for note in evaluation.notes if note.endswith("compared the compiled network with the eager network")
    ]
    assert len(compared) == 1
    # The first and the third pass of each kind.
    assert 4 * compiled.MIN_FILL * SLOTS <= int(compared[0].split()[0]) <= 4 * SLOTS


def test_each_kind_of_pass_is_compiled_once_per_batch_size():
    """Expect another compilation only when memory runs out and the batch is halved."""
    backend = Backend()
    run_search(attack(), backend)
    assert backend.compiled == 2
    cramped = Backend()

    def tight(results):
        if cramped.run > 4 and len(results[0]) > SLOTS // 2:
            raise MemoryError
        return results

    cramped.change = tight
    evaluation, _ = run_search(attack(), cramped)
    assert small.verdicts(evaluation) == small.verdicts(eager())
    assert cramped.compiled == 1 + 2, "once before memory ran out"
    assert evaluation.max_batch == SLOTS // 2


def test_a_network_that_changes_is_not_compiled_in_every_pass():
    class Changing(nn.Module):
        def __init__(self):
            super().__init__()
            self.network, self.passes = small.network(False), 0

        def forward(self, images):
            """Return logits by a program that changes in each pass."""
            self.passes += 1
            return self.network(images) * (2 if self.passes % 7 else 2.0)

    backend = Backend()
    network = Changing()
    evaluation, _ = run_search(attack(), backend, network)
    assert backend.compiled <= 4
    assert network.passes > 100
    assert small.verdicts(evaluation) == small.verdicts(eager())


@pytest.mark.parametrize(
    "error",
    [RuntimeError("no C++ compiler"), OSError("no room"), AssertionError(), torch._dynamo.exc.Unsupported("x")],
)
def test_a_failed_compilation_is_noted_and_the_search_continues(error):
    backend = Backend(error=error)
    evaluation, _ = run_search(attack("apgd-ce"), backend)
    assert small.verdicts(evaluation) == small.verdicts(eager("apgd-ce"))
    (reason,) = fallback_reasons(evaluation)
    assert type(error).__name__ in reason
    assert str(error) in reason
    assert backend.compiled == 1, "it was tried more than once"


def test_a_missing_compiler_does_not_fail_the_search():
    """Tanh ensures that no earlier compilation of this process is reused."""
    with torch._inductor.config.patch({"cpp.cxx": ("no-such-compiler",)}):
        evaluation, _ = run_search(attack("apgd-ce"), "inductor", deepcopy(small.network(False)).append(nn.Tanh()))
    (reason,) = fallback_reasons(evaluation)
    assert "no-such-compiler" in reason or "C++" in reason


def test_an_error_of_the_network_is_raised():
    class Failing(nn.Module):
        def __init__(self):
            super().__init__()
            self.network, self.passes = small.network(False), 0

        def forward(self, images):
            """Return logits in the first passes, then raise."""
            self.passes += 1
            if self.passes > 6:
                raise ValueError("out of ideas")
            return self.network(images)

    with pytest.raises(ValueError, match="out of ideas"):
        run_search(attack(), "eager", Failing())


@pytest.mark.parametrize(
    "change",
    [
        lambda results: (results[0].roll(1, 1), *results[1:]),
        lambda results: (results[0] * torch.nan, *results[1:]),
        lambda results: (results[0] * 1.01, *results[1:]),
    ],
)
def test_a_wrong_program_is_detected_in_its_first_pass(change):
    evaluation, _ = run_search(attack("apgd-ce"), Backend(change=change))
    assert fallback_reasons(evaluation) == ["its results differ from those of the eager network"]
    assert small.verdicts(evaluation) == small.verdicts(eager("apgd-ce"))


def test_a_program_that_goes_wrong_later_gives_no_verdicts():
    """Expect no broken images although all look misclassified: the eager network judges."""
    backend = Backend()
    backend.change = lambda results: (results[0].roll(1, 1), *results[1:]) if backend.run > 4 else results
    evaluation, _ = run_search(small.attack("apgd-ce", "Linf", ("0.0001",), compile=True), backend)
    assert backend.run > 4
    assert evaluation.budgets[0].robust == 12
    assert evaluation.budgets[0].rejected > 0


def test_the_model_is_restored():
    network = deepcopy(small.network(False)).train()
    model = small.classifier(network)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    held, inside = {*vars(network)}, {*vars(network[0])}
    evaluation, model = run_search(attack("apgd-ce"), "aot_eager", network)
    assert model.network is network
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert ({*vars(network)}, {*vars(network[0])}) == (held, inside)
    assert not fallback_reasons(evaluation)


def test_compiled_programs_are_freed_when_the_search_ends_or_is_closed():
    backend, network = Backend(), small.network(False)
    run_search(attack("apgd-ce"), backend, network)
    assert [program() for program in backend.programs] == [None]
    subject = small.task(False, attack("apgd-ce"), 12)
    left = evaluate(subject, settings=Settings(slots=SLOTS, backend=backend, seconds_between_yields=0))
    next(left)
    next(left)
    assert backend.programs[1]() is not None
    left.close()
    assert backend.programs[1]() is None


def test_a_resumed_search_gives_the_same_verdicts():
    subject, settings = (
        small.task(False, attack(), 5),
        Settings(slots=6, seconds_between_yields=0, backend="aot_eager"),
    )
    dumped = [evaluation.model_dump_json() for evaluation in evaluate(subject, settings=settings)]
    whole = Evaluation.model_validate_json(dumped[-1])
    for text in dumped[: len(dumped) - 1 : 40]:
        *_, last = evaluate(subject, Evaluation.model_validate_json(text), settings)
        assert small.verdicts(last) == small.verdicts(whole)
        assert last.adversarial_images == whole.adversarial_images


def test_the_reason_of_a_fallback_is_noted_once_after_resuming():
    subject = small.task(False, attack("apgd-ce"), 8)
    settings = Settings(slots=SLOTS, seconds_between_yields=0, backend=Backend(error=RuntimeError("no compiler")))
    fourth = next(evaluation for at, evaluation in enumerate(evaluate(subject, settings=settings)) if at == 4)
    *_, last = evaluate(subject, Evaluation.model_validate_json(fourth.model_dump_json()), settings)
    assert len(fallback_reasons(fourth)) == len(fallback_reasons(last)) == 1
