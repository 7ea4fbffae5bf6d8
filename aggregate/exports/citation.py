"""Citation: BibTeX entries for a run, and for the software and the attacks that it used."""

import re
from collections.abc import Iterable

from alignsec.run.plan import Plan
from alignsec.spec.attack import Attack

SOFTWARE = """@software{alignsec,
  title = {alignsec},
  author = {{the alignsec developers}},
  note = {Code SHA-256 CODE}
}"""
STUDY = """@misc{hoak2025,
  title = {Are more human-like vision models more secure?},
  author = {Hoak and Li and McDaniel},
  year = {2025},
  eprint = {2502.12377},
  archiveprefix = {arXiv}
}"""
AUTOATTACK = """@inproceedings{croce2020,
  title = {Reliable evaluation of adversarial robustness with an ensemble of diverse parameter-free attacks},
  author = {Croce, Francesco and Hein, Matthias},
  booktitle = {International Conference on Machine Learning},
  year = {2020},
  eprint = {2003.01690},
  archiveprefix = {arXiv}
}"""
CORRUPTIONS = """@inproceedings{hendrycks2019,
  title = {Benchmarking neural network robustness to common corruptions and perturbations},
  author = {Hendrycks, Dan and Dietterich, Thomas},
  booktitle = {International Conference on Learning Representations},
  year = {2019},
  eprint = {1903.12261},
  archiveprefix = {arXiv}
}"""


def format_bibtex(plan: Plan) -> str:
    """Return the entries of a run: the run, alignsec, the study that it reproduces, and the run's attacks."""
    attacks = {pair.attack for pair in plan}
    entries = [_describe_run(plan), SOFTWARE.replace("CODE", plan.code_sha256), STUDY]
    entries += [AUTOATTACK] if any(attack.components for attack in attacks) else []
    entries += [CORRUPTIONS] if any(attack.level_kind == "severity" for attack in attacks) else []
    return "\n\n".join(entries) + "\n"


def _describe_run(plan: Plan) -> str:
    key = re.sub(r"[^A-Za-z0-9]+", "-", plan.name)
    attacks = ", ".join(_name_attacks(pair.attack for pair in plan))
    models = len({pair.model.name for pair in plan})
    note = (
        f"{models} models, {plan.image_count} images, attacks: {attacks}; seed {plan.seed}; "
        f"study SHA-256 {plan.study_sha256}; images SHA-256 {plan.images.sha256}"
    )
    return (
        f"@misc{{{key},\n  title = {{{_escape(plan.title)}}},\n  year = {{{plan.written[:4]}}},\n"
        f"  howpublished = {{Run of alignsec, {plan.written[:10]}}},\n  note = {{{_escape(note)}}}\n}}"
    )


def _name_attacks(attacks: Iterable[Attack]) -> list[str]:
    return list(dict.fromkeys(attack.series for attack in attacks))


def _escape(text: str) -> str:
    """Return a text for a field in braces: LaTeX's special characters are escaped."""
    escaped = text.replace("\\", r"\textbackslash ").replace("{", r"\{").replace("}", r"\}")
    return re.sub(r"([&%$#_])", r"\\\1", escaped)
