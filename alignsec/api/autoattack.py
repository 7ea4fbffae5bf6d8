"""AutoAttack: the class of the reference packages, with the same arguments, run by alignsec's engine.

Changing the import of an evaluation script is enough. The call signature is that of `autoattack`; the names of the
package `pyautoattack` (`attacks`, `batch_size`) are accepted as well.

Reference: Croce & Hein 2020 (arXiv 2003.01690).
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import cast, get_args

import torch
from torch import Tensor

from alignsec.api.attack_sequence import SequenceResult, preserved_state, run_sequence
from alignsec.api.inputs import Inputs, as_module, build_classifier, check_inputs, find_device
from alignsec.api.versions import (
    ApgdSettings,
    FabSettings,
    SquareSettings,
    TargetedApgdSettings,
    plan_attacks,
    version_attacks,
)
from alignsec.errors import ConfigError, ConfigErrors
from alignsec.evaluation.judge import distances
from alignsec.spec.budget import Budget
from alignsec.spec.components import COMPONENTS, Norm
from alignsec.spec.verdicts import ROBUST, WRONG

_BATCH = 250
"""Images in a batch by default, as in the reference."""


class AutoAttack:
    """AutoAttack at one budget. Argument names and their order are those of the reference.

    The model is in evaluation mode with frozen parameters while an evaluation runs, and is restored afterwards.

    Attributes:
        verdicts: One letter per image after an evaluation: R robust, W wrong when clean, or the letter of the
            component that broke the image; see `alignsec.spec.verdicts.legend`.
        passes: Model passes of the last evaluation, counted in images.
        notes: Deviations from the standard attack, and warnings about the model.
        apgd: `n_restarts` and `n_iter` of APGD-CE and APGD-DLR, to change in version "custom".
        apgd_targeted: `n_restarts`, `n_iter` and `n_target_classes` of APGD-T.
        fab: `n_restarts`, `n_iter` and `n_target_classes` of FAB and FAB-T.
        square: `n_queries` of Square.
    """

    def __init__(
        self,
        model: object,
        norm: str = "Linf",
        eps: float = 0.3,
        seed: int | None = None,
        verbose: bool = True,
        attacks_to_run: Sequence[str] = (),
        version: str = "standard",
        is_tf_model: bool = False,
        device: torch.device | str | None = None,
        log_path: str | Path | None = None,
        *,
        attacks: Sequence[str] | None = None,
        replay: bool = False,
    ) -> None:
        """Set up the attack.

        Args:
            model: A torch module, or a function, that maps images in [0,1] to logits.
            norm: Linf, L2 or L1.
            eps: Largest distance of an adversarial example, in pixels of [0,1].
            seed: Seed of the random numbers. None is 0.
            verbose: Write the progress to the standard output.
            attacks_to_run: Components in their order; only with version "custom".
            version: "standard", "plus", "rand" or "custom".
            is_tf_model: Must be False: TensorFlow models are not supported.
            device: Device of the model. By default, that of its parameters.
            log_path: File to which the progress is appended.
            attacks: The name that pyautoattack gives to `attacks_to_run`.
            replay: Draw the random numbers of the reference in its order, to compare verdicts.

        Raises:
            ConfigErrors: All errors of the arguments together.
        """
        given = list(attacks_to_run if attacks is None else attacks)
        _check_arguments(norm, eps, version, given, is_tf_model)
        self.model = model
        self.norm = cast("Norm", norm)  # checked above
        self.epsilon = float(eps)
        self.seed, self.verbose = seed, verbose
        self.version, self.replay = version, replay
        self.device = find_device(as_module(model), device)
        self.log_path = None if log_path is None else Path(log_path)
        self.attacks_to_run = given
        self._reset_settings()
        if version != "custom":
            self.set_version(version)
        self.verdicts, self.passes = "", (0, 0)
        self.notes: tuple[str, ...] = ()

    def _reset_settings(self) -> None:
        self.apgd, self.apgd_targeted = ApgdSettings(), TargetedApgdSettings()
        self.fab, self.square = FabSettings(), SquareSettings()

    def set_version(self, version: str = "standard") -> None:
        """Set the components and their settings to those of a version.

        Raises:
            ConfigErrors: If the version is unknown or not defined for the norm.
        """
        _check_arguments(self.norm, self.epsilon, version, [], False)
        self.version = version
        self._write(f"setting parameters for {version} version")
        self.attacks_to_run = version_attacks(version)
        self._reset_settings()
        if version != "plus":
            self.apgd.n_restarts = 5 if self.norm == "L1" else 1
            self.fab.n_restarts = 1
            self.apgd_targeted.n_target_classes = 5 if self.norm == "L1" else 9
        if version == "rand":
            self.apgd.eot_iter = 20

    def run_standard_evaluation(
        self,
        x_orig: Tensor,
        y_orig: Tensor,
        bs: int = _BATCH,
        return_labels: bool = False,
        state_path: Path | None = None,
        *,
        batch_size: int | None = None,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Attack images with all components, each on what is still robust.

        Args:
            x_orig: Images in [0,1], float32, N x C x H x W.
            y_orig: Labels, N integers.
            bs: Largest number of images in one model pass.
            return_labels: Return the model's classes of x_adv as well.
            state_path: Must be None: a study resumes an interrupted evaluation, the Python API does not.
            batch_size: The name that pyautoattack gives to `bs`.

        Returns:
            x_adv on the device of `x_orig`: an adversarial example for each broken image, and the clean image for
            every other one. With `return_labels`, also the classes of x_adv, N.

        Raises:
            ConfigErrors: All errors of the inputs together.
            ModelError: If the model returns no usable logits.
        """
        if state_path is not None:
            remedy = "is not supported by the Python API; remove it, or run a study, which resumes"
            raise ConfigErrors([_error("state_path", str(state_path), remedy)])
        inputs, result = self._attack(x_orig, y_orig, bs if batch_size is None else batch_size)
        x_adv = result.x_adv.to(x_orig.device)
        if not return_labels:
            return x_adv
        labels = self._classify(result.x_adv, len(inputs.images) if batch_size is None else batch_size)
        return x_adv, labels.to(y_orig.device)

    def run_standard_evaluation_individual(
        self,
        x_orig: Tensor,
        y_orig: Tensor,
        bs: int = _BATCH,
        return_labels: bool = False,
        *,
        batch_size: int | None = None,
    ) -> dict[str, Tensor | tuple[Tensor, Tensor]]:
        """Attack all images with each component alone.

        Returns:
            The result of `run_standard_evaluation` by component.

        Raises:
            ConfigErrors: All errors of the inputs together.
            ModelError: If the model returns no usable logits.
        """
        every = self.attacks_to_run
        found = {}
        try:
            for name in every:
                self.attacks_to_run = [name]
                found[name] = self.run_standard_evaluation(
                    x_orig, y_orig, bs, return_labels, batch_size=batch_size
                )
        finally:
            self.attacks_to_run = every
        return found

    def clean_accuracy(self, x_orig: Tensor, y_orig: Tensor, bs: int = _BATCH) -> float:
        """Return the share of images that the model classifies correctly.

        Raises:
            ConfigErrors: All errors of the inputs together.
        """
        inputs = check_inputs(as_module(self.model), x_orig, y_orig, bs, self.device)
        right = int((self._classify(inputs.images, bs) == inputs.labels).sum())
        self._write(f"clean accuracy: {right / len(inputs.labels):.2%}")
        return right / len(inputs.labels)

    @torch.no_grad()
    def _classify(self, images: Tensor, batch: int) -> Tensor:
        """Return the class of each image, N."""
        network = as_module(self.model)
        with preserved_state(network, self.device, self.seed or 0):
            classifier = build_classifier(network, images)
            return torch.cat([classifier(part).argmax(1) for part in images.split(batch)])

    def _attack(self, images: Tensor, labels: Tensor, batch: int) -> tuple[Inputs, SequenceResult]:
        started = time.monotonic()
        network = as_module(self.model)
        inputs = check_inputs(network, images, labels, batch, self.device)
        budget = Budget.parse(repr(self.epsilon))
        attacks = plan_attacks(self, budget, batch)
        self._write(f"using {self.version} version including {', '.join(self.attacks_to_run)}.")
        result = run_sequence(network, inputs, attacks, self.seed or 0, self.replay)
        self.verdicts, self.notes = result.verdicts, result.notes
        self.passes = result.passes.forward, result.passes.backward
        self._write_summary(inputs, result, time.monotonic() - started)
        return inputs, result

    def _write_summary(self, inputs: Inputs, result: SequenceResult, seconds: float) -> None:
        count = len(result.verdicts)
        left = count - result.verdicts.count(WRONG)
        self._write(f"initial accuracy: {left / count:.2%}")
        for name in self.attacks_to_run:
            left -= result.verdicts.count(COMPONENTS[name].letter)
            self._write(f"robust accuracy after {name.upper()}: {left / count:.2%}")
        for note in result.notes:
            self._write(f"note: {note}")
        largest = float(distances(inputs.images, result.x_adv, self.norm).max())
        span = f"max: {float(result.x_adv.max()):.5f}, min: {float(result.x_adv.min()):.5f}"
        self._write(f"max {self.norm} perturbation: {largest:.5f}, nan in tensor: 0, {span}")
        robust = result.verdicts.count(ROBUST) / count
        self._write(f"robust accuracy: {robust:.2%} (total time {seconds:.1f} s)")

    def _write(self, line: str) -> None:
        """Write a line of progress to the standard output and to the log."""
        if self.verbose:
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
        if self.log_path:
            self.log_path.parent.mkdir(parents=True, exist_ok=True)
            with self.log_path.open("a", encoding="utf-8") as file:
                file.write(f"{line}\n")


def _check_arguments(norm: str, eps: float, version: str, attacks: Sequence[str], is_tf_model: bool) -> None:
    """Raise ConfigErrors with all errors of the arguments."""
    errors = []
    if norm not in get_args(Norm):
        errors.append(_error("norm", repr(norm), f"is unknown; choose one of {', '.join(get_args(Norm))}"))
    if isinstance(eps, bool) or not isinstance(eps, int | float) or not 0 < eps <= (1 if norm == "Linf" else 1000):
        errors.append(_error("eps", repr(eps), "must be a number above 0, in pixels of [0,1], such as 8/255"))
    if version not in {"standard", "plus", "rand", "custom"}:
        errors.append(_error("version", repr(version), "is unknown; choose standard, plus, rand or custom"))
    if norm == "L1" and version in {"plus", "rand"}:
        errors.append(_error("version", repr(version), "is not defined for L1; choose standard or custom"))
    if attacks and version != "custom":
        errors.append(_error("attacks_to_run", str(attacks), 'needs version="custom"'))
    if unknown := [name for name in attacks if name not in COMPONENTS]:
        errors.append(_error("attacks_to_run", unknown[0], f"is unknown; choose from {', '.join(COMPONENTS)}"))
    if is_tf_model:
        errors.append(_error("is_tf_model", "True", "is not supported; pass a torch model"))
    if errors:
        raise ConfigErrors(errors)


def _error(field: str, given: str, remedy: str) -> ConfigError:
    return ConfigError(path="AutoAttack", field=field, given=given, remedy=remedy)
