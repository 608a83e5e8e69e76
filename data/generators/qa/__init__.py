"""Seeded generator of the question-answering rows in ``data/qa``."""
