"""Jobs: what HTCondor starts on an execute node. A job takes one pair and leaves one outcome."""
