"""Fault campaign: seeded schedules of faults on real runs, compared with an undisturbed run."""
