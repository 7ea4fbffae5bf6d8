"""Measurements of large runs: planning, status, start-up and the schedule of pairs."""
