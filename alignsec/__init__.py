"""alignsec: studies of alignment and adversarial robustness. The library that all other folders may import.

The names below are the Python API. Each is imported when it is first used: `import alignsec` needs no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alignsec.api.autoattack import AutoAttack
    from alignsec.api.evaluate import EvaluationRecord, evaluate
    from alignsec.api.run_tables import RunTables, open_run

__all__ = ["AutoAttack", "EvaluationRecord", "RunTables", "evaluate", "open_run"]

_MODULES = {
    "AutoAttack": "alignsec.api.autoattack",
    "EvaluationRecord": "alignsec.api.evaluate",
    "RunTables": "alignsec.api.run_tables",
    "evaluate": "alignsec.api.evaluate",
    "open_run": "alignsec.api.run_tables",
}


def __getattr__(name: str) -> object:
    """Import a name of the API.

    Raises:
        AttributeError: If the API has no such name.
    """
    if name not in _MODULES:
        raise AttributeError(f"module 'alignsec' has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
