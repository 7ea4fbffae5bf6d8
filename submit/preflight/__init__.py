"""Preflight: reports everything that would go wrong after submission; writes and submits nothing."""
