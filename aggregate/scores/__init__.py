"""Alignment scores: Brain-Score's leaderboards read into one table, and the hierarchy of their benchmarks."""
