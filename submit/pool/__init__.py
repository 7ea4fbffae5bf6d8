"""A private HTCondor pool for this checkout, or an HTCondor pool that already runs on this machine."""

from submit.pool.pool import Pool, PoolOptions, PoolUnavailableError
from submit.pool.private import down, ensure, find, up

__all__ = ["Pool", "PoolOptions", "PoolUnavailableError", "down", "ensure", "find", "up"]
