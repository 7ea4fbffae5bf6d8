"""What starts on an execute node: one pair in, one outcome out."""
