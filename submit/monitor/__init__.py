"""Progress of a run, read from its files."""
