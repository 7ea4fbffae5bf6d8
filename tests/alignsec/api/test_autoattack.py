"""AutoAttack of the Python API: verdicts of the reference package, valid examples, and an unchanged model."""

import random
import subprocess
import sys

import numpy as np
import pyautoattack
import pytest
import torch

import alignsec
from alignsec.errors import ConfigErrors
from tests.alignsec.engine import small
from tests.paths import CHECKOUT

EPS = {"Linf": 0.08, "L2": 0.5, "L1": 1.5}


def labelled_digits(count=30):
    images, labels = small.digits()
    return images[1000 : 1000 + count], labels[1000 : 1000 + count]


def custom_attack(package, norm, attacks, **more):
    """Return the attack of either package, with Square shortened to 60 queries."""
    names = {"attacks": attacks} if package is pyautoattack else {"attacks_to_run": attacks, "verbose": False}
    attack = package.AutoAttack(
        small.network(False), norm=norm, eps=EPS[norm], seed=0, version="custom", device="cpu", **names, **more
    )
    attack.square.n_queries = 60
    attack.apgd.n_restarts = 1
    attack.fab.n_target_classes = 2
    # The reference's version "custom" leaves out the larger balls of APGD in L1, which alignsec always takes.
    attack.apgd.use_largereps = norm == "L1"
    return attack


@pytest.mark.parametrize("norm", list(EPS))
def test_a_replay_breaks_the_images_that_the_reference_breaks(norm):
    """Batches of 11 are formed again after each component, as in the reference."""
    images, labels = labelled_digits()
    attacks = ["apgd-ce", "square"]
    theirs, _ = custom_attack(pyautoattack, norm, attacks).run_standard_evaluation(images, labels, batch_size=11)
    own = custom_attack(alignsec, norm, attacks, replay=True).run_standard_evaluation(images, labels, bs=11)
    broken = [small.network(False)(x_adv).argmax(1) != labels for x_adv in (theirs, own)]
    assert broken[0].tolist() == broken[1].tolist()
    assert 0 < int(broken[0].sum()) < len(labels)


@pytest.mark.parametrize("norm", list(EPS))
def test_adversarial_examples_are_valid_and_agree_with_the_verdicts(norm):
    images, labels = labelled_digits()
    attack = custom_attack(alignsec, norm, ["apgd-ce", "fab-t"])
    x_adv, classes = attack.run_standard_evaluation(images, labels, return_labels=True)
    distance = torch.linalg.vector_norm(
        (x_adv - images).double().flatten(1), ord={"Linf": torch.inf, "L2": 2, "L1": 1}[norm], dim=1
    )
    assert float(distance.max()) <= EPS[norm] + 1e-5
    assert 0 <= float(x_adv.min()) <= float(x_adv.max()) <= 1
    assert x_adv.dtype == torch.float32
    for letter, here, clean, label, found in zip(attack.verdicts, x_adv, images, labels, classes, strict=True):
        assert (found == label) == (letter == "R")
        assert torch.equal(here, clean) == (letter in "RW")


def test_the_standard_version_is_one_attack_of_the_engine_and_one_seed_gives_one_result():
    images, labels = labelled_digits(6)
    attack = alignsec.AutoAttack(small.network(False), eps=0.3, verbose=False)
    first = attack.run_standard_evaluation(images, labels)
    assert attack.attacks_to_run == ["apgd-ce", "apgd-t", "fab-t", "square"]
    assert torch.equal(first, attack.run_standard_evaluation(images, labels, batch_size=4))


def test_each_component_alone():
    images, labels = labelled_digits(8)
    attack = custom_attack(alignsec, "Linf", ["apgd-ce", "square"])
    found = attack.run_standard_evaluation_individual(images, labels)
    assert list(found) == attack.attacks_to_run == ["apgd-ce", "square"]
    attack.attacks_to_run = ["apgd-ce"]
    assert torch.equal(found["apgd-ce"], attack.run_standard_evaluation(images, labels))


def test_clean_accuracy_and_the_log(tmp_path, capsys):
    images, labels = labelled_digits(8)
    log = tmp_path / "logs" / "attack.txt"
    attack = alignsec.AutoAttack(
        small.network(False), eps=0.1, version="custom", attacks_to_run=["apgd-ce"], log_path=log
    )
    assert attack.clean_accuracy(images, labels) == 1.0
    attack.run_standard_evaluation(images, labels)
    lines = log.read_text().splitlines()
    assert lines == capsys.readouterr().out.splitlines()
    assert lines[:3] == [
        "clean accuracy: 100.00%",
        "using custom version including apgd-ce.",
        "initial accuracy: 100.00%",
    ]
    assert lines[-1].startswith("robust accuracy: ")


def test_the_model_and_the_global_state_are_left_unchanged():
    """The training flags of layers without a training mode, `requires_grad`, random states and torch's flags."""
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10), torch.nn.BatchNorm1d(10).eval())
    network[1].weight.requires_grad_(False)
    weights = {name: value.clone() for name, value in network.state_dict().items()}

    def state():
        return (
            [module.training for module in network.modules()],
            [parameter.requires_grad for parameter in network.parameters()],
            [parameter.grad for parameter in network.parameters()],
            torch.get_rng_state().tolist(),
            random.getstate(),
            np.random.get_state()[1].tolist(),
            torch.backends.cudnn.benchmark,
            torch.backends.cuda.matmul.allow_tf32,
            torch.is_grad_enabled(),
        )

    before = state()
    images, labels = labelled_digits(5)
    kept = images.clone()
    attack = alignsec.AutoAttack(network, eps=0.05, version="custom", attacks_to_run=["apgd-ce"], verbose=False)
    attack.run_standard_evaluation(images, labels)
    assert state() == before
    assert torch.equal(images, kept)
    assert all(torch.equal(value, weights[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize(
    "network",
    [
        lambda images: (small.network(False)(images), None),
        lambda images: {"logits": small.network(False)(images)},
    ],
    ids=["tuple", "mapping"],
)
def test_a_function_and_a_model_that_returns_more_than_logits_are_accepted(network):
    images, labels = labelled_digits(5)
    attack = alignsec.AutoAttack(network, eps=0.1, version="custom", attacks_to_run=["apgd-ce"], verbose=False)
    plain = alignsec.AutoAttack(
        small.network(False), eps=0.1, version="custom", attacks_to_run=["apgd-ce"], verbose=False
    )
    assert torch.equal(
        attack.run_standard_evaluation(images, labels), plain.run_standard_evaluation(images, labels)
    )


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_it_runs_inside_of_no_grad_and_inference_mode(context):
    images, labels = labelled_digits(5)
    attack = custom_attack(alignsec, "Linf", ["apgd-ce"])
    expected = attack.run_standard_evaluation(images, labels)
    with context():
        assert torch.equal(expected, attack.run_standard_evaluation(images.clone(), labels.clone()))


IMAGES, LABELS = torch.rand(4, 1, 8, 8), torch.tensor([1, 2, 3, 4])


@pytest.mark.parametrize(
    ("images", "labels", "batch", "expected"),
    [
        ((IMAGES * 255).byte(), LABELS, 4, r"images: uint8 found; .* pass images.float\(\) / 255"),
        (IMAGES.double(), LABELS, 4, "images: float64 found"),
        (IMAGES.half(), LABELS, 4, "images: float16 found"),
        (IMAGES * 2 - 1, LABELS, 4, r"images: -.* is their range; expected \[0,1\]"),
        (IMAGES * torch.nan, LABELS, 4, "images: nan to nan is their range"),
        (IMAGES.permute(0, 2, 3, 1), LABELS, 4, r"4 x 8 x 8 x 1 is their shape; .* images.permute\(0, 3, 1, 2\)"),
        (IMAGES[0], LABELS, 4, "1 x 8 x 8 is their shape"),
        (IMAGES[:0], LABELS[:0], 4, "0 x 1 x 8 x 8 is their shape; .* at least one image"),
        (IMAGES.numpy(), LABELS, 4, "images: ndarray found"),
        (IMAGES, LABELS.float(), 4, r"labels: torch.float32 found; expected integers: pass labels.long\(\)"),
        (IMAGES, LABELS == 1, 4, "labels: torch.bool found"),
        (IMAGES, LABELS - 2, 4, "labels: -1 found; expected class indices from 0"),
        (IMAGES, LABELS[:3], 4, "4 images and 3 labels found"),
        (IMAGES, LABELS[:, None], 4, "labels: 4 x 1 is their shape"),
        (IMAGES, LABELS, 0, "batch size: 0 must be an integer of at least 1"),
    ],
)
def test_bad_images_and_labels_are_errors(images, labels, batch, expected):
    attack = alignsec.AutoAttack(small.network(False), eps=0.1, verbose=False)
    with pytest.raises(ConfigErrors, match=expected):
        attack.run_standard_evaluation(images, labels, bs=batch)


def test_all_errors_of_the_inputs_are_reported_together():
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Dropout(), torch.nn.Linear(64, 10)).half()
    attack = alignsec.AutoAttack(network, eps=0.1, verbose=False)
    with pytest.raises(ConfigErrors) as caught:
        attack.run_standard_evaluation(IMAGES * 3, LABELS.float(), bs=0)
    message = str(caught.value)
    assert "model: layer 1 is in training mode and would change its answers" in message
    assert "model: torch.float16 weights found, but verdicts need float32 logits; call model.float()" in message
    assert len(caught.value.errors) == 5


def test_a_model_on_another_device_is_an_error():
    attack = alignsec.AutoAttack(torch.nn.Linear(1, 1, device="meta"), eps=0.1, device="cpu", verbose=False)
    with pytest.raises(ConfigErrors, match="model: meta is the device of its weights, and cpu that of the attack"):
        attack.run_standard_evaluation(IMAGES, LABELS)


def test_a_model_in_channels_last_gives_the_same_verdicts_and_keeps_its_format():
    images, labels = labelled_digits(6)
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 10, 8), torch.nn.Flatten()).to(
        memory_format=torch.channels_last
    )
    strides = network[0].weight.stride()
    attack = alignsec.AutoAttack(network, eps=0.1, version="custom", attacks_to_run=["apgd-ce"], verbose=False)
    plain = attack.run_standard_evaluation(images, labels)
    assert torch.equal(plain, attack.run_standard_evaluation(images.to(memory_format=torch.channels_last), labels))
    assert network[0].weight.stride() == strides


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"norm": "L0"}, "norm: 'L0' is unknown; choose one of Linf, L2, L1"),
        ({"eps": 8}, "eps: 8 must be a number above 0"),
        ({"eps": "8/255"}, "eps: '8/255' must be a number"),
        ({"version": "fast"}, "version: 'fast' is unknown"),
        ({"attacks_to_run": ["square"]}, 'attacks_to_run: .* needs version="custom"'),
        ({"version": "custom", "attacks_to_run": ["pgd"]}, "attacks_to_run: pgd is unknown"),
        ({"is_tf_model": True}, "is_tf_model: True is not supported"),
        ({"norm": "L1", "version": "plus"}, "version: 'plus' is not defined for L1"),
        ({"model": 3}, "model: int must be a torch module or a function"),
    ],
)
def test_bad_arguments_are_errors(arguments, expected):
    with pytest.raises(ConfigErrors, match=expected):
        alignsec.AutoAttack(**{"model": small.network(False), "eps": 0.1, "verbose": False, **arguments})


def test_a_state_path_is_an_error(tmp_path):
    attack = alignsec.AutoAttack(small.network(False), eps=0.1, verbose=False)
    with pytest.raises(ConfigErrors, match=r"state_path: .* is not supported by the Python API"):
        attack.run_standard_evaluation(IMAGES, LABELS, state_path=tmp_path / "state.json")


def test_the_custom_version_without_a_component_is_an_error():
    attack = alignsec.AutoAttack(small.network(False), eps=0.1, version="custom", verbose=False)
    with pytest.raises(ConfigErrors, match="attacks_to_run: no component found; choose from apgd-ce"):
        attack.run_standard_evaluation(IMAGES, LABELS)


def test_importing_alignsec_loads_neither_torch_nor_pandas():
    program = "import sys, alignsec; assert 'AutoAttack' in dir(alignsec); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    assert not {"torch", "pandas", "numpy"} & set(done.stdout.split())


def test_an_unknown_name_of_the_api_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'alignsec' has no attribute 'Attack'"):
        alignsec.Attack  # noqa: B018 - the access is the test
