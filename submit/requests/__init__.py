"""Requests: what each job asks of a machine, from what its network and attack cost and what others took."""
