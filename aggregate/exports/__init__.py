"""Exports: a run's results in forms that other tools read."""
