"""Measured comparisons with other implementations. Tests never assert their timings."""
