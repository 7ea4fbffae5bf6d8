"""How a job ends, as HTCondor and the local runner see it. Numbers from sysexits.h, and HTCondor's own example."""

DONE = 0
"""The outcome is a record."""
PERMANENT_FAILURE = 65
"""The outcome is a failure, and so would it be anywhere else: the request is wrong. No retry."""
TEMPORARY_FAILURE = 75
"""The machine failed, not the request: another try may do."""
CHECKPOINT = 85
"""Not finished: a checkpoint was written, and the job is to be started again from it."""
