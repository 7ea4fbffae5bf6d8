"""Evaluate: a model in memory under one attack at several budgets, as a record of verdicts."""

import platform
from collections.abc import Callable, Sequence
from typing import Annotated, Self

import torch
from pydantic import Field, ValidationError, model_validator
from torch import Tensor

from alignsec import evaluator
from alignsec.api.attack_sequence import preserved_state
from alignsec.api.inputs import Inputs, as_module, build_classifier, check_inputs, find_device
from alignsec.errors import ConfigError, ConfigErrors
from alignsec.evaluation.custom_attack import CustomAttack
from alignsec.evaluation.evaluation import Evaluation
from alignsec.evaluation.task import Task
from alignsec.python_file import SCHEME
from alignsec.schema import StrictModel
from alignsec.spec.attack import Attack
from alignsec.spec.engine_limits import SLOTS
from alignsec.spec.verdicts import ROBUST, WRONG, BudgetVerdicts, Passes, legend


class EvaluationRecord(StrictModel):
    """The verdicts of a model in memory. `model_dump_json` writes it, `model_validate_json` reads it."""

    attack: Attack
    seed: int
    labels: list[int]
    classes: int
    clean_top5: str
    """One digit per image: 1 if the label is among the five highest logits of the clean image, else 0."""
    legend: dict[str, str]
    """Meaning of each verdict letter."""
    budgets: Annotated[list[BudgetVerdicts], Field(min_length=1)]
    clean_passes: Passes
    notes: list[str]
    """Deviations from the standard attack and warnings about the model."""
    versions: dict[str, str]

    @model_validator(mode="after")
    def _check_counts(self) -> Self:
        if any(len(one.verdicts) != len(self.labels) for one in self.budgets):
            raise ValueError("expected one verdict per image at each budget")
        return self

    @property
    def clean_accuracy(self) -> float:
        """Share of the clean images that are classified correctly."""
        return 1 - self.budgets[0].verdicts.count(WRONG) / len(self.labels)

    @property
    def robust_accuracy(self) -> dict[str, float]:
        """Share of the images that are classified correctly under attack, by eps as it was given."""
        return {str(one.eps): one.verdicts.count(ROBUST) / len(self.labels) for one in self.budgets}


def evaluate(
    model: object,
    images: Tensor,
    labels: Tensor,
    *,
    method: str | Callable[..., object] = "autoattack",
    norm: str | None = "Linf",
    eps: Sequence[str] | str = ("8/255",),
    seed: int = 0,
    batch: int = SLOTS,
    device: torch.device | str | None = None,
    **parameters: object,
) -> EvaluationRecord:
    """Evaluate a model under one attack at one or more budgets.

    Args:
        model: A torch module, or a function, that maps images in [0,1] to logits.
        images: Images in [0,1], float32, N x C x H x W.
        labels: Labels, N integers.
        method: An attack of a study: "autoattack", a component such as "apgd-ce", or "clean". Or a custom attack:
            a function of one of the two forms of `alignsec.spec.custom`.
        norm: Linf, L2 or L1; None for "clean".
        eps: Budgets as text, in pixels of [0,1], such as "8/255". All budgets are answered in one run.
        seed: Seed of the random numbers.
        batch: Largest number of images in one model pass. It does not change the verdicts of alignsec's engine.
        device: Device of the model. By default, that of its parameters.
        parameters: Further fields of an attack of a study, such as `steps=20`, or `options` of a custom attack.

    Returns:
        The record with one verdict per image and budget.

    Raises:
        ConfigErrors: All errors of the inputs or of the attack together.
        ModelError: If the model returns no usable logits.
        CustomAttackError: If a custom attack fails or returns no usable images.
    """
    network = as_module(model)
    inputs = check_inputs(network, images, labels, batch, find_device(network, device))
    name = method if isinstance(method, str) else f"{SCHEME}{getattr(method, '__name__', 'attack')}"
    attack = _read_attack({"method": name, "norm": norm, "eps": eps, "batch": batch, **parameters})
    custom = None if isinstance(method, str) else CustomAttack(name.removeprefix(SCHEME), method, attack.options)
    with preserved_state(network, inputs.images.device, seed):
        own = Inputs(inputs.images.clone(), inputs.labels.clone())
        task = Task(build_classifier(network, own.images), own.images, own.labels, attack, seed, custom=custom)
        *_, last = evaluator.evaluate(task)
    return _make_record(attack, seed, own.labels, last)


def _make_record(attack: Attack, seed: int, labels: Tensor, last: Evaluation) -> EvaluationRecord:
    """Return the record of a complete evaluation."""
    return EvaluationRecord(
        attack=attack,
        seed=seed,
        labels=labels.tolist(),
        classes=last.classes,
        clean_top5=last.clean_top5,
        legend=legend(),
        budgets=list(last.budgets),
        clean_passes=last.clean_passes,
        notes=list(last.notes),
        versions={"python": platform.python_version(), "torch": str(torch.__version__)},
    )


def _read_attack(fields: dict[str, object]) -> Attack:
    """Return the validated attack.

    Raises:
        ConfigErrors: All errors of the fields together.
    """
    if isinstance(fields["eps"], str):
        fields["eps"] = (fields["eps"],)
    if fields["method"] == "clean":
        fields = {**fields, "norm": None, "eps": ()}
    if isinstance(fields["eps"], list):
        fields["eps"] = tuple(fields["eps"])
    try:
        attack = Attack.model_validate(fields)
    except ValidationError as error:
        errors = [
            ConfigError(path="evaluate", field=".".join(map(str, one["loc"])), remedy=one["msg"])
            for one in error.errors()
        ]
        raise ConfigErrors(errors) from None
    if attack.audit is not None and attack.audit.share is None:
        remedy = "needs a study, which chooses the share; give share instead"
        raise ConfigErrors([ConfigError(path="evaluate", field="audit.precision", remedy=remedy)])
    return attack
