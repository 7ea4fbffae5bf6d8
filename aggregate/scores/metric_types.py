"""Types of the metrics of benchmarks, such as "error_consistency", from the names of the benchmarks."""

PROPERTIES = "V1 properties"
"""Type of the benchmarks of Marques2020, which all compare the distribution of a property of V1 neurons."""
OTHER = "other"


def find_metric_type(benchmark: str) -> str:
    """Return the type of a benchmark's metric.

    Args:
        benchmark: Name of a benchmark, such as `MajajHong2015.IT-pls`.

    Returns:
        The part after the last hyphen, `PROPERTIES` for Marques2020, or `OTHER` for a name without a hyphen.
    """
    if benchmark.startswith("Marques2020"):
        return PROPERTIES
    return benchmark.rpartition("-")[2] if "-" in benchmark else OTHER
