"""The custom attacks of docs/attacks run on a robust network; each test is skipped without its library."""

import pytest

import alignsec
from alignsec import python_file
from alignsec.evaluation.custom_attack import CustomAttack
from alignsec.spec import custom
from tests.alignsec.engine import small
from tests.paths import CHECKOUT

EXAMPLES = [
    ("foolbox", "foolbox_deepfool.py", "deepfool"),
    ("adv_lib", "adv_lib_fmn.py", "fmn"),
    ("torchattacks", "torchattacks_pgd.py", "pgd"),
]
BUDGETS = {"Linf": ["0.05", "0.15", "0.3"], "L2": ["0.3", "0.8", "2"]}


@pytest.mark.parametrize(("_", "file", "function"), EXAMPLES)
def test_an_example_is_short_and_valid_at_submission(_: str, file: str, function: str):
    """Fewer than ten lines of code, and parameters that submission accepts, without the library."""
    path = CHECKOUT / "docs" / "attacks" / file
    assert sum(bool(line.strip()) for line in path.read_text(encoding="utf-8").splitlines()) < 10
    assert python_file.find_definition_error(path, f":{function}") is None
    assert custom.find_signature_error(path, function, {"steps": 5}) is None


@pytest.mark.parametrize("norm", ["Linf", "L2"])
@pytest.mark.parametrize(("library", "file", "function"), EXAMPLES)
def test_an_example_breaks_images_like_apgd(library: str, file: str, function: str, norm: str):
    """The custom attack breaks at most two images more than APGD-CE does."""
    pytest.importorskip(library)
    path = CHECKOUT / "docs" / "attacks" / file
    attack = CustomAttack.load(path, function, {})
    images, labels = (part[1000:1016] for part in small.digits())
    network = small.network(robust=True).eval()
    record = alignsec.evaluate(network, images, labels, method=attack.function, norm=norm, eps=BUDGETS[norm])
    standard = alignsec.evaluate(
        network, images, labels, method="apgd-ce", norm=norm, eps=BUDGETS[norm], steps=50, restarts=2
    )
    broken = [budget.verdicts.count("p") for budget in record.budgets]
    both = [len(labels) - budget.verdicts.count("R") - budget.verdicts.count("W") for budget in standard.budgets]
    assert broken == sorted(broken)
    assert broken[-1] > 0
    for ours, theirs in zip(broken, both, strict=True):
        assert ours <= theirs + 2
    assert record.budgets[0].passes["custom"].backward > 0
