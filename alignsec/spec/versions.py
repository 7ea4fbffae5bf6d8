"""AutoAttack's versions "plus" and "rand": their components and standard values (Croce & Hein 2020)."""

from collections.abc import Mapping

AUTOATTACK_PLUS = ("apgd-ce", "apgd-dlr", "fab", "square", "apgd-t", "fab-t")
"""Components of AutoAttack's version "plus", in the reference's order."""

AUTOATTACK_RAND = ("apgd-ce-eot", "apgd-dlr-eot")
"""Components of AutoAttack's version "rand", for randomised models."""

METHOD_STANDARDS: Mapping[str, Mapping[str, Mapping[str, int]]] = {
    "autoattack-plus": {name: {"restarts": 5} for name in ("apgd-ce", "apgd-dlr", "fab")}
}
"""Standard parameter values of a method that differ from those of its components, by method and component."""

WITHOUT_L1 = frozenset({"autoattack-plus", "autoattack-rand", "apgd-ce-eot", "apgd-dlr-eot"})
"""Methods that are not defined for L1."""
