"""Measured comparisons. Never asserted as timings in tests."""
