"""Deviations: the differences between an attack and the standard version of AutoAttack, as text."""

from alignsec.spec.attack import Attack
from alignsec.spec.components import COMPONENTS


def describe_deviations(attack: Attack) -> tuple[str, ...]:
    """Return the differences from the standard version, as text for the report."""
    found = []
    if attack.is_custom:
        options = "".join(f", {name} = {value}" for name, value in attack.options.items())
        found.append(f"a custom attack, {attack.method}{options} (standard: AutoAttack)")
    for name in sorted(attack.used_parameters):
        standard = attack.values_by_component(name, standard=True)
        if attack.values_by_component(name) != standard:
            found.append(f"{name} = {getattr(attack, name)} (standard: {_format_values(standard)})")
    if attack.search != "fp32":
        found.append(f"searched in {attack.search}, successes judged again in fp32 (standard: all in fp32)")
    if attack.compile:
        found.append(
            "searched with torch.compile, successes judged again by the uncompiled network in fp32 "
            "(standard: all by the uncompiled network)"
        )
    if attack.audit is not None:
        found.append(
            f"the remaining searches ran on a random share of {attack.audit.resolved_share} of the images that "
            f"survived APGD-CE and, near the decision boundary, {attack.audit.targets} targets of APGD-T; "
            "robust accuracy is an estimate "
            "(standard: every image is searched in full)"
        )
    if "carry" in attack.shortcuts:
        found.append(
            "images broken at one budget count as broken at larger ones without an attack there "
            "(standard: every budget is attacked)"
        )
    return tuple(found)


def describe_deviations_for(attack: Attack, classes: int) -> list[str]:
    """Return the differences from the standard version on a model with this number of classes, as
    sentences."""
    run = attack.components_for(classes)
    notes = [f"not the standard attack: {text}" for text in describe_deviations(attack)]
    targets = attack.values_by_component("targets")
    if too_many := {name: count for name, count in targets.items() if name in run and count > classes - 1}:
        usual = _format_values(too_many)
        notes.append(f"{classes - 1} target classes instead of {usual}: the model has {classes} classes")
    notes += [
        f"{name} left out: it needs {COMPONENTS[name].fewest_classes} classes, the model has {classes}"
        for name in attack.components
        if name not in run
    ]
    return notes


def _format_values(values: dict[str, int]) -> str:
    if len(set(values.values())) == 1:
        return str(next(iter(values.values())))
    return ", ".join(f"{value} for {component}" for component, value in values.items())
