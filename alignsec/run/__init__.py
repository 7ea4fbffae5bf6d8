"""A run on disk: its folder, plan, outcome files, event log and the status of its pairs. No torch."""
