"""A private HTCondor pool for this checkout, or the pool that is there already."""

from submit.pool.pool import Pool, PoolOptions, PoolUnavailable
from submit.pool.private import down, ensure, find, up

__all__ = ["Pool", "PoolOptions", "PoolUnavailable", "down", "ensure", "find", "up"]
