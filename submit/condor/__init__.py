"""HTCondor's files of a run: the DAG, the submit descriptions, and their submission."""
