"""The hierarchy of Brain-Score's benchmarks: which score is the mean of which other scores.

The leaderboard is a flattened tree: average_vision is the mean of categories, a category is the mean of regions
and groups of benchmarks, and these are means of benchmarks. Only some exports list the columns depth first, so the
tree is derived from their names. In the snapshot of 2025-09-08, every parent equals the mean of its children to
all three decimals, with a missing child counted as 0.
"""

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

AVERAGE = "average_vision"
CATEGORIES = ("neural_vision", "behavior_vision", "engineering_vision")
SET_ASIDE = frozenset({"Kar2019-ost"})
"""Benchmark that the study leaves out because few models have a score: 105 of the leaderboard's 106 remain."""

_CATEGORY = re.compile(r".+_vision")
_V1_GROUPS = {
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
    *((re.compile(rf"Marques2020_.+-({names})"), parent) for parent, names in _V1_GROUPS.items()),
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
"""Patterns of a whole name and the parent of the names that match; the first match counts."""


@dataclass(frozen=True)
class Hierarchy:
    """The tree of a file's score columns."""

    parents: Mapping[str, str]
    """Parent of each column; empty if it has none. A parent is not always a column of the file."""
    children: Mapping[str, Sequence[str]]
    """Children of each parent, in the file's order."""

    def category(self, name: str) -> str:
        """Return the category that a column is or belongs to; empty for the average and without a category."""
        while name and not is_category(name):
            name = self.parents.get(name) or ("" if name == AVERAGE else _find_parent(name))
        return name

    def mean(self, name: str, row: Mapping[str, float], missing: float | None = None) -> float | None:
        """Return the mean of a column's children, computed recursively from the benchmark scores of a model.

        Args:
            name: The column.
            row: Scores of the model by column.
            missing: Value of a missing score; None leaves the score out of the mean.

        Returns:
            The mean, or None if the model has none of the scores.
        """
        if name not in self.children:
            return row.get(name, missing)
        means = [self.mean(child, row, missing) for child in self.children[name]]
        present = [value for value in means if value is not None]
        return fmean(present) if present else None


def is_category(name: str) -> bool:
    """Return True if a column is a category, such as `neural_vision`."""
    return name != AVERAGE and bool(_CATEGORY.fullmatch(name))


def build_hierarchy(columns: Sequence[str]) -> Hierarchy:
    """Return the tree of these columns.

    The parent of a benchmark follows from its name. A benchmark with an unknown name belongs to the nearest
    category to its left. If two categories are adjacent, the file is not in depth-first order, and the benchmark
    belongs to no category.

    Args:
        columns: Score columns in the file's order.
    """
    adjacent = any(is_category(a) and is_category(b) for a, b in itertools.pairwise(columns))
    parents: dict[str, str] = {}
    last = ""
    for name in columns:
        if name == AVERAGE:
            continue
        if is_category(name):
            last = name
            # The engineering category is not part of the average, because it does not measure alignment.
            parents[name] = AVERAGE if name in CATEGORIES[:2] else ""
        else:
            parents[name] = _find_parent(name) or ("" if adjacent else last)
    # A parent that is not a column of the file is part of the tree too: its children count as one child.
    for name in list(parents):
        above = parents[name]
        while above and above != AVERAGE and above not in parents:
            parents[above] = AVERAGE if above in CATEGORIES[:2] else _find_parent(above)
            above = parents[above]
    children: dict[str, list[str]] = {}
    for name, parent in parents.items():
        if parent:
            children.setdefault(parent, []).append(name)
    return Hierarchy(parents, children)


def _find_parent(name: str) -> str:
    return next((parent for pattern, parent in _RULES if pattern.fullmatch(name)), "")
