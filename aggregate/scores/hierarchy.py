"""The hierarchy of Brain-Score's benchmarks: which scores are means of which, known by their names.

The leaderboard is a tree written flat: average_vision of categories, those of regions and families, those of
benchmarks. Only some exports write it depth first, so the tree is read from names. On the snapshot of 2025-09-08
every parent is the mean of the children below, a missing child counted as 0, to the last of three decimals.
"""

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

AVERAGE = "average_vision"
CATEGORIES = ("neural_vision", "behavior_vision", "engineering_vision")
SET_ASIDE = frozenset({"Kar2019-ost"})
"""The study's 105 benchmarks are the leaderboard's 106 without this one, which few models have been scored on."""

_CATEGORY = re.compile(r".+_vision")
_OF_V1 = {
    "V1-orientation": "pref_or|circular_variance|cv_bandwidth_ratio|opr_cv_diff|or_bandwidth|or_selective"
    "|orth_pref_ratio",
    "V1-receptive_field_size": "grating_summation_field|surround_diameter",
    "V1-response_magnitude": "max_noise|max_texture|max_dc",
    "V1-response_selectivity": "texture_selectivity|texture_sparseness|texture_variance_ratio|modulation_ratio",
    "V1-spatial_frequency": "peak_sf|sf_bandwidth|sf_selective",
    "V1-surround_modulation": "surround_suppression_index",
    "V1-texture_modulation": "(abs_)?texture_modulation_index",
}
_RULES = [
    *((re.compile(rf"Marques2020_.+-({names})"), parent) for parent, names in _OF_V1.items()),
    *((re.compile(pattern), parent) for pattern, parent in {
        r"V1-[a-z_]+": "Marques2020",
        r"Marques2020": "V1",
        r"Bracci2019\.anteriorVTC-rdm|Kar2019-ost": "IT",
        r"Geirhos2021\w+-error_consistency": "Geirhos2021-error_consistency",
        r"Geirhos2021\w+-top1": "Geirhos2021-top1",
        r"ImageNet-C-\w+-top1": "ImageNet-C-top1",
        **{rf"{name}.+": name for name in ("Baker2022", "BMD2024", "Ferguson2024", "Hermann2020", "Maniquet2024")},
        **{rf".+[._]{region}[-.].+": region for region in ("V1", "V2", "V4", "IT")},
        r"V1|V2|V4|IT": "neural_vision",
        r"Baker2022|BMD2024|Ferguson2024|Maniquet2024|Hebart2023-match|.+_behavior-.+": "behavior_vision",
        r".+-(i2n|error_consistency)": "behavior_vision",
        r"Hermann2020|.+-top[15]": "engineering_vision",
    }.items()),
]  # fmt: skip
"""Parents by the whole of a name; the first that fits counts."""


@dataclass(frozen=True)
class Hierarchy:
    """The tree of a file's columns."""

    parents: Mapping[str, str]
    """Of each column; empty where it has none. A parent need not be a column of the file itself."""
    children: Mapping[str, Sequence[str]]

    def category(self, name: str) -> str:
        """The category that a column is or belongs to; empty for the average and where there is none."""
        while name and not is_category(name):
            name = self.parents.get(name) or ("" if name == AVERAGE else _by_rule(name))
        return name

    def mean(self, name: str, row: Mapping[str, float], missing: float | None = None) -> float | None:
        """The mean of a column's children, which are means likewise, down to a model's scores of benchmarks.

        missing: what stands for a score that it has not; None leaves it out. None where nothing is left.
        """
        if name not in self.children:
            return row.get(name, missing)
        found = [self.mean(child, row, missing) for child in self.children[name]]
        present = [value for value in found if value is not None]
        return fmean(present) if present else None


def is_category(name: str) -> bool:
    """Whether a column is a category, such as `neural_vision`."""
    return name != AVERAGE and bool(_CATEGORY.fullmatch(name))


def build_hierarchy(columns: Sequence[str]) -> Hierarchy:
    """The tree of these columns, in the file's order.

    A benchmark that no rule knows belongs to the last category to its left, unless categories stand side by
    side: then the order says nothing, and it belongs to none.
    """
    side_by_side = any(is_category(a) and is_category(b) for a, b in itertools.pairwise(columns))
    parents: dict[str, str] = {}
    last = ""
    for name in columns:
        if name == AVERAGE:
            continue
        if is_category(name):
            last = name
            # Engineering is no part of the average: it is not alignment.
            parents[name] = AVERAGE if name in CATEGORIES[:2] else ""
        else:
            parents[name] = _by_rule(name) or ("" if side_by_side else last)
    # A parent that is no column of the file still stands in the tree: its children count as one.
    for name in list(parents):
        above = parents[name]
        while above and above != AVERAGE and above not in parents:
            parents[above] = AVERAGE if above in CATEGORIES[:2] else _by_rule(above)
            above = parents[above]
    children: dict[str, list[str]] = {}
    for name, parent in parents.items():
        if parent:
            children.setdefault(parent, []).append(name)
    return Hierarchy(parents, children)


def _by_rule(name: str) -> str:
    return next((parent for pattern, parent in _RULES if pattern.fullmatch(name)), "")
