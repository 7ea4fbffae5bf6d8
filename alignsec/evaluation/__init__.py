"""Evaluations: runs of an attack on a task, the judge and the clean check. Model passes are in `passes`."""
