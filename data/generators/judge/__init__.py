"""Seeded generator of the answers and attacks in ``data/judge``."""
