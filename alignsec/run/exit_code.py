"""Exit codes of a job, for HTCondor and the local runner.

Reference: sysexits.h; for CHECKPOINT, the example of self-checkpointing in HTCondor's manual.
"""

DONE = 0
"""The outcome is a record."""
PERMANENT_FAILURE = 65
"""The request is invalid, so that every machine would fail. No retry."""
TEMPORARY_FAILURE = 75
"""The machine failed; a retry on another machine may succeed."""
CHECKPOINT = 85
"""The job wrote a checkpoint and must be restarted from it."""
