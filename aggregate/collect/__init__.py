"""Collection: the outcome files of a run, read once and summarised in tables."""
