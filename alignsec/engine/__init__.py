"""The attack engine: AutoAttack's verdicts, image by image, for the fewest passes (DESIGN.md 8)."""

from alignsec.engine.run import evaluate
from alignsec.engine.settings import Settings

__all__ = ["Settings", "evaluate"]
