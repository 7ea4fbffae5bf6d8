"""RobustBench's `model_info`: one JSON file per model and budget, with the fields that its leaderboard reads.

Reference: robustbench 1.1.1, `robustbench.utils.ModelInfo` and `robustbench.leaderboard.template`.
"""

import json
import re
from collections.abc import Iterator

from alignsec.run.outcome import Record
from alignsec.spec.audit import Audit
from alignsec.spec.deviations import describe_deviations
from alignsec.spec.verdicts import BudgetVerdicts

FIELDS = (
    *("link", "name", "authors", "additional_data", "number_forward_passes", "dataset", "venue", "architecture"),
    *("eps", "clean_acc", "reported", "corruptions_acc", "corruptions_acc_3d", "corruptions_mce"),
    *("corruptions_mce_3d", "autoattack_acc", "footnote"),
)
"""Fields of `robustbench.utils.ModelInfo`. Those that a run does not know are null."""
IMAGENET_CLASSES = 1000
OTHER_DATASET = "other"
"""Folder of models that have other classes than ImageNet."""


def list_files(record: Record) -> Iterator[tuple[str, bytes]]:
    """Yield the relative path and the content of a file for each budget of an attack.

    Each folder `ATTACK/eps-EPS` has RobustBench's layout `DATASET/NORM/MODEL.json`. Clean images, corruptions and
    audited attacks, whose robust accuracy is an estimate, have no files.
    """
    attack = record.pair.attack
    audit: Audit | None = attack.audit
    if attack.level_kind != "eps" or audit is not None or not record.images:
        return
    dataset = "imagenet" if record.classes == IMAGENET_CLASSES else OTHER_DATASET
    for budget in record.budgets:
        eps = budget.eps.text.replace("/", "_")
        folder = f"{_file_name(attack.name)}/eps-{eps}/{dataset}/{attack.norm}"
        content = json.dumps(_make_info(record, budget, dataset), indent=2, ensure_ascii=False) + "\n"
        yield f"{folder}/{_file_name(record.pair.model.name)}.json", content.encode()


def _make_info(record: Record, budget: BudgetVerdicts, dataset: str) -> dict[str, object]:
    """Return the fields of a budget. `external` is RobustBench's field for attacks other than AutoAttack."""
    attack, images = record.pair.attack, len(record.images)
    deviations = describe_deviations(attack)
    is_standard = attack.method == "autoattack" and not deviations
    accuracy = f"{100 * budget.robust / images:.2f}"
    known: dict[str, object] = {
        "name": record.pair.model.name,
        "dataset": dataset,
        "architecture": record.pair.model.source.partition(":")[2],
        "number_forward_passes": 1,
        "eps": budget.eps.text,
        "clean_acc": f"{100 * record.clean_correct / images:.2f}",
    }
    if is_standard:
        known |= {"autoattack_acc": accuracy, "footnote": f"{images} images"}
    else:
        how = "; ".join(deviations) or f"{attack.method} alone"
        known |= {"external": accuracy, "footnote": f"{images} images; not standard AutoAttack: {how}"}
    return {**dict.fromkeys(FIELDS), **known}


def _file_name(name: str) -> str:
    """Return a name without characters that a file name cannot have."""
    return re.sub(r"[^\w.+-]", "_", name).lstrip(".") or "_"
